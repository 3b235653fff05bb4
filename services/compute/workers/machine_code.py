"""The folder of Numba's compiled code in a container.

Apart from the workers: Numba imports this module by its name, in every process that compiles.
"""

from pathlib import Path

from numba.core.caching import UserProvidedCacheLocator


class GivenCacheLocator(UserProvidedCacheLocator):
    """Locates compiled code in NUMBA_CACHE_DIR, which may be read-only if it is complete.

    Numba's own locators skip a folder that is not writable, and without a folder Numba refuses to cache. The
    environment names this locator in NUMBA_CACHE_LOCATOR_CLASSES.
    """

    def ensure_cache_path(self) -> None:
        """Create the folder where it is missing."""
        folder: str = self.get_cache_path()  # type: ignore[no-untyped-call]  # Numba has no types
        Path(folder).mkdir(parents=True, exist_ok=True)
