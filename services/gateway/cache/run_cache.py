"""The cache as one run uses it: if the cache fails, the run goes on without it."""

from collections.abc import Sequence

import structlog
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast.gateway.v1 import run_events_pb2 as pb
from backcast_engine.errors import ErrorReason, NotFound
from services.gateway.cache.connection import CacheUnavailable
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.result_writer import ResultWriter
from services.gateway.planning.run_plan import CacheMode
from services.rpc.status import status_of

_log = structlog.get_logger()


class RunCache:
    """Reads and writes values as a run's cache mode demands; without the cache, it keeps nothing."""

    def __init__(self, cache: ResultCache, mode: CacheMode) -> None:
        self._cache = cache
        self._writer = ResultWriter(cache)
        self._reads = mode in (CacheMode.DEFAULT, CacheMode.ONLY)
        self.state = pb.CACHE_STATE_BYPASSED if mode is CacheMode.BYPASS else pb.CACHE_STATE_USED
        """Whether the run uses the cache, for its summary."""

    @property
    def is_used(self) -> bool:
        """Whether values are written, and read unless the mode is REFRESH."""
        return self.state == pb.CACHE_STATE_USED

    @property
    def is_read(self) -> bool:
        """Whether values are read."""
        return self.is_used and self._reads

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values of all keys in one round trip, None where there is none."""
        if self.is_read:
            try:
                return await self._cache.get(keys)
            except CacheUnavailable as error:
                self.lose(error)
        return [None] * len(keys)

    async def results(self, keys: Sequence[str]) -> dict[str, ComputedResult]:
        """Return the results that are there by their keys, in one round trip."""
        if self.is_read:
            try:
                return await self._cache.results(keys)
            except CacheUnavailable as error:
                self.lose(error)
        return {}

    async def put(self, key: str, value: Message) -> None:
        """Write a value soon; `flush` writes it now."""
        if self.is_used:
            try:
                await self._writer.add(key, value.SerializeToString())
            except CacheUnavailable as error:
                self.lose(error)

    async def flush(self) -> None:
        """Write the values that are not written yet."""
        try:
            await self._writer.flush()
        except CacheUnavailable as error:
            self.lose(error)

    def lose(self, error: CacheUnavailable) -> None:
        """Go on without the cache."""
        if self.is_used:
            _log.warning("cache unavailable, run continues without it", reason=str(error))
        self.state = pb.CACHE_STATE_UNAVAILABLE

    def absence(self, of: str) -> Status:
        """Return the failure of a value that is not cached, for a run that computes nothing."""
        why = "not in the cache" if self.is_used else "not available: the cache does not answer"
        return status_of(NotFound(f"{of} {why}", reason=ErrorReason.NOT_CACHED))
