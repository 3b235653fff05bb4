"""The options of runs, sweeps and backtests: their names, and what holds between them."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Literal, TypedDict, get_type_hints

from backcast.errors import InvalidRequestError, Violation
from backcast.quantities import Number, Time

Interval = Literal["1h", "4h", "1d", "1w"]
Detail = Literal["metrics", "trades", "equity"]


class ExecutionOptions(TypedDict, total=False):
    """Arguments that say how signals become fills; what is not given has the server's default."""

    fee: Number
    """Fee of each fill: "0.1%", "10bps" or 0.001. Default: 0.1 %."""
    slippage: Number
    """How much worse than the market price each fill is: "5bps", "0.05%" or 0.0005. Default: 0."""
    initial_capital: float
    """Capital at the start, in the quote currency. Default: 10,000."""
    fill: Literal["next-open", "same-close"]
    """When a signal fills. Default: next-open."""
    direction: Literal["long", "short", "long-short"]
    """Which positions are allowed. Default: long."""
    size_fraction: Number
    """Size of a position as a fraction of the equity. Default: 100 %."""
    size_amount: float
    """Or: size of a position as an amount of the quote currency."""
    size_volatility: Number
    """Or: the annual volatility of the equity that sizes target."""
    volatility_period: int
    """Number of closes over which the volatility is measured. Default: 30."""
    stop_loss: Number
    """Closes a position at this loss: "5%", 0.05 or "2atr"."""
    take_profit: Number
    """Closes a position at this gain."""
    trailing_stop: Number
    """Closes a position this far from its best price."""
    atr_period: int
    """Period of the average true range of distances in `atr`. Default: 14."""
    borrow_rate: Number
    """Annual cost of a short position, as a fraction of its value. Default: 0."""
    funding_rate: Number
    """Annual cost of a long position, as a fraction of its value. Default: 0."""
    breaks: Literal["close", "split", "ignore"]
    """What happens where a crypto was relisted or redenominated. Default: close."""


class BacktestOptions(ExecutionOptions, total=False):
    """Arguments of runs and sweeps; what is not given has the server's default."""

    symbols: str | Iterable[str]
    """Cryptos: "all", one symbol, several with commas between them, or a list. Default: all."""
    exclude: str | Iterable[str]
    """Cryptos to leave out."""
    interval: Interval
    """Length of the candles. Default: 1h."""
    start: Time
    """Start of the window. Default: 365 days before its end."""
    end: Time
    """End of the window, excluded. Default: the end of the data."""
    cache: Literal["default", "bypass", "refresh", "only"]
    """How the server's cache is used. Default: read and written."""
    run_id: str
    """Name of the run. Default: the server makes one."""


class RunOptions(BacktestOptions, total=False):
    """Arguments of runs."""

    detail: Detail
    """What results have from the start: metrics, also trades, or also the equity. Default: metrics."""
    curve_points: int
    """With detail="equity": the maximum number of points of each curve. Default: all."""


class PortfolioOptions(RunOptions, total=False):
    """Arguments of portfolios."""

    max_positions: int
    """How many positions each strategy can have at the same time. Default: 10."""
    rank: str
    """A series, such as "roc(168)": entries with higher values come first. Default: in order of symbols."""
    size: Literal["equal", "execution"]
    """Size of positions: an equal share for each place, or that of size_fraction, size_amount or
    size_volatility. Default: equal, unless one of them is given."""
    rebalance_every: int
    """Number of candles between rebalancings of positions to their target size. Default: never."""
    rebalance_threshold: Number
    """Positions that are at most this fraction of their target away from it are left alone. Default: 0."""
    benchmark: str
    """A crypto to compare with. Default: BTCUSDT if it is one of the cryptos."""


class PortfolioSweepOptions(BacktestOptions, total=False):
    """Arguments of sweeps over portfolios; max_positions, rank and rebalance_every can be lists."""

    max_positions: int | Iterable[int]
    """How many positions each strategy can have at the same time. Default: 10."""
    rank: str | Iterable[str | None]
    """A series, such as "roc(168)": entries with higher values come first. Default: in order of symbols."""
    size: Literal["equal", "execution"]
    """As in PortfolioOptions."""
    rebalance_every: int | Iterable[int | None]
    """Number of candles between rebalancings of positions to their target size. Default: never."""
    rebalance_threshold: Number
    """Positions that are at most this fraction of their target away from it are left alone. Default: 0."""
    split: Number
    """The fraction of the window on which combinations are ranked; the rest tests them."""
    folds: int
    """Or: the number of folds of a walk-forward."""
    curve_points: int
    """With folds: the maximum number of points of the out-of-sample curve. Default: 500; 0: all."""
    metric: str
    """The metric of the account to rank by. Default: sharpe_ratio."""
    top: int
    """Number of best combinations. Default: 20."""
    min_trades: int
    """Combinations with fewer trades have no rank. Default: 1."""
    random: int
    """Trade only this number of combinations, chosen at random. Default: all."""
    optimize: int
    """Or: trade this number of combinations (with folds: in each fold), which Optuna proposes by the metric
    of the accounts before."""
    seed: int
    """Seed of the random numbers of `random` and `optimize`. Default: 0."""


