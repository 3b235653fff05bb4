"""Values in the cache: packed, and kept for a day."""

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from google.protobuf.message import DecodeError
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from backcast.compute.v1.computed_result_pb2 import ComputedResult
from services.gateway.cache.connection import CacheServer
from services.telemetry.tracing import span
from services.wire.results import PACKED_METRICS_BYTES

TTL_S = 24 * 3600
# Values that were cached together do not all expire at the same moment.
_JITTER = 0.1

# The first byte of a stored value: whether it is compressed.
_PLAIN, _PACKED = b"\0", b"\1"
# Metrics alone are shorter: compressing them saves little, and takes longer than reading them.
_PACKED_FROM = 1_024
_LEAST_SAVING = 0.1
# Higher levels hardly save more of figures that are mostly noise.
_LEVEL = 1
# More bytes would keep the event loop busy: they are compressed and decompressed in a thread.
_AT_ONCE = 2**20


class ResultCache:
    """Serialized values by key, kept for about a day. Its errors are CacheUnavailable."""

    def __init__(self, server: CacheServer) -> None:
        self._server = server

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values of all keys in one round trip, None where there is none."""
        with span("cache read", keys=len(keys)), self._server.answering() as redis:
            kept = cast("list[bytes | None]", await redis.mget(keys))
        if sum(len(value) for value in kept if value is not None) >= _AT_ONCE:
            return await asyncio.to_thread(_all_unpacked, kept)
        return _all_unpacked(kept)

    async def results(self, keys: Sequence[str]) -> dict[str, ComputedResult]:
        """Return the cached results of backtests by their keys, in one round trip."""
        results = {}
        for key, value in zip(keys, await self.get(keys) if keys else [], strict=True):
            if value is not None and (result := _result(value)) is not None:
                results[key] = result
        return results

    async def put(self, values: Mapping[str, bytes]) -> None:
        """Keep the values for about a day, in one round trip."""
        if sum(map(len, values.values())) >= _AT_ONCE:
            kept = await asyncio.to_thread(_all_packed, values.values())
        else:
            kept = _all_packed(values.values())
        with self._server.answering() as redis:
            async with redis.pipeline(transaction=False) as pipeline:
                for key, value in zip(values, kept, strict=True):
                    ttl_s = TTL_S * random.uniform(1 - _JITTER, 1 + _JITTER)
                    pipeline.set(key, value, px=int(ttl_s * 1000))
                await pipeline.execute()


def _result(value: bytes) -> ComputedResult | None:
    """Return the result that was serialized as `value`, None where it is damaged."""
    try:
        result = ComputedResult.FromString(value)
    except DecodeError:
        return None
    return result if result.parts and len(result.metrics) == PACKED_METRICS_BYTES else None


def _all_packed(values: Iterable[bytes]) -> list[bytes]:
    return list(map(packed, values))


def _all_unpacked(kept: list[bytes | None]) -> list[bytes | None]:
    return [None if value is None else unpacked(value) for value in kept]


def packed(value: bytes) -> bytes:
    """Return a value as it is stored: compressed where that saves enough."""
    if len(value) >= _PACKED_FROM:
        short = ZstdCompressor(level=_LEVEL).compress(value)
        if len(short) < (1 - _LEAST_SAVING) * len(value):
            return _PACKED + short
    return _PLAIN + value


def unpacked(kept: bytes) -> bytes | None:
    """Return the value that is stored as `kept`, None where it is damaged."""
    if kept[:1] == _PLAIN:
        return kept[1:]
    try:
        return ZstdDecompressor().decompress(kept[1:]) if kept[:1] == _PACKED else None
    except ZstdError:
        return None
