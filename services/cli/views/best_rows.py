"""Keeps the best rows of a sweep's table, however many arrive."""

from collections.abc import Sequence

from backcast.gateway.v1.sweep_pb2 import SweepRow
from services.domain.metric_order import SMALLEST_IS_BEST


class BestRows:
    """The best `size` rows by the median of `metric`.

    As in a walk-forward, combinations whose median number of trades is below `min_trades` come last. Before
    them come the sparse ones: their metric is defined on fewer than half of the cryptos on which it is
    defined for any combination.
    """

    def __init__(self, metric: str, size: int, min_trades: int = 1) -> None:
        self._metric = metric
        self._min_trades = min_trades
        self._size = size
        # By number of cryptos: which numbers are too small is known only in the end.
        self._rows: dict[int, list[SweepRow]] = {}
        self.has_trades = False
        """Whether any combination traded on any crypto; with folds, in every fold."""
        self.count = 0
        """How many rows were added."""

    def add(self, rows: Sequence[SweepRow]) -> None:
        """Add rows; only the best are kept in memory."""
        self.has_trades |= any(row.cryptos_traded for row in rows)
        self.count += len(rows)
        touched = {row.crypto_count for row in rows}
        for row in rows:
            self._rows.setdefault(row.crypto_count, []).append(row)
        for count in touched:
            self._rows[count] = sorted(self._rows[count], key=self._place_among_equals)[: self._size]

    def best(self) -> list[SweepRow]:
        """Return the best rows, best first."""
        rows = [row for rows in self._rows.values() for row in rows]
        return sorted(rows, key=self._place)[: self._size]

    def trades_too_little(self, row: SweepRow) -> bool:
        """Return whether a row comes last because its combination trades too little."""
        return row.median_trades < self._min_trades

    def is_sparse(self, row: SweepRow) -> bool:
        """Return whether a row comes after others because its metric is defined on too few cryptos."""
        return 2 * row.crypto_count < max(self._rows)

    def _place(self, row: SweepRow) -> tuple[bool, bool, bool, float, int]:
        trades_too_little, is_undefined, value, combination = self._place_among_equals(row)
        return trades_too_little, self.is_sparse(row), is_undefined, value, combination

    def _place_among_equals(self, row: SweepRow) -> tuple[bool, bool, float, int]:
        """Return the sort key among rows with the same number of cryptos."""
        median = row.train.median
        sign = 1 if self._metric in SMALLEST_IS_BEST else -1
        there = median.HasField(self._metric)  # type: ignore[arg-type]  # a field's name
        value = sign * getattr(median, self._metric)
        return self.trades_too_little(row), not there, value, row.combination
