"""Candles as columns of NumPy arrays."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

TimeColumn = NDArray[np.int64]
PriceColumn = NDArray[np.float64]

# The columns of Candles besides the time, in their order.
VALUE_COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles of one crypto in strictly ascending order of time; all columns have the shape (n,).

    `open_time_s` is int64, the opening time in Unix seconds; the prices are float64 in the quote
    currency; `volume` is float64 in the base currency. Missing candles are absent. A column that was not
    requested is empty: its shape is (0,).
    """

    open_time_s: TimeColumn
    open: PriceColumn
    high: PriceColumn
    low: PriceColumn
    close: PriceColumn
    volume: PriceColumn

    def __len__(self) -> int:
        return len(self.open_time_s)

    def __getitem__(self, part: slice) -> Self:
        return type(self)(
            self.open_time_s[part],
            self.open[part],
            self.high[part],
            self.low[part],
            self.close[part],
            self.volume[part],
        )

    def columns(self) -> tuple[TimeColumn, PriceColumn, PriceColumn, PriceColumn, PriceColumn, PriceColumn]:
        """Return time, open, high, low, close and volume, in this order."""
        return self.open_time_s, self.open, self.high, self.low, self.close, self.volume

    def at(self, positions: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return the candles at ascending positions, or those where a bool column of shape (n,) is true."""
        open_time_s, *values = self.columns()
        return type(self)(open_time_s[positions], *(column[positions] for column in values))

    @classmethod
    def empty(cls) -> Self:
        """Return no candles."""
        return cls(np.empty(0, np.int64), *(np.empty(0) for _ in range(5)))

    @classmethod
    def concatenate(cls, parts: list[Self]) -> Self:
        """Join parts that follow each other in time; a single part is returned without copying it."""
        if not parts:
            return cls.empty()
        if len(parts) == 1:
            return parts[0]
        return cls(
            *(np.concatenate(columns) for columns in zip(*(part.columns() for part in parts), strict=True))
        )


def open_close_candles(open_time_s: TimeColumn, open_: PriceColumn, close: PriceColumn) -> Candles:
    """Return candles with only time, open and close filled."""
    none = np.empty(0)
    return Candles(open_time_s, open_, none, none, close, none)
