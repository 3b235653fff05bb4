"""Results in the cache."""

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from services.gateway.cache.connection import CacheServer
from services.telemetry.tracing import span

TTL_S = 24 * 3600
# What was cached together does not have to be computed anew at one moment.
_JITTER = 0.1

# The first byte of what is kept tells how.
_PLAIN, _PACKED = b"\0", b"\1"
# Metrics alone are shorter: packing them saves little, and takes longer than reading them.
_PACKED_FROM = 1_024
_LEAST_SAVING = 0.1
# Higher ones save hardly more of figures that are mostly noise.
_LEVEL = 1
# More bytes would keep others waiting: they are packed and unpacked in a thread.
_AT_ONCE = 2**20


class ResultCache:
    """Serialized results by key, for a day. Its errors are CacheUnavailable."""

    def __init__(self, server: CacheServer) -> None:
        self._server = server

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values of all keys in one round trip, None where there is none."""
        with span("cache read", keys=len(keys)), self._server.answering() as redis:
            kept = cast("list[bytes | None]", await redis.mget(keys))
        if sum(len(value) for value in kept if value is not None) >= _AT_ONCE:
            return await asyncio.to_thread(_all_unpacked, kept)
        return _all_unpacked(kept)

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


def _all_packed(values: Iterable[bytes]) -> list[bytes]:
    return list(map(packed, values))


def _all_unpacked(kept: list[bytes | None]) -> list[bytes | None]:
    return [None if value is None else unpacked(value) for value in kept]


def packed(value: bytes) -> bytes:
    """Return what is kept of a value: compressed, where that pays."""
    if len(value) >= _PACKED_FROM:
        short = ZstdCompressor(level=_LEVEL).compress(value)
        if len(short) < (1 - _LEAST_SAVING) * len(value):
            return _PACKED + short
    return _PLAIN + value


def unpacked(kept: bytes) -> bytes | None:
    """Return the value of which `kept` was kept, None where it is damaged."""
    if kept[:1] == _PLAIN:
        return kept[1:]
    try:
        return ZstdDecompressor().decompress(kept[1:]) if kept[:1] == _PACKED else None
    except ZstdError:
        return None
