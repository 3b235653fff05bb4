"""Options of runs and sweeps; for an option that is None, the gateway takes its default."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer


class Detail(StrEnum):
    """How much of each result is returned; the names are those of the API."""

    METRICS = "metrics"
    TRADES = "trades"
    EQUITY = "equity"


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class StrategyOptions:
    """The strategy and its parameters."""

    strategy: Annotated[str, typer.Argument(help="Name of a strategy; `backcast strategies` lists them.")]
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter of the strategy: period=7. Can be repeated.")
    ] = None
    entry: Annotated[
        str | None,
        typer.Option(
            help="Entry condition of `rules`, such as 'rsi(14) < 30'; `backcast rules` explains the language."
        ),
    ] = None
    exit: Annotated[
        str | None, typer.Option(help="Exit condition of `rules`; without it, no signal closes a position.")
    ] = None


@dataclass(frozen=True, slots=True)
class CandleOptions:
    """The candles: cryptos, interval and window."""

    symbols: Annotated[str, typer.Option(help="Symbols of the cryptos, separated by commas, or all.")] = "all"
    interval: Annotated[str, typer.Option(help="Length of the candles: 1h, 4h, 1d or 1w.")] = "1h"
    start: Annotated[
        str | None, typer.Option(help="Start of the window, UTC; by default a year before its end.")
    ] = None
    end: Annotated[
        str | None, typer.Option(help="End of the window, UTC, exclusive; by default the end of the data.")
    ] = None
    exclude: Annotated[str | None, typer.Option(help="Cryptos to leave out, separated by commas.")] = None


@dataclass(frozen=True, slots=True)
class RowOptions:
    """The rows and columns of the table of results; metrics are named as in the API."""

    sort: Annotated[str, typer.Option(help="The metric to sort the table by, best first.")] = "total_return"
    columns: Annotated[
        str | None, typer.Option(help="The metrics to show in the table, separated by commas.")
    ] = None


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Which combinations of a sweep are backtested; without a number, all."""

    random: int | None = None
    optimize: int | None = None
    seed: int | None = None


class Size(StrEnum):
    """The size of a portfolio's positions; the names are those of the API."""

    EQUAL = "equal"
    EXECUTION = "execution"


Strategies = Annotated[
    list[str],
    typer.Argument(
        help="A strategy, or several in quotes: 'rsi --param period=7 --weight 40%' 'supertrend --weight "
        "60%'. Rules: \"rules --entry 'rsi(14) < 30' --exit 'rsi(14) > 70'\".",
        metavar="STRATEGY…",
    ),
]


@dataclass(frozen=True, slots=True)
class PortfolioOptions:
    """How one account is divided among many cryptos."""

    max_positions: Annotated[
        int | None,
        typer.Option(
            help="Maximum number of positions that each strategy holds at the same time; by default 10."
        ),
    ] = None
    rank: Annotated[
        str | None,
        typer.Option(
            help="Series that ranks entries when they compete for places, highest value first: 'roc(168)'; "
            "by default, entries are taken in order of symbols."
        ),
    ] = None
    size: Annotated[
        Size | None,
        typer.Option(
            help="equal: an equal share of the equity for each place; the default. execution: the size "
            "that --size-fraction, --size-amount or --size-volatility sets; the default if one of "
            "them is given."
        ),
    ] = None
    rebalance_every: Annotated[
        int | None, typer.Option(help="Number of candles between rebalancings to the target sizes.")
    ] = None
    rebalance_threshold: Annotated[
        str | None,
        typer.Option(
            help="Rebalance only positions that deviate from their target size by more than this: 10%."
        ),
    ] = None
    benchmark: Annotated[
        str | None,
        typer.Option(help="A crypto to compare with; by default BTCUSDT if it is one of the cryptos."),
    ] = None


class Cache(StrEnum):
    """How the cache is used; the names are those of the API."""

    DEFAULT = "default"
    BYPASS = "bypass"
    REFRESH = "refresh"
    ONLY = "only"


