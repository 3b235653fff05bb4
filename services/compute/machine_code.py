"""Where Numba finds the engine's machine code in a container."""

from numba.core.caching import UserProvidedCacheLocator


class GivenCacheLocator(UserProvidedCacheLocator):
    """Finds it in NUMBA_CACHE_DIR, which may be read-only as long as all of it is there.

    Numba's own locators pass over a folder that cannot be written, and without any it compiles nothing at
    all. The environment names this one in NUMBA_CACHE_LOCATOR_CLASSES.
    """

    def ensure_cache_path(self) -> None:
        """Take the folder as it is."""
