"""Where Numba finds the engine's machine code in a container."""

from pathlib import Path

from numba.core.caching import UserProvidedCacheLocator


class GivenCacheLocator(UserProvidedCacheLocator):
    """Finds it in NUMBA_CACHE_DIR, which may be read-only as long as all of it is there.

    Numba's own locators pass over a folder that cannot be written, and without any it compiles nothing at
    all. The environment names this one in NUMBA_CACHE_LOCATOR_CLASSES.
    """

    def ensure_cache_path(self) -> None:
        """Make the folder where it is missing."""
        folder: str = self.get_cache_path()  # type: ignore[no-untyped-call]  # Numba has no types
        Path(folder).mkdir(parents=True, exist_ok=True)
