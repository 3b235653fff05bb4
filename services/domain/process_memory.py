"""How this process deals with its memory: what it keeps, and where it looks for garbage."""

import ctypes
import gc
from contextlib import suppress

# Parameters of mallopt(3) in the GNU C library.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_freed_memory(most_bytes: int) -> None:
    """Have this process keep the memory that it frees, up to `most_bytes`, for its next columns.

    Columns are allocated and freed again and again. Returned to the system and allocated again, they come
    page by page, and that takes nearly as long as what is done with them. Without the GNU C library this does
    nothing.
    """
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, most_bytes)
        library.mallopt(_MMAP_THRESHOLD, most_bytes)


def freeze_objects() -> None:
    """Leave the objects that exist by now out of every search for garbage.

    The modules of a service stay until it ends, and each search among their objects would take 60 ms.
    """
    gc.collect()
    gc.freeze()
