"""Writes new results to the cache, several in a round trip, while a run goes on."""

import time
from collections.abc import Callable, Collection

from services.gateway.cache.result_cache import ResultCache

# A round trip for each value would slow the stream down; others may wait for what is not written yet, and of
# curves, which are long, no more is held than is written soon.
_BATCH = 32
_BATCH_S = 0.1
_BATCH_BYTES = 2**20


class ResultWriter:
    """Keeps what a run or a sweep computes.

    Its errors are CacheUnavailable; what was not written then is given up.
    """

    def __init__(
        self, cache: ResultCache, written: Callable[[Collection[str]], None] = lambda _: None
    ) -> None:
        """`written` is called with the keys of results that are in the cache now."""
        self._cache = cache
        self._written = written
        self._unwritten: dict[str, bytes] = {}
        self._unwritten_bytes = 0
        self._written_at = time.monotonic()

    async def add(self, key: str, value: bytes) -> None:
        """Write a value soon."""
        self._unwritten[key] = value
        self._unwritten_bytes += len(value)
        if (
            len(self._unwritten) >= _BATCH
            or self._unwritten_bytes >= _BATCH_BYTES
            or time.monotonic() - self._written_at > _BATCH_S
        ):
            await self.flush()

    async def flush(self) -> None:
        """Write what is left now."""
        unwritten, self._unwritten, self._unwritten_bytes = self._unwritten, {}, 0
        self._written_at = time.monotonic()
        if unwritten:
            await self._cache.put(unwritten)
            self._written(unwritten)
