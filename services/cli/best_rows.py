"""The best rows of a sweep's table, of however many come."""

from collections.abc import Sequence

from backcast.gateway.v1.sweep_pb2 import SweepRow
from services.shared.metric_order import SMALLEST_IS_BEST


class BestRows:
    """The best `size` rows by the median of `metric`, those that say little last.

    As in a walk forward, these are the ones whose metric is defined on fewer than half of the cryptos on
    which it is for any combination.
    """

    def __init__(self, metric: str, size: int) -> None:
        self._metric = metric
        self._size = size
        # By their number of cryptos: which numbers are few is known in the end only.
        self._rows: dict[int, list[SweepRow]] = {}

    def add(self, rows: Sequence[SweepRow]) -> None:
        """Add rows; of a million, none but the best are kept."""
        touched = {row.cryptos for row in rows}
        for row in rows:
            self._rows.setdefault(row.cryptos, []).append(row)
        for count in touched:
            self._rows[count] = sorted(self._rows[count], key=self._place)[: self._size]

    def best(self) -> list[SweepRow]:
        """Return the best rows, the best first."""
        rows = [row for rows in self._rows.values() for row in rows]
        return sorted(rows, key=lambda row: (self.says_little(row), *self._place(row)))[: self._size]

    def says_little(self, row: SweepRow) -> bool:
        """Return whether a row comes last."""
        return 2 * row.cryptos < max(self._rows)

    def _place(self, row: SweepRow) -> tuple[bool, float, int]:
        median = row.train.median
        sign = 1 if self._metric in SMALLEST_IS_BEST else -1
        there = median.HasField(self._metric)  # type: ignore[arg-type]  # a field's name
        return not there, sign * getattr(median, self._metric), row.combination
