"""Writes new values to the cache while a run goes on, several in a round trip."""

import time
from collections.abc import Callable, Collection

from services.gateway.cache.result_cache import ResultCache

# A round trip for each value would slow the stream down. Other runs may wait for values that are not written
# yet, and curves are long: so few values are held, and for a short time.
_BATCH = 32
_BATCH_S = 0.1
_BATCH_BYTES = 2**20


class ResultWriter:
    """Writes the values that one run or sweep computes.

    Its errors are CacheUnavailable; the values that were to be written are dropped then.
    """

    def __init__(
        self, cache: ResultCache, written: Callable[[Collection[str]], None] = lambda _: None
    ) -> None:
        """`written` is called with the keys of values when they are in the cache."""
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
        """Write the values that are not written yet."""
        unwritten, self._unwritten, self._unwritten_bytes = self._unwritten, {}, 0
        self._written_at = time.monotonic()
        if unwritten:
            await self._cache.put(unwritten)
            self._written(unwritten)
