"""The backtests of many strategies on a window of one crypto's candles, which share indicators."""

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles, PriceColumn
from backcast_engine.coverage import coverage
from backcast_engine.curves import equity_curve, monthly_returns
from backcast_engine.errors import ErrorReason, NotFound, Refused
from backcast_engine.execution import BreakRule, Execution, FillTime
from backcast_engine.history import History, HistoryTooShort
from backcast_engine.interval import Interval
from backcast_engine.metrics import holding_growth, measure
from backcast_engine.needs import longest_warmup, needed_series, rounded_warmup
from backcast_engine.other_candles import OtherHistories, power_of_two
from backcast_engine.parts import HistoryPart, parts_of, without_straddling
from backcast_engine.results import BacktestResult, Detail, Metrics, ResultPart, Window, WindowSeries
from backcast_engine.rules import Evaluation, Expression
from backcast_engine.rules.check import warmup
from backcast_engine.rules.compared import compared_series
from backcast_engine.simulation import NO_COLUMN, Simulation, joined, simulate
from backcast_engine.strategies import Signals, Strategy
from backcast_engine.terms import Terms, terms_of
from backcast_engine.times import utc
from backcast_engine.trades import trade_records

_YEAR_S = 365 * 86_400
# A standard deviation of returns below this is a rounding error of 0.
_ROUNDING = 1e-14


@dataclass(frozen=True, slots=True)
class WindowOrders:
    """What a strategy asks for at each of a window's n candles, and the measures of stops and sizes there.

    `atr` and `volatility` (per year) are float64 of shape (n,), or empty where the execution needs none.
    """

    signals: Signals
    atr: PriceColumn
    volatility: PriceColumn


