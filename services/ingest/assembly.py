"""Assembles a file's candles from its rows: applies the rules, resolves duplicates and conflicts, sorts.

Rows arrive in blocks and are merged as they arrive, so that memory is bounded by the number of candles that
one crypto can have, and not by the size of the file.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from backcast_engine.breaks import jumps
from backcast_engine.candle_rules import broken_values, off_grid, off_grid_reason
from backcast_engine.candles import VALUE_COLUMNS, Candles, TimeColumn
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.times import utc
from services.domain.aggregation import aggregate
from services.domain.conflict_rule import ConflictRule
from services.domain.ticks import scale_for
from services.ingest.candle_rows import CandleRows
from services.ingest.identity.close_time import length_by_close_times
from services.ingest.identity.file_symbol import FileName, symbol_of_content
from services.ingest.identity.lengths import (
    Evidence,
    agreed_length,
    length_by_distances,
    length_words,
    refuse_longer,
    refuse_mixed,
    refuse_off_grid,
)
from services.ingest.identity.two_markets import Contradictions, refuse_alternating
from services.ingest.quality.edges import with_exact_edges
from services.ingest.report import FileReading, Rejection

# Rejected rows that are described in the report.
MAX_REJECTIONS = 10_000
# Rows that are read before the length of the candles is decided. Held rows are also merged whenever there are
# this many, and twice as many as the time before.
_ROWS_TOGETHER = 100_000


class Assembly:
    """The candles of a file that is being read; `row_name` is the word for its rows: line or record.

    `name` is what the file's name says. `symbol` and `length_s` are given by the user and override the file;
    None if the file decides.
    """

    def __init__(
        self,
        interval: Interval,
        now_s: int,
        on_conflict: ConflictRule,
        row_name: str,
        name: FileName,
        symbol: str | None = None,
        length_s: int | None = None,
    ) -> None:
        self._interval = interval
        self._name = name
        self._symbol = symbol
        self._given_length_s = length_s
        self._now_s = now_s
        self._on_conflict = on_conflict
        self._row_name = row_name
        self._symbols: set[str] = set()
        self._length_s = length_s
        self._length_of_content_s: int | None = None
        self._lengths_of_rows: Counter[int] = Counter()
        self._held: list[tuple[Candles, NDArray[np.int64]]] = []
        self._held_rows = 0
        self._together_at = _ROWS_TOGETHER
        self._rejections: list[Rejection] = []
        self._rejected = self._off_grid = self._duplicates = self._conflicts = self._still_open = 0
        self._contradictions = Contradictions(row_name)

    def add(self, rows: CandleRows) -> None:
        """Add the next rows of the file."""
        if rows.symbol is not None:
            self._symbols.add(rows.symbol)
            if len(self._symbols) > 1:
                symbol_of_content(sorted(self._symbols))
        if self._length_of_content_s is None:
            self._length_of_content_s = rows.length_s
        self._still_open += rows.still_open
        for rejection in rows.misshapen:
            self._reject(rejection.line, rejection.reason)
        candles = with_exact_edges(rows.candles)
        good = np.ones(len(candles), np.bool_)
        for position, reason in rows.reasons.items():
            good[position] = False
            self._reject(int(rows.lines[position]), reason)
        for reason, broken in broken_values(candles):
            for position in np.flatnonzero(broken & good).tolist():
                self._reject(int(rows.lines[position]), reason, candles, position)
            good &= ~broken
        if rows.lengths_s is not None:
            lengths, counts = np.unique(rows.lengths_s[good], return_counts=True)
            self._lengths_of_rows.update(dict(zip(lengths.tolist(), counts.tolist(), strict=True)))
        if good.all():
            self._hold(candles, rows.lines)
        else:
            self._hold(candles.at(good), rows.lines[good])

    def reading(self, file_format: str) -> FileReading:
        """Return the outcome, after all rows were added.

        Raises InvalidInput, of the field `file`, if there are no rows, if the sources of the crypto or of the
        length of the candles disagree, if the rows are of two markets and the conflict rule is GUARDED, or if
        the candles are longer than the interval or make no complete candle of it.
        """
        candles, lines = self._brought_together()
        if not len(candles) and not self._rejected and not self._still_open:
            raise InvalidInput.of("file", "it holds no candles")
        if self._given_length_s is None:
            length_by_close_times(self._lengths_of_rows)  # for all rows now: raises if the lengths differ
        length_s = self._length_s or self._interval.seconds
        if self._given_length_s is None and length_s == self._interval.seconds:
            with self._rejections_mentioned():
                refuse_mixed(candles.open_time_s, self._interval)
        if self._on_conflict is ConflictRule.GUARDED:
            self._contradictions.check(len(candles))
            refuse_alternating(candles)
        refuse_off_grid(self._off_grid, len(candles), self._interval)
        closed, begun = np.searchsorted(
            candles.open_time_s, (self._now_s - length_s, self._now_s), side="right"
        ).tolist()
        for position in range(begun, len(candles)):
            reason = f"the time {utc(int(candles.open_time_s[position]))} is in the future"
            self._reject(int(lines[position]), reason, candles, position)
        with self._rejections_mentioned():
            candles, incomplete, with_jump = self._complete(candles[:closed], length_s)
        return FileReading(
            format=file_format,
            row_name=self._row_name,
            symbol=self._agreed_symbol(),
            candles=candles,
            rejections=tuple(sorted(self._rejections, key=lambda rejection: rejection.line)),
            rejected=self._rejected,
            duplicates=self._duplicates,
            conflicts=self._conflicts,
            still_open=self._still_open + begun - closed,
            incomplete=incomplete,
            with_jump=with_jump,
            length_s=length_s,
            no_symbol=self._name.reason,
        )

    def _agreed_symbol(self) -> str | None:
        """Return the symbol from content and name; raise InvalidInput if they disagree."""
        if self._symbol is not None:
            return self._symbol
        symbol = symbol_of_content(self._symbols, self._name.symbol)
        if symbol and self._name.symbol and symbol != self._name.symbol:
            raise InvalidInput.of(
                "file",
                f"its rows name {symbol}, and the file is named for {self._name.symbol}: give --symbol",
            )
        return symbol or self._name.symbol

    def _agreed_length(self, open_time_s: TimeColumn) -> int:
        """Return the length of the candles that open at these times, on which all evidence must agree."""
        evidence = length_by_close_times(self._lengths_of_rows)
        if self._length_of_content_s:
            evidence.append(Evidence("its content", self._length_of_content_s))
        evidence += self._name.lengths
        if distance_s := length_by_distances(open_time_s, self._interval):
            evidence.append(Evidence("the distances between its times", distance_s))
        on_grid = len(open_time_s) - int(off_grid(open_time_s, self._interval).sum())
        if not evidence:
            refuse_off_grid(len(open_time_s) - on_grid, on_grid, self._interval)
            if not on_grid:
                return self._interval.seconds  # all rows will be rejected anyway
        length_s = agreed_length(evidence, on_grid)
        refuse_longer(length_s, self._interval)
        return length_s

    def _complete(self, candles: Candles, length_s: int) -> tuple[Candles, int, int]:
        """Return the candles of the interval, and the numbers of incomplete ones and of those with a jump.

        Both are left out. A candle within which the price jumps would hide a break; without it, the break
        lies between its neighbours.
        """
        if length_s == self._interval.seconds or not len(candles):
            return candles, 0, 0
        longer, counts = aggregate(candles, self._interval, scale_for(candles.volume))
        is_complete = counts == self._interval.seconds // length_s
        if not is_complete.any():
            short = f"its {len(candles):,} candles are {length_words(length_s)} long"
            raise InvalidInput.of("file", f"{short}: too few for a whole candle of {self._interval.value}")
        before = jumps(candles)
        if not len(before):
            return longer.at(is_complete), int((~is_complete).sum()), 0
        openings, behind = (self._interval.openings(candles.open_time_s[at]) for at in (before, before + 1))
        has_jump = is_complete & np.isin(longer.open_time_s, openings[openings == behind])
        return longer.at(is_complete & ~has_jump), int((~is_complete).sum()), int(has_jump.sum())

    def _hold(self, candles: Candles, lines: NDArray[np.int64]) -> None:
        self._held.append((candles, lines))
        self._held_rows += len(lines)
        if self._held_rows >= self._together_at:
            candles, lines = self._brought_together()
            self._together_at = max(_ROWS_TOGETHER, 2 * len(lines))

    def _brought_together(self) -> tuple[Candles, NDArray[np.int64]]:
        """Merge the held rows: one row for each time, in ascending order, on the grid."""
        candles = Candles.concatenate([candles for candles, _ in self._held])
        all_lines = [lines for _, lines in self._held] or [np.empty(0, np.int64)]
        lines = np.concatenate(all_lines) if len(all_lines) > 1 else all_lines[0]
        self._held.clear()
        # Each copy takes as much memory as all candles, so it is avoided: most files need none.
        if (np.diff(candles.open_time_s) < 0).any():
            order = np.argsort(candles.open_time_s, kind="stable")
            candles, lines = candles.at(order), lines[order]
        if self._length_s is None and len(candles):
            with self._rejections_mentioned():
                self._length_s = self._agreed_length(candles.open_time_s)
        is_off, reason = self._off_grid_rows(candles)
        if is_off.any():
            for position in np.flatnonzero(is_off).tolist():
                self._reject(int(lines[position]), reason, candles, position)
            self._off_grid += int(is_off.sum())
            candles, lines = candles.at(~is_off), lines[~is_off]

        taken, duplicates, conflicts = _settled(candles, self._on_conflict)
        self._duplicates += duplicates
        self._conflicts += len(conflicts)
        if self._on_conflict is ConflictRule.GUARDED:
            self._contradictions.add(candles, lines, conflicts)
        for position, other in conflicts:
            time, line, other_line = utc(int(candles.open_time_s[position])), lines[position], lines[other]
            if self._on_conflict is ConflictRule.FAIL:
                rows = f"{self._row_name}s {line} and {other_line}"
                raise InvalidInput.of("file", f"{rows} have different values for {time}")
            reason = f"{self._row_name} {other_line} has other values for {time} and was taken"
            self._reject(int(line), reason, candles, position)
        if len(taken) < len(lines):
            candles, lines = candles.at(taken), lines[taken]
        self._held, self._held_rows = [(candles, lines)], len(lines)
        return candles, lines

    @contextmanager
    def _rejections_mentioned(self) -> Iterator[None]:
        """Add the number of rejected rows to an InvalidInput about the length: they may be its cause."""
        try:
            yield
        except InvalidInput as error:
            if not self._rejections:
                raise
            first = min(self._rejections, key=lambda rejection: rejection.line)
            rows = "1 row was" if self._rejected == 1 else f"{self._rejected:,} rows were"
            raise InvalidInput.of(
                "file",
                f"{error.violations[0].reason}; {rows} rejected, the first in {self._row_name} {first.line}: "
                f"{first.reason}",
            ) from None

    def _off_grid_rows(self, candles: Candles) -> tuple[NDArray[np.bool_], str]:
        """Return which candles are not on the grid of their length, and the reason for their rejection."""
        if self._length_s is not None and self._length_s < self._interval.seconds:
            reason = f"the time is not on the grid of candles {length_words(self._length_s)} long"
            return candles.open_time_s % self._length_s != 0, reason
        return off_grid(candles.open_time_s, self._interval), off_grid_reason(self._interval)

    def _reject(self, line: int, reason: str, candles: Candles | None = None, position: int = 0) -> None:
        """Record a rejected row, with its values if they could be parsed."""
        self._rejected += 1
        if len(self._rejections) < MAX_REJECTIONS:
            values = "" if candles is None else _values(candles, position)
            self._rejections.append(Rejection(line, reason, values))


def _settled(
    candles: Candles, on_conflict: ConflictRule
) -> tuple[NDArray[np.intp], int, list[tuple[int, int]]]:
    """Return the taken position for each time, the number of repeated rows, and the pairs (other, taken).

    Times ascend, and rows of the same time are in the file's order. The last of them is taken, because files
    are appended to, and a candle that was still open comes first; with ConflictRule.KEEP, the first is taken.
    """
    is_first = np.ones(len(candles), np.bool_)
    is_first[1:] = np.diff(candles.open_time_s) != 0
    firsts = np.flatnonzero(is_first)
    taken = firsts if on_conflict is ConflictRule.KEEP else np.append(firsts[1:], len(candles)) - 1
    if len(firsts) == len(candles):
        return firsts, 0, []
    taken_of_each = taken[np.cumsum(is_first) - 1]
    others = np.flatnonzero(taken_of_each != np.arange(len(candles)))
    is_equal = np.ones(len(others), np.bool_)
    for column in candles.columns():
        is_equal &= column[others] == column[taken_of_each[others]]
    different = others[~is_equal]
    pairs = list(zip(different.tolist(), taken_of_each[different].tolist(), strict=True))
    return taken, int(is_equal.sum()), pairs


def _values(candles: Candles, position: int) -> str:
    time_s, *values = (column[position].item() for column in candles.columns())
    named = (f"{name} {value!r}" for name, value in zip(VALUE_COLUMNS, values, strict=True))
    time = f"{np.datetime64(time_s, 's')}" if time_s % 60 else utc(time_s)
    return f"{time}, {', '.join(named)}"
