"""What a run is asked with on the command line; None is left to the gateway."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer


@dataclass(frozen=True, slots=True)
class StrategyOptions:
    """Which strategy."""

    strategy: Annotated[str, typer.Argument(help="Which strategy; `backcast strategies` lists them.")]
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter of the strategy: period=7. Can be repeated.")
    ] = None
    entry: Annotated[
        str | None,
        typer.Option(help="For rules: when to buy, as in 'rsi(14) < 30'; `backcast rules` tells the words."),
    ] = None
    exit: Annotated[
        str | None, typer.Option(help="For rules: when to sell; without it no signal ever sells.")
    ] = None


@dataclass(frozen=True, slots=True)
class CandleOptions:
    """On which candles."""

    symbols: Annotated[str, typer.Option(help="Cryptos, separated by commas, or all.")] = "all"
    interval: Annotated[str, typer.Option(help="Length of the candles: 1h, 4h, 1d or 1w.")] = "1h"
    start: Annotated[
        str | None, typer.Option(help="First time of the window, UTC; by default a year before the end.")
    ] = None
    end: Annotated[
        str | None, typer.Option(help="End of the window, UTC, excluded; by default the end of the data.")
    ] = None
    exclude: Annotated[str | None, typer.Option(help="Cryptos to do without, separated by commas.")] = None


@dataclass(frozen=True, slots=True)
class RowOptions:
    """Which rows and columns a table of results has; names are those of the API's Metrics."""

    sort: Annotated[str, typer.Option(help="The metric that the table is sorted by, the best first.")] = (
        "total_return"
    )
    columns: Annotated[
        str | None, typer.Option(help="The metrics that the table shows, separated by commas.")
    ] = None


class Cache(StrEnum):
    """Whether results come from the cache; the names are those of the API."""

    DEFAULT = "default"
    BYPASS = "bypass"
    REFRESH = "refresh"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What is the same of runs and sweeps."""

    cache: Annotated[
        Cache,
        typer.Option(
            help="What the cache does: bypass computes without it, refresh computes and writes to it, only "
            "computes nothing."
        ),
    ] = Cache.DEFAULT
    run_id: Annotated[
        str,
        typer.Option(help="A name for the run, in logs and for `backcast watch`; one is made without it."),
    ] = ""


class Fill(StrEnum):
    """When a signal fills; the names are those of the API."""

    NEXT_OPEN = "next-open"
    SAME_CLOSE = "same-close"


class Direction(StrEnum):
    """Which positions there are; the names are those of the API."""

    LONG_ONLY = "long"
    SHORT_ONLY = "short"
    LONG_SHORT = "long-short"


class Breaks(StrEnum):
    """What happens at a break in the history; the names are those of the API."""

    CLOSE = "close"
    SPLIT = "split"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class ExecutionOptions:
    """How signals become fills. Fractions are text like 0.1%, 10bps or 0.001."""

    fee: Annotated[
        str | None, typer.Option(help="Fee of each side: 0.1%, 10bps or 0.001, which is the default.")
    ] = None
    slippage: Annotated[
        str | None, typer.Option(help="How much worse than its price a fill is: 0.05% or 5bps; by default 0.")
    ] = None
    slippage_bps: Annotated[str | None, typer.Option(help="Or: slippage as a number of basis points.")] = None
    initial_capital: Annotated[float | None, typer.Option(help="Capital; by default 10,000.")] = None
    fill: Annotated[Fill | None, typer.Option(help="Where a signal fills; by default at the next open.")] = (
        None
    )
    direction: Annotated[Direction | None, typer.Option(help="Which positions; by default long.")] = None
    size_fraction: Annotated[
        str | None, typer.Option(help="Size of a position as a fraction of the equity: 50%; by default 1.")
    ] = None
    size_amount: Annotated[
        float | None, typer.Option(help="Or: its size as an amount of the quote currency.")
    ] = None
    size_volatility: Annotated[
        str | None, typer.Option(help="Or: its volatility per year, as a fraction of the equity: 40%.")
    ] = None
    volatility_period: Annotated[
        int | None, typer.Option(help="Closes that volatility is measured over; by default 30.")
    ] = None
    stop_loss: Annotated[str | None, typer.Option(help="Close at a loss of 5% (or 0.05) or 2atr.")] = None
    take_profit: Annotated[str | None, typer.Option(help="Close at a gain of 5% (or 0.05) or 2atr.")] = None
    trailing_stop: Annotated[
        str | None, typer.Option(help="Close when it falls by 5% (or 0.05) or 2atr from its best price.")
    ] = None
    atr_period: Annotated[
        int | None, typer.Option(help="Candles of the average true range of stops; by default 14.")
    ] = None
    borrow_rate: Annotated[
        str | None, typer.Option(help="Cost of a short position per year of its value: 10%; by default 0.")
    ] = None
    funding_rate: Annotated[
        str | None, typer.Option(help="Cost of a long position per year of its value: 10%; by default 0.")
    ] = None
    breaks: Annotated[
        Breaks | None,
        typer.Option(
            help="Where a history breaks (relisted, redenominated): close positions before it, which is the "
            "default; split: also tell the parts apart; or ignore the break."
        ),
    ] = None
