"""How a worker's memory is kept between backtests."""

import ctypes
from contextlib import suppress

# Of mallopt(3), in the GNU C library.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# More than the columns of any backtest; what a worker had at its peak is what it keeps.
_BYTES = 1 << 30


def keep_freed_memory() -> None:
    """Have this process keep the memory that it frees, instead of giving it back to the system.

    Every backtest needs a few columns and frees them. Given back and asked for again, they come page by page,
    and that takes nearly as long as the backtest. Without the GNU C library this does nothing.
    """
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, _BYTES)
        library.mallopt(_MMAP_THRESHOLD, _BYTES)
