"""The other candles that rules look at: longer ones, made of the run's own, and those of other cryptos.

A candle of the run sees the one of them that closed last by its own close: the one before the interval that
this close is in. Where that one is missing, it sees none, and never an older one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backcast_engine.aggregation import aggregate
from backcast_engine.breaks import Break
from backcast_engine.candles import Candles, TimeColumn
from backcast_engine.errors import ErrorReason, NotFound, Refused
from backcast_engine.execution import BreakRule
from backcast_engine.history import History, HistoryTooShort
from backcast_engine.interval import Interval
from backcast_engine.parts import without_straddling
from backcast_engine.rules import Evaluation, On, OtherCandles
from backcast_engine.rules.check import lookback, warmup
from backcast_engine.rules.seen import SeenCandles, SeenPart
from backcast_engine.rules.text import place_text, text
from backcast_engine.rules.ticks import exact_sums
from backcast_engine.times import EARLIEST_S


class OtherHistories:
    """What the rules of a run see beside its own candles.

    Breaks cut other candles into parts too, unless the run ignores breaks.
    """

    def __init__(self, history: History, interval: Interval, break_rule: BreakRule) -> None:
        """`interval` is that of the run."""
        self._history, self._interval = history, interval
        self._ignores_breaks = break_rule is BreakRule.IGNORE
        self._series: dict[OtherCandles, _Series] = {}
        # Of the other candles at some positions: strategies with the same warm-up share indicators.
        self._evaluations: dict[tuple[OtherCandles, int, int], Evaluation] = {}

    def check_length(self, parts: Sequence[On], until_s: int) -> None:
        """Raise Refused where a part of the rules has too few candles by `until_s` to have any value.

        Raises HistoryTooShort where there may be earlier ones.
        """
        for node in parts:
            needed, series = 1 + lookback(node.part), self._of(node.candles)
            end = series.position(until_s - series.interval.seconds + 1)
            edges = [*(start for start in series.starts if start < end), end]
            present = max(after - before for before, after in pairwise([0, *edges]))
            if present < needed:
                if not series.is_whole:
                    raise HistoryTooShort
                raise _too_few(node, needed, present)

    def seen_at(self, open_time_s: TimeColumn) -> Callable[[On], SeenCandles]:
        """Return a function that returns what a part sees at the run's candles with these opening times.

        There is at least one candle, and no break between the candles. The function raises
        HistoryTooShort where candles earlier than those of a history would count.
        """
        spans: dict[OtherCandles, _Span] = {}
        seen: dict[On, SeenCandles] = {}

        # Not functools.cache: to wrap a function takes longer than all other preparations of a backtest.
        def seen_by(node: On) -> SeenCandles:
            if node not in seen:
                if node.candles not in spans:
                    spans[node.candles] = self._span(open_time_s, node.candles)
                seen[node] = self._seen(node, spans[node.candles])
            return seen[node]

        return seen_by

    def _span(self, open_time_s: TimeColumn, candles: OtherCandles) -> "_Span":
        series = self._of(candles)
        openings_s = series.interval.openings(open_time_s + self._interval.seconds) - series.interval.seconds
        if openings_s[0] < series.since_s:
            raise HistoryTooShort
        first, end = series.position(int(openings_s[0])), series.position(int(openings_s[-1]) + 1)
        if not candles.symbol:
            # Before the break that the run's own candles come after, prices were not those of the same thing.
            first = max(first, series.start_after(series.break_before(int(open_time_s[0]), self._interval)))
        return _Span(first, end, _positions_of(openings_s, series.candles.open_time_s[first:end]))

    def _seen(self, node: On, span: "_Span") -> SeenCandles:
        series, wanted, first, end = self._of(node.candles), warmup_of(node), span.first, span.end
        reach = max((start for start in series.starts if start <= first), default=0)
        if first - reach < wanted and not reach and not series.is_whole:
            raise HistoryTooShort
        parts = []
        for start, stop in pairwise([first, *(start for start in series.starts if first < start < end), end]):
            before = min(wanted, first - reach) if start == first else 0
            if start < stop:
                parts.append(SeenPart(self._evaluation(node.candles, start - before, stop), before))
        return SeenCandles(parts, span.positions)

    def _evaluation(self, candles: OtherCandles, start: int, stop: int) -> Evaluation:
        key = candles, start, stop
        if key not in self._evaluations:
            self._evaluations[key] = Evaluation(self._of(candles).candles[start:stop])
        return self._evaluations[key]

    def _of(self, candles: OtherCandles) -> "_Series":
        if candles not in self._series:
            self._series[candles] = self._made(candles)
        return self._series[candles]

    def _made(self, candles: OtherCandles) -> "_Series":
        history = self._history
        if candles.symbol:
            if candles.symbol not in history.others:
                raise NotFound(
                    f"there are no candles of {candles.symbol}, which the rules look at",
                    reason=ErrorReason.NO_CANDLES,
                )
            history = history.others[candles.symbol]
        breaks = () if self._ignores_breaks else history.breaks
        found, interval = without_straddling(history.candles, breaks, self._interval), self._interval
        if candles.interval:
            interval = candles.interval
            found, _ = aggregate(found, interval, exact_sums)
            found = without_straddling(found, breaks, interval)
        if not history.is_whole:
            # The first one may be made of fewer candles than there are.
            found = found[int(np.searchsorted(found.open_time_s, history.since_s)) :]
        return _Series(found, interval, breaks, history.since_s)


class _Span(NamedTuple):
    """The other candles that the run's candles see: from `first` to before `end`.

    `positions` are those that each of them sees, counted from `first`, or -1.
    """

    first: int
    end: int
    positions: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Series:
    """Other candles of length `interval`, none of which straddles one of the breaks.

    Those that open before `since_s` (Unix seconds) are left out.
    """

    candles: Candles
    interval: Interval
    breaks: tuple[Break, ...]
    since_s: int

    @property
    def is_whole(self) -> bool:
        """Whether no candle is left out."""
        return self.since_s <= EARLIEST_S

    @property
    def starts(self) -> list[int]:
        """The positions of the first candles after each break."""
        return [self.start_after(each) for each in self.breaks]

    def start_after(self, each: Break | None) -> int:
        """Return the position of the first candle after a break, 0 for none."""
        return 0 if each is None else self.position(each.after_s - self.interval.seconds + 1)

    def break_before(self, opening_s: int, interval: Interval) -> Break | None:
        """Return the last break before a candle of another length, which straddles none; None if none is."""
        before = [each for each in self.breaks if each.after_s - interval.seconds < opening_s]
        return before[-1] if before else None

    def position(self, opening_s: int) -> int:
        """Return the position of the first candle that opens at a time (Unix seconds) or later."""
        return int(np.searchsorted(self.candles.open_time_s, opening_s))


def warmup_of(node: On) -> int:
    """Return how many candles of its own a part on other candles sees before the first one it is needed at.

    It is rounded up to a power of two, as that of a run is.
    """
    return power_of_two(warmup(node.part))


def power_of_two(wanted: int) -> int:
    """Return the smallest power of two that is not below `wanted`, 0 for 0."""
    return 1 << (wanted - 1).bit_length() if wanted else 0


def _positions_of(openings_s: TimeColumn, times_s: TimeColumn) -> NDArray[np.int64]:
    """Return the position of each opening among ascending times, -1 where it is none of them."""
    if not len(times_s):
        return np.full(len(openings_s), -1)
    positions = np.minimum(np.searchsorted(times_s, openings_s), len(times_s) - 1)
    return np.where(times_s[positions] == openings_s, positions, -1)


def _too_few(node: On, needed: int, present: int) -> Refused:
    candles = "candle" if needed == 1 else "candles"
    *symbol, last = place_text(node.candles).split("@")[1:]
    whose = f"{last} of {symbol[0]}" if symbol else last
    return Refused(
        f"{text(node)} needs {needed} {candles} of {whose}, and there are {present} until the end of the "
        "window without a break between them",
        reason=ErrorReason.TOO_FEW_CANDLES,
        needed=str(needed),
        present=str(present),
    )