CacheOption = Annotated[
    Cache,
    typer.Option(
        help="How the cache of results is used. default: read and write it. bypass: do neither. "
        "refresh: compute everything, and write it. only: read it, and compute nothing."
    ),
]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of runs and sweeps that are not about the backtest."""

    cache: CacheOption = Cache.DEFAULT
    run_id: Annotated[
        str,
        typer.Option(help="Name of the run, in logs and for `backcast watch`; by default one is generated."),
    ] = ""


class Fill(StrEnum):
    """The price at which a signal fills; the names are those of the API."""

    NEXT_OPEN = "next-open"
    SAME_CLOSE = "same-close"


class Direction(StrEnum):
    """The sides of positions; the names are those of the API."""

    LONG_ONLY = "long"
    SHORT_ONLY = "short"
    LONG_SHORT = "long-short"


class Breaks(StrEnum):
    """What a backtest does at a break in the history; the names are those of the API."""

    CLOSE = "close"
    SPLIT = "split"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class ExecutionOptions:
    """How signals become fills. Fractions are text like 0.1%, 10bps or 0.001.

    What is text can be a list of values in a sweep: see `execution_ranges`.
    """

    fee: Annotated[str | None, typer.Option(help="Fee per side: 0.1%, 10bps or 0.001; by default 0.1%.")] = (
        None
    )
    slippage: Annotated[
        str | None,
        typer.Option(help="Slippage of each fill: 0.05% or 5bps; by default 0."),
    ] = None
    slippage_bps: Annotated[
        str | None, typer.Option(help="Slippage in basis points, instead of --slippage.")
    ] = None
    initial_capital: Annotated[float | None, typer.Option(help="Initial capital; by default 10,000.")] = None
    fill: Annotated[
        str | None,
        typer.Option(
            help="The price at which a signal fills; by default next-open.", metavar=f"[{'|'.join(Fill)}]"
        ),
    ] = None
    direction: Annotated[
        str | None,
        typer.Option(help="Sides that may be traded; by default long.", metavar=f"[{'|'.join(Direction)}]"),
    ] = None
    size_fraction: Annotated[
        str | None, typer.Option(help="Position size as a fraction of the equity: 50%; by default 100%.")
    ] = None
    size_amount: Annotated[
        str | None,
        typer.Option(help="Position size as an amount of the quote currency, instead of a fraction."),
    ] = None
    size_volatility: Annotated[
        str | None,
        typer.Option(
            help="Annual volatility of the equity that the position size targets, instead of a fraction: 40%."
        ),
    ] = None
    volatility_period: Annotated[
        int | None,
        typer.Option(help="Number of closes from which the volatility is estimated; by default 30."),
    ] = None
    stop_loss: Annotated[
        str | None,
        typer.Option(
            help="Loss at which a position is closed: 5% (or 0.05), or a multiple of the average true "
            "range: 2atr."
        ),
    ] = None
    take_profit: Annotated[
        str | None, typer.Option(help="Gain at which a position is closed: 5% (or 0.05), or 2atr.")
    ] = None
    trailing_stop: Annotated[
        str | None,
        typer.Option(
            help="Distance from its best price at which a position is closed: 5% (or 0.05), or 2atr."
        ),
    ] = None
    atr_period: Annotated[
        str | None, typer.Option(help="Period of the average true range for stops; by default 14.")
    ] = None
    borrow_rate: Annotated[
        str | None,
        typer.Option(help="Annual cost of a short position, as a fraction of its value: 10%; by default 0."),
    ] = None
    funding_rate: Annotated[
        str | None,
        typer.Option(help="Annual cost of a long position, as a fraction of its value: 10%; by default 0."),
    ] = None
    breaks: Annotated[
        Breaks | None,
        typer.Option(
            help="How a run treats breaks, where a crypto was relisted or redenominated. close: close "
            "positions before the break; the default. split: also report the parts before and after "
            "it. ignore: trade as if there were no break."
        ),
    ] = None
