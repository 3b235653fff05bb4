"""Backtests of one crypto: one of them, or many that share what they have in common."""

import math

import numpy as np
from numpy.typing import NDArray

from services.compute.engine.coverage import coverage
from services.compute.engine.curves import equity_curve, monthly_returns
from services.compute.engine.execution import Execution
from services.compute.engine.metrics import measure
from services.compute.engine.results import BacktestResult, Detail, Metrics, Window
from services.compute.engine.rules import Evaluation, Expression
from services.compute.engine.rules.check import columns_of_expression, warmup
from services.compute.engine.rules.nodes import CLOSE, HIGH, LOW, call
from services.compute.engine.simulation import Simulation, simulate
from services.compute.engine.strategies import Signals, Strategy
from services.compute.engine.terms import terms_of
from services.compute.engine.trades import trade_records
from services.shared.candles import VALUE_COLUMNS, Candles, PriceColumn
from services.shared.clock import utc
from services.shared.errors import NotFound, Refused
from services.shared.interval import Interval

# What fills, equity and metrics read, whatever the strategy.
_ALWAYS_READ = frozenset(("open", "close"))
_RANGE = frozenset(("high", "low"))
_YEAR_S = 365 * 86_400
# A deviation of returns below this is what rounding leaves of nothing.
_ROUNDING = 1e-14


def run_backtest(
    candles: Candles,
    strategy: Strategy,
    interval: Interval,
    window: Window,
    execution: Execution,
    detail: Detail = Detail.METRICS,
    curve_points: int = 0,
) -> BacktestResult:
    """Backtest `strategy` in `window` on a crypto's history of candles of length `interval`.

    Indicators are computed over the window and as many candles before it as the strategy asks for and the
    history has; there is no trade in that warm-up, and equity starts at the window's first candle. Columns
    that are not in `columns_of(strategy, execution, detail)` may be empty. An equity curve has at most
    `curve_points` points (0: all, else at least curves.FEWEST_POINTS). Raises NotFound where the window has
    no candle, Refused where there are fewer candles than an indicator needs, or where prices are so extreme
    that the equity or a trade is beyond the numbers of a float64.
    """
    return TradedWindow(candles, interval, window, execution).result(strategy, detail, curve_points)


def columns_of(strategy: Strategy, execution: Execution, detail: Detail = Detail.METRICS) -> tuple[str, ...]:
    """Return the columns besides the time that a backtest reads, in the candles' order."""
    read = _ALWAYS_READ | strategy.columns
    if execution.needs_range or detail >= Detail.TRADES:
        read |= _RANGE
    for expression in _needed_series(execution).values():
        read |= columns_of_expression(expression)
    return tuple(name for name in VALUE_COLUMNS if name in read)


def _needed_series(execution: Execution) -> dict[str, Expression]:
    """Return what an execution measures at each candle: stops the ATR, a size the deviation of returns."""
    needed: dict[str, Expression] = {}
    if execution.needs_atr:
        needed["atr"] = call("atr", HIGH, LOW, CLOSE, execution.atr_period)
    if target := execution.volatility_target:
        returns = call("divide", call("momentum", CLOSE, 1), call("shift", CLOSE, 1))
        needed["deviation"] = call("stddev", returns, target.period)
    return needed


