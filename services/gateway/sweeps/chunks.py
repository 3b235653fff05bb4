"""The chunks of a sweep: cached ones first, then the others as compute completes them."""

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from numpy.typing import NDArray

from backcast.compute.v1.compute_service_pb2 import SweepChunkFailure
from backcast.compute.v1.sweep_chunk_pb2 import SweepChunk
from backcast_engine import METRIC_NAMES
from services.gateway.cache.keys import ChunkKeys
from services.gateway.cache.run_cache import RunCache
from services.gateway.planning.run_plan import CacheMode
from services.gateway.planning.sweep_plan import SweepPlan
from services.gateway.upstream.compute import ComputeClient

# A chunk is some 30 kB: so many in one round trip are 2 MB to read.
_READ_BATCH = 64


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk that is done: the crypto's index, and the number of the first combination.

    `figures` are float64 of shape (combinations, windows, metrics), and `returns` those of the windows'
    stretches of time, float32 of shape (combinations, stretches): NaN where a backtest failed. `failed` is
    how many did, and `first_failure` the first failure, None where there is none.
    """

    crypto: int
    first: int
    figures: NDArray[np.float64]
    returns: NDArray[np.float32]
    failed: int
    first_failure: Status | None
    from_cache: bool

    @property
    def backtests(self) -> int:
        """How many backtests it has."""
        combinations, windows, _ = self.figures.shape
        return int(combinations * windows)


class SweepChunks:
    """The chunks of a sweep of one interval."""

    def __init__(self, plan: SweepPlan, cache: RunCache, compute: ComputeClient) -> None:
        self._plan = plan
        self._cache = cache
        self._compute = compute
        self._keys = ChunkKeys(plan)
        self._index = {crypto.symbol: index for index, crypto in enumerate(plan.cryptos)}
        self._stretches = sum(plan.blocks.per_window)
        self._missing: list[list[int]] = [[] for _ in plan.cryptos]

    async def chunks(self) -> AsyncGenerator[Chunk]:
        """Yield every chunk once; closing the iterator cancels what is being computed.

        Chunks that were computed until then are in the cache.
        """
        wanted = [
            (crypto, number)
            for crypto in range(len(self._plan.cryptos))
            for number in range(self._plan.chunk_count)
        ]
        for start in range(0, len(wanted), _READ_BATCH):
            batch = wanted[start : start + _READ_BATCH]
            for (crypto, number), value in zip(batch, await self._read(batch), strict=True):
                first = number * self._plan.chunk_size
                kept = _parsed(value)
                # Its first combination may have another number in the sweep that cached it.
                if kept and self._fits(kept, first):
                    yield self._chunk(kept, crypto, first, from_cache=True)
                else:
                    self._missing[crypto].append(number)
        if self._plan.run.cache_mode is CacheMode.ONLY:
            for chunk in self._absent():
                yield chunk
        elif any(self._missing):
            try:
                async with aclosing(self._computed()) as computed:
                    async for chunk in computed:
                        yield chunk
            finally:
                await self._cache.flush()

    async def _computed(self) -> AsyncGenerator[Chunk]:
        plan = self._plan
        wanted = [
            (crypto, chunks) for crypto, chunks in zip(plan.cryptos, self._missing, strict=True) if chunks
        ]
        positions = plan.possible.tolist() if plan.request.search else ()
        found = self._compute.sweep_outcomes(plan.sweep, plan.chunk_size, wanted, positions, plan.run.others)
        async with aclosing(found) as outcomes:
            async for outcome in outcomes:
                if outcome.HasField("failure"):
                    for chunk in self._failed(outcome.failure):
                        yield chunk
                else:
                    await self._save(outcome.chunk)
                    crypto, first = self._index[outcome.chunk.symbol], outcome.chunk.first_combination
                    yield self._chunk(outcome.chunk, crypto, first, from_cache=False)

    def _shape(self, first: int) -> tuple[int, int, int]:
        """Return the shape of the figures of the chunk whose first combination has this number."""
        combinations = min(self._plan.chunk_size, len(self._plan.possible) - first)
        return combinations, len(self._plan.windows), len(METRIC_NAMES)

    def _fits(self, kept: SweepChunk, first: int) -> bool:
        """Return whether a cached chunk has the size of the chunk whose first combination has this number."""
        combinations, _, _ = shape = self._shape(first)
        return (
            len(kept.metrics) == 8 * math.prod(shape)
            and len(kept.returns) == 4 * combinations * self._stretches
        )

    def _chunk(self, message: SweepChunk, crypto: int, first: int, *, from_cache: bool) -> Chunk:
        return Chunk(
            crypto=crypto,
            first=first,
            figures=np.frombuffer(message.metrics, "<f8").reshape(self._shape(first)),
            returns=np.frombuffer(message.returns, "<f4").reshape(self._shape(first)[0], self._stretches),
            failed=message.failed,
            first_failure=message.first_failure if message.HasField("first_failure") else None,
            from_cache=from_cache,
        )

    def _absent(self) -> list[Chunk]:
        """Return chunks without figures for all that are missing."""
        status = self._cache.absence("its figures are")
        return [
            chunk
            for crypto, missing in zip(self._plan.cryptos, self._missing, strict=True)
            if missing
            for chunk in self._failed(SweepChunkFailure(symbol=crypto.symbol, status=status))
        ]

    def _failed(self, failure: SweepChunkFailure) -> list[Chunk]:
        """Return chunks without figures for a failure: one chunk, or all missing chunks of a crypto."""
        crypto = self._index[failure.symbol]
        firsts = [failure.first_combination]
        if not failure.HasField("first_combination"):
            firsts = [chunk * self._plan.chunk_size for chunk in self._missing[crypto]]
        return [self._empty_chunk(crypto, first, failure.status) for first in firsts]

    def _empty_chunk(self, crypto: int, first: int, why: Status) -> Chunk:
        combinations, windows, _ = shape = self._shape(first)
        return Chunk(
            crypto=crypto,
            first=first,
            figures=np.full(shape, np.nan),
            returns=np.full((combinations, self._stretches), np.nan, np.float32),
            failed=combinations * windows,
            first_failure=why,
            from_cache=False,
        )

    async def _read(self, batch: list[tuple[int, int]]) -> list[bytes | None]:
        if not self._cache.is_read:
            return [None] * len(batch)
        cryptos = self._plan.cryptos
        keys = [
            self._keys.key(chunk, cryptos[crypto], cryptos[crypto].seen_fingerprint)
            for crypto, chunk in batch
        ]
        return await self._cache.get(keys)

    async def _save(self, chunk: SweepChunk) -> None:
        """Save a new chunk under the key of the version that it was computed from."""
        if not self._cache.is_used:
            return
        number = chunk.first_combination // self._plan.chunk_size
        crypto = self._plan.cryptos[self._index[chunk.symbol]]
        fingerprint = crypto.fingerprint_of_result(chunk.fingerprint)
        key = self._keys.key(number, crypto, fingerprint, chunk.other_fingerprints)
        await self._cache.put(key, chunk)


def _parsed(value: bytes | None) -> SweepChunk | None:
    """Return the chunk that was cached, None where there is none or it is damaged."""
    try:
        return None if value is None else SweepChunk.FromString(value)
    except DecodeError:
        return None
