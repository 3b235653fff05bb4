"""The best rows of a sweep's table, of however many come."""

from collections.abc import Sequence

from backcast.gateway.v1.sweep_pb2 import SweepRow
from services.domain.metric_order import SMALLEST_IS_BEST


class BestRows:
    """The best `size` rows by the median of `metric`, those without a rank last.

    As in a walk forward, these are the ones with a median of fewer than `min_trades` trades, and before them
    those that say little: whose metric is defined on fewer than half of the cryptos on which it is for any
    combination.
    """

    def __init__(self, metric: str, size: int, min_trades: int = 1) -> None:
        self._metric = metric
        self._min_trades = min_trades
        self._size = size
        # By their number of cryptos: which numbers are few is known in the end only.
        self._rows: dict[int, list[SweepRow]] = {}

    def add(self, rows: Sequence[SweepRow]) -> None:
        """Add rows; of a million, none but the best are kept."""
        touched = {row.crypto_count for row in rows}
        for row in rows:
            self._rows.setdefault(row.crypto_count, []).append(row)
        for count in touched:
            self._rows[count] = sorted(self._rows[count], key=self._place_among_equals)[: self._size]

    def best(self) -> list[SweepRow]:
        """Return the best rows, the best first."""
        rows = [row for rows in self._rows.values() for row in rows]
        return sorted(rows, key=self._place)[: self._size]

    def trades_too_little(self, row: SweepRow) -> bool:
        """Return whether a row comes last because its combination trades too little."""
        return row.median_trades < self._min_trades

    def says_little(self, row: SweepRow) -> bool:
        """Return whether a row comes after others because its metric is defined on too few cryptos."""
        return 2 * row.crypto_count < max(self._rows)

    def _place(self, row: SweepRow) -> tuple[bool, bool, bool, float, int]:
        trades_too_little, is_undefined, value, combination = self._place_among_equals(row)
        return trades_too_little, self.says_little(row), is_undefined, value, combination

    def _place_among_equals(self, row: SweepRow) -> tuple[bool, bool, float, int]:
        """Return the place among rows of as many cryptos."""
        median = row.train.median
        sign = 1 if self._metric in SMALLEST_IS_BEST else -1
        there = median.HasField(self._metric)  # type: ignore[arg-type]  # a field's name
        value = sign * getattr(median, self._metric)
        return self.trades_too_little(row), not there, value, row.combination