class TradedWindow:
    """A crypto's candles in a window, and an execution: what backtests of many strategies on it share.

    Raises NotFound where the window has no candle.
    """

    def __init__(self, candles: Candles, interval: Interval, window: Window, execution: Execution) -> None:
        start, end = map(int, np.searchsorted(candles.open_time_s, (window.start_s, window.end_s)))
        if start >= end:
            raise NotFound(f"there are no candles in the window{_where_they_are(candles)}")
        self._candles, self._start, self._end = candles, start, end
        # Compiled code takes columns without gaps between their values; those that are so are not copied.
        time, *values = candles[start:end].columns()
        self._traded = Candles(
            np.ascontiguousarray(time), *(np.ascontiguousarray(column) for column in values)
        )
        self._interval, self._window, self._execution = interval, window, execution
        self._terms = terms_of(execution, interval.seconds)
        self._needed = _needed_series(execution)
        self._needed_warmup = max(map(warmup, self._needed.values()), default=0)
        # Strategies that need equally much warm-up see the same candles, so their indicators are the same.
        self._evaluations: dict[int, Evaluation] = {}

    def metrics(self, strategy: Strategy) -> NDArray[np.float64]:
        """Return the figures of a backtest, float64 in the order of METRIC_NAMES, NaN where undefined.

        Raises Refused as `run_backtest` does.
        """
        return self._simulated(strategy)[1]

    def metrics_and_equity(
        self, strategy: Strategy, closes: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], PriceColumn]:
        """Return what `metrics` does, and the equity at some of the window's candles, counted from 0."""
        simulation, figures = self._simulated(strategy)
        return figures, simulation.equity.take(closes)

    def candles_before(self, times_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many of the window's candles open before each time."""
        return np.searchsorted(self._traded.open_time_s, times_s)

    def result(self, strategy: Strategy, detail: Detail, curve_points: int = 0) -> BacktestResult:
        """Return what `run_backtest` does."""
        simulation, figures = self._simulated(strategy)
        open_time_s, capital = self._traded.open_time_s, self._execution.initial_capital
        wants_curve = detail >= Detail.EQUITY
        return BacktestResult(
            metrics=metrics_of(figures),
            coverage=coverage(open_time_s, self._window, self._interval),
            warmup_candles=self._warmup(strategy),
            trades=(
                trade_records(self._traded, simulation.trades, self._execution)
                if detail >= Detail.TRADES
                else ()
            ),
            equity_curve=(
                equity_curve(open_time_s, simulation.equity, capital, curve_points) if wants_curve else None
            ),
            monthly_returns=(monthly_returns(open_time_s, simulation.equity, capital) if wants_curve else ()),
        )

    def _warmup(self, strategy: Strategy) -> int:
        """Return how many candles before the window are seen.

        What is asked for is rounded up to a power of two: so strategies that ask for nearly the same share.
        """
        wanted = max(strategy.warmup_candles, self._needed_warmup)
        return min(_power_of_two(wanted), self._start)

    def _simulated(self, strategy: Strategy) -> tuple[Simulation, NDArray[np.float64]]:
        before = self._warmup(strategy)
        needed, seen = 1 + strategy.lookback_candles, before + len(self._traded)
        if seen < needed:
            raise Refused(
                f"its indicators need {needed} candles, and there are {seen} in the window and before it"
            )
        evaluation = self._evaluations.get(before)
        if evaluation is None:
            evaluation = Evaluation(self._candles[self._start - before : self._end])
            self._evaluations[before] = evaluation
        # Prices of 1e300 overflow: what becomes of that is looked at in `measure`.
        with np.errstate(all="ignore"):
            signals = strategy.signals(evaluation)
            simulation = simulate(
                self._traded,
                Signals(signals.buy[before:], signals.sell[before:]),
                self._terms,
                **self._needed_columns(evaluation, before),
            )
            figures = measure(self._traded, simulation, self._execution.initial_capital, self._interval)
        return simulation, figures

    def _needed_columns(self, evaluation: Evaluation, before: int) -> dict[str, PriceColumn]:
        columns = {}
        if atr := self._needed.get("atr"):
            columns["atr"] = evaluation.series(atr)[before:]
        if deviation := self._needed.get("deviation"):
            assert self._execution.volatility_target
            period = self._execution.volatility_target.period
            # Of a sample (ddof 1), as the metrics have it, and per year.
            factor = np.sqrt(period / (period - 1) * _YEAR_S / self._interval.seconds)
            found = evaluation.series(deviation)[before:]
            columns["volatility"] = np.where(found < _ROUNDING, 0.0, found * factor)
        return columns


def _power_of_two(wanted: int) -> int:
    """Return the smallest power of two that is not below `wanted`, 0 for 0."""
    return 1 << (wanted - 1).bit_length() if wanted else 0


def metrics_of(figures: NDArray[np.float64]) -> Metrics:
    """Return figures as TradedWindow.metrics gives them by their names, None where undefined."""
    return Metrics(*[None if math.isnan(figure) else figure for figure in figures.tolist()])


def _where_they_are(candles: Candles) -> str:
    if not len(candles):
        return ""
    first_s, last_s = candles.open_time_s[[0, -1]].tolist()
    return f": the first one opens at {utc(first_s)}, the last at {utc(last_s)}"