class SweepOptions(BacktestOptions, total=False):
    """Arguments of sweeps."""

    split: Number
    """The fraction of the window on which combinations are ranked; the rest tests them."""
    folds: int
    """Or: the number of folds of a walk-forward."""
    metric: str
    """The metric to rank by. Default: sharpe_ratio."""
    top: int
    """Number of best trials. Default: 20."""
    min_trades: int
    """Combinations with fewer trades have no rank. Default: 1."""
    curve_points: int
    """With folds: the maximum number of points of each out-of-sample curve. Default: 500; 0: all."""
    random: int
    """Backtest only this number of combinations, chosen at random. Default: all."""
    optimize: int
    """Or: backtest this number of combinations (with folds: in each fold), which Optuna
    proposes by the results before."""
    seed: int
    """Seed of the random numbers of `random` and `optimize`. Default: 0."""


RUN_OPTIONS = frozenset(get_type_hints(RunOptions))
PORTFOLIO_OPTIONS = frozenset(get_type_hints(PortfolioOptions))
PORTFOLIO_SWEEP_OPTIONS = frozenset(get_type_hints(PortfolioSweepOptions))
SWEEP_OPTIONS = frozenset(get_type_hints(SweepOptions))
# The arguments of this package for fields of the API.
_ARGUMENTS = {
    "spec.interval": "interval",
    "spec.start_time": "start",
    "spec.end_time": "end",
    "spec.execution.fee_rate": "fee",
    "spec.execution.slippage_bps": "slippage",
    "spec.execution.fill_time": "fill",
    "spec.execution.equity_fraction": "size_fraction",
    "spec.execution.quote_amount": "size_amount",
    "spec.execution.volatility_target.annual_volatility": "size_volatility",
    "spec.execution.volatility_target.period": "volatility_period",
    "spec.execution.break_rule": "breaks",
    "best_trial_count": "top",
    "best_count": "top",
    "fold_count": "folds",
    "start_time": "start",
    "end_time": "end",
    "cache_mode": "cache",
    "search.seed": "seed",
    "spec.rebalancing": "rebalance_every",
    "spec.rebalancing.every": "rebalance_every",
    "spec.rebalancing.threshold": "rebalance_threshold",
    "spec.max_positions": "max_positions",
    "spec.rank": "rank",
    "series": "rank",
    "spec.size": "size",
    "spec.benchmark": "benchmark",
    "spec.strategies": "strategies",
}
_PREFIX = re.compile(r"spec\.(?:execution|(?:strategies\[\d+\]\.)?strategy\.\w+|strategies\[\d+\])\.(\w+)")
SIZES = ("size_fraction", "size_amount", "size_volatility")
STOPS = ("stop_loss", "take_profit", "trailing_stop")
# Of the options that can have several values in a sweep, the names of the settings in the API.
SWEPT_SETTINGS = {
    **{name: name for name in (*STOPS, "atr_period", "direction", "borrow_rate", "funding_rate")},
    **dict.fromkeys(SIZES, "size"),
    "fill": "fill_time",
    "fee": "fee_rate",
    "slippage": "slippage_bps",
}


def check_names(given: Mapping[str, Any], known: frozenset[str]) -> None:
    """Raise TypeError, as Python does for a function, where an option has no known name."""
    for name in given:
        if name not in known:
            # The API's names are longer than ours: fee_rate, slippage_bps.
            near = [one for one in sorted(known) if name.startswith(one)] or get_close_matches(
                name, known, n=1
            )
            hint = f": did you mean {near[0]}?" if near else ""
            raise TypeError(f"unexpected argument {name!r}{hint}")


def check_sizes(given: Mapping[str, Any]) -> None:
    """Raise InvalidRequestError where more than one size is given, or a period of none."""
    sizes = [name for name in SIZES if name in given]
    if len(sizes) > 1:
        raise InvalidRequestError.of(sizes[1], f"only one size can be given, and {sizes[0]} is given")
    if "volatility_period" in given and "size_volatility" not in given:
        raise InvalidRequestError.of("volatility_period", "needs size_volatility")


def violation(path: str, reason: str) -> Violation:
    """Return the violation of a field of the API, which has the name of the argument that it comes from."""
    name = _ARGUMENTS.get(path)
    if name is None:
        inner = _PREFIX.match(path)
        name = inner[1] if inner else path
    return Violation(name, path, reason)
