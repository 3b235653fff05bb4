"""What is allocated in this process and not freed: exact, unlike the memory that the system counts."""

import ctypes
import gc

import pytest

_LIBRARY = ctypes.CDLL(None)

needs_allocated_bytes = pytest.mark.skipif(
    not hasattr(_LIBRARY, "mallinfo2"), reason="only the GNU C library says what is allocated"
)


class _Mallinfo2(ctypes.Structure):
    """The struct of the GNU C library."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def allocated_bytes() -> int:
    """Return how many bytes are allocated, those of gRPC too, but not those of Python's small objects."""
    gc.collect()
    _LIBRARY.mallinfo2.restype = _Mallinfo2
    now = _LIBRARY.mallinfo2()
    return int(now.uordblks + now.hblkhd)