class TradedWindow:
    """A crypto's candles in a window, and an execution: shared by the backtests of many strategies.

    Breaks cut the window into parts, each with indicators of its own. Raises NotFound where the window has no
    candle.
    """

    def __init__(self, history: History, interval: Interval, window: Window, execution: Execution) -> None:
        breaks = () if execution.break_rule is BreakRule.IGNORE else history.breaks
        candles = without_straddling(history.candles, breaks, interval) if breaks else history.candles
        start, end = candles.open_time_s.searchsorted((window.start_s, window.end_s)).tolist()
        if history.since_s > window.start_s or (start >= end and not history.is_whole):
            raise HistoryTooShort
        if start >= end:
            raise NotFound(
                f"there are no candles in the window{_where_they_are(candles)}",
                reason=ErrorReason.NO_CANDLES_IN_WINDOW,
            )
        self._history, self._candles, self._start = history, candles, start
        self._parts, self._breaks = parts_of(candles.open_time_s, breaks, interval, start, end)
        self._named_breaks = self._breaks
        if history.breaks and not breaks:
            # Ignored breaks are still named in the result.
            _, self._named_breaks = parts_of(candles.open_time_s, history.breaks, interval, start, end)
        # Compiled code needs contiguous columns; contiguous ones are not copied.
        time, *values = candles[start:end].columns()
        self._traded = Candles(np.ascontiguousarray(time), *map(np.ascontiguousarray, values))
        self._interval, self._window = interval, window
        self._others = OtherHistories(history, interval, execution.break_rule)
        self._execute(execution)
        # Strategies with the same warm-up see the same candles and share indicators.
        self._evaluations: dict[tuple[int, int], Evaluation] = {}

    def _execute(self, execution: Execution) -> None:
        self._execution = execution
        self._terms = terms_of(execution, self._interval.seconds)
        self._needed = needed_series(execution)
        self._needed_warmup = longest_warmup(self._needed)
        # Computed once for all strategies.
        self._holding: float | None = None

    def with_execution(self, execution: Execution) -> "TradedWindow":
        """Return the same window with another execution, whose backtests share the indicators of this one.

        The rule for breaks must be the same.
        """
        assert (execution.break_rule is BreakRule.IGNORE) == (
            self._execution.break_rule is BreakRule.IGNORE
        ), "the rule for breaks decides which candles are traded"
        other = copy(self)
        other._execute(execution)
        return other

    def metrics(self, strategy: Strategy) -> NDArray[np.float64]:
        """Return the figures of a backtest, float64 in the order of METRIC_NAMES, NaN where undefined.

        Raises Refused as `run_backtest` does.
        """
        return self._simulated(strategy)[1]

    def metrics_and_equity(
        self, strategy: Strategy, closes: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], PriceColumn]:
        """Like `metrics`; also return the equity at some of the window's candles, counted from 0."""
        simulation, figures = self._simulated(strategy)
        return figures, simulation.equity.take(closes)

    def candles_before(self, times_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the window's candles that open before each time."""
        return np.searchsorted(self._traded.open_time_s, times_s)

    def result(self, strategy: Strategy, detail: Detail, curve_points: int = 0) -> BacktestResult:
        """Return the same as `run_backtest`."""
        simulation, figures = self._simulated(strategy)
        open_time_s, capital = self._traded.open_time_s, self._execution.initial_capital
        wants_curve = detail >= Detail.EQUITY
        return BacktestResult(
            metrics=metrics_of(figures),
            coverage=coverage(open_time_s, self._history, self._window, self._interval),
            warmup_candles=self._warmup(strategy, self._parts[0]),
            trades=(
                trade_records(self._traded, simulation.trades, self._execution)
                if detail >= Detail.TRADES
                else ()
            ),
            equity_curve=(
                equity_curve(open_time_s, simulation.equity, capital, curve_points) if wants_curve else None
            ),
            monthly_returns=(monthly_returns(open_time_s, simulation.equity, capital) if wants_curve else ()),
            breaks=self._named_breaks,
            parts=(
                tuple(self._part_alone(strategy, part) for part in self._parts)
                if self._breaks and self._execution.break_rule is BreakRule.SPLIT
                else ()
            ),
        )

    def series(self, strategy: Strategy) -> WindowSeries:
        """Return the same as `backtest_series`."""
        self._check_length(strategy)
        compared = compared_series(strategy.rules())
        values = np.empty((len(compared), len(self._traded)))
        with np.errstate(all="ignore"):
            for part in self._parts:
                evaluation, before = self._evaluated(strategy, part)
                within = slice(part.start - self._start, part.end - self._start)
                for row, each in zip(values, compared, strict=True):
                    row[within] = evaluation.series(each.expression)[before:]
        return WindowSeries(self._traded.open_time_s, values)

    @property
    def candles(self) -> Candles:
        """The candles that are traded: those of the window, without any that straddle a break."""
        return self._traded

    @property
    def part_ends(self) -> list[int]:
        """The position behind the last candle of each part between breaks, counted in the window."""
        return [part.end - self._start for part in self._parts]

    def orders(self, strategy: Strategy) -> WindowOrders:
        """Return the signals and measures that `result` trades; a part that is too short has no signals.

        Raises HistoryTooShort as `run_backtest` does.
        """
        found = []
        with np.errstate(all="ignore"):
            for part in self._parts:
                evaluation, before = self._evaluated(strategy, part)
                signals = strategy.signals(evaluation)
                measures = self._needed_columns(evaluation, before)
                columns = (measures.get(name, NO_COLUMN) for name in ("atr", "volatility"))
                found.append((signals.buy[before:], signals.sell[before:], *columns))
        buy, sell, atr, volatility = map(_joined, zip(*found, strict=True))
        return WindowOrders(Signals(buy, sell), atr, volatility)

    def values(self, expression: Expression) -> PriceColumn:
        """Return a series at each of the window's candles, NaN where undefined, with a warm-up of its own.

        Raises HistoryTooShort as `run_backtest` does.
        """
        found = []
        with np.errstate(all="ignore"):
            for part in self._parts:
                before = self._candles_before(power_of_two(warmup(expression)), part)
                found.append(self._evaluation(part, before).series(expression)[before:])
        return _joined(found)

    def _warmup(self, strategy: Strategy, part: HistoryPart) -> int:
        """Return the number of warm-up candles before a part; see `rounded_warmup`."""
        return self._candles_before(rounded_warmup(strategy, self._needed_warmup), part)

    def _candles_before(self, wanted: int, part: HistoryPart) -> int:
        """Return how many of so many wanted candles before a part there are."""
        there = part.start - part.reach
        if there < wanted and not part.reach and not self._history.is_whole:
            raise HistoryTooShort
        return min(wanted, there)

    def _simulated(self, strategy: Strategy) -> tuple[Simulation, NDArray[np.float64]]:
        self._check_length(strategy)
        # Prices of 1e300 overflow; `measure` checks the outcome.
        with np.errstate(all="ignore"):
            if self._breaks:
                simulation = self._trade_parts(strategy)
            else:
                simulation = self._trade(strategy, self._parts[0], self._terms, breaks_off=False)
            if self._holding is None:
                self._holding = self._holding_growth(self._parts)
            capital = self._execution.initial_capital
            figures = measure(self._traded, simulation, capital, self._interval, self._holding)
        return simulation, figures

    def _trade_parts(self, strategy: Strategy) -> Simulation:
        """Trade one part after the other, each with the cash that the previous one left."""
        terms, simulations = self._terms, []
        for part in self._parts:
            breaks_off = part is not self._parts[-1]
            simulations.append(self._trade(strategy, part, terms, breaks_off=breaks_off))
            terms = terms._replace(capital=simulations[-1].cash)
        return joined(simulations)

    def _part_alone(self, strategy: Strategy, part: HistoryPart) -> ResultPart:
        """Return the result of a part as a separate backtest."""
        candles = self._traded_in(part)
        with np.errstate(all="ignore"):
            simulation = self._trade(strategy, part, self._terms, breaks_off=False)
            holding = self._holding_growth((part,))
            capital = self._execution.initial_capital
            figures = measure(candles, simulation, capital, self._interval, holding)
        first_s, last_s = candles.open_time_s[[0, -1]].tolist()
        return ResultPart(first_s, last_s, metrics_of(figures))

    def _check_length(self, strategy: Strategy) -> None:
        """Raise Refused if no part has the candles that the strategy's indicators need."""
        if strategy.on_other_candles:
            end_s = int(self._traded.open_time_s[-1]) + self._interval.seconds
            self._others.check_length(strategy.on_other_candles, end_s)
        needed = 1 + strategy.lookback_candles
        # A shortcut: usually the window has many more.
        if len(self._parts[0]) >= needed:
            return
        seen = max(self._warmup(strategy, part) + len(part) for part in self._parts)
        if seen < needed:
            where = "in the window and before it"
            if self._breaks or self._parts[0].reach:
                where += " without a break between them"
            raise Refused(
                f"its indicators need {needed} candles, and there are {seen} {where}",
                reason=ErrorReason.TOO_FEW_CANDLES,
                needed=str(needed),
                present=str(seen),
            )

    def _evaluated(self, strategy: Strategy, part: HistoryPart) -> tuple[Evaluation, int]:
        """Return the evaluation over a part and the candles of its warm-up, and how many these are."""
        before = self._warmup(strategy, part)
        return self._evaluation(part, before), before

    def _evaluation(self, part: HistoryPart, before: int) -> Evaluation:
        evaluation = self._evaluations.get((part.start, before))
        if evaluation is None:
            candles = self._candles[part.start - before : part.end]
            evaluation = Evaluation(candles, self._others.seen_at(candles.open_time_s))
            self._evaluations[part.start, before] = evaluation
        return evaluation

    def _trade(self, strategy: Strategy, part: HistoryPart, terms: Terms, *, breaks_off: bool) -> Simulation:
        evaluation, before = self._evaluated(strategy, part)
        signals = strategy.signals(evaluation)
        return simulate(
            self._traded_in(part),
            Signals(signals.buy[before:], signals.sell[before:]),
            terms,
            **self._needed_columns(evaluation, before),
            breaks_off=breaks_off,
        )

    def _traded_in(self, part: HistoryPart) -> Candles:
        if not self._breaks:
            return self._traded
        return self._traded[part.start - self._start : part.end - self._start]

    def _holding_growth(self, parts: Sequence[HistoryPart]) -> float:
        at_close = self._execution.fill_time is FillTime.SAME_CLOSE
        return holding_growth(map(self._traded_in, parts), at_close=at_close)

    def _needed_columns(self, evaluation: Evaluation, before: int) -> dict[str, PriceColumn]:
        columns = {}
        if atr := self._needed.get("atr"):
            columns["atr"] = evaluation.series(atr)[before:]
        if deviation := self._needed.get("deviation"):
            assert self._execution.volatility_target
            period = self._execution.volatility_target.period
            # The standard deviation of a sample (ddof 1), as in the metrics, per year.
            factor = np.sqrt(period / (period - 1) * _YEAR_S / self._interval.seconds)
            found = evaluation.series(deviation)[before:]
            columns["volatility"] = np.where(found < _ROUNDING, 0.0, found * factor)
        return columns


def metrics_of(figures: NDArray[np.float64]) -> Metrics:
    """Return the figures of TradedWindow.metrics by their names, None if undefined."""
    return Metrics(*[None if math.isnan(figure) else figure for figure in figures.tolist()])


def _where_they_are(candles: Candles) -> str:
    if not len(candles):
        return ""
    first_s, last_s = candles.open_time_s[[0, -1]].tolist()
    return f": the first one opens at {utc(first_s)}, the last at {utc(last_s)}"


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Join columns that follow each other; a single one is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
