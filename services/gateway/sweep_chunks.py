"""The chunks of a sweep: those that are cached first, the others as compute completes them."""

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
import structlog
from google.rpc.status_pb2 import Status
from numpy.typing import NDArray

from backcast.compute.v1.compute_service_pb2 import SweepChunkFailure
from backcast.compute.v1.sweep_chunk_pb2 import SweepChunk
from backcast.gateway.v1 import run_events_pb2
from services.compute.engine import METRIC_NAMES
from services.gateway.compute_client import ComputeClient
from services.gateway.plan import CacheMode
from services.gateway.result_cache import ResultCache
from services.gateway.sweep_cache import ChunkKeys, packed, unpacked
from services.gateway.sweep_plan import SweepPlan
from services.shared.errors import Unavailable

_log = structlog.get_logger()

# A chunk is some 30 kB: so many in one round trip are 2 MB to read, and little is lost of a sweep that is
# cancelled before it wrote them.
_READ_BATCH = 64
_WRITE_BATCH = 16


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk that is done: the crypto's index, the number of the first combination and how many there are.

    `figures` are float64 of shape (combinations, windows, metrics), NaN where a backtest failed; `failed` is
    how many did, and `first_failure` why the first did, None where none did.
    """

    crypto: int
    first: int
    figures: NDArray[np.float64]
    failed: int
    first_failure: Status | None
    from_cache: bool

    @property
    def backtests(self) -> int:
        """How many backtests it has."""
        combinations, windows, _ = self.figures.shape
        return int(combinations * windows)


class SweepChunks:
    """The chunks of one plan."""

    def __init__(self, plan: SweepPlan, cache: ResultCache, compute: ComputeClient) -> None:
        self._plan = plan
        self._cache = cache
        self._compute = compute
        self._keys = ChunkKeys(plan)
        self._index = {crypto.symbol: index for index, crypto in enumerate(plan.cryptos)}
        bypassed = plan.run.cache_mode is CacheMode.BYPASS
        self.cache_state = (
            run_events_pb2.CACHE_STATE_BYPASSED if bypassed else run_events_pb2.CACHE_STATE_USED
        )
        self._missing: list[list[int]] = [[] for _ in plan.cryptos]
        self._unsaved: dict[str, bytes] = {}

    async def chunks(self) -> AsyncGenerator[Chunk]:
        """Yield every chunk once; closing the iterator cancels what is still being computed.

        What was computed until then is in the cache.
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
                kept = unpacked(value)
                # Where its first combination was in the sweep that kept it, it need not be in this one.
                if kept and len(kept.metrics) == 8 * math.prod(self._shape(first)):
                    yield self._chunk(kept, crypto, first, from_cache=True)
                else:
                    self._missing[crypto].append(number)
        if any(self._missing):
            try:
                async with aclosing(self._computed()) as computed:
                    async for chunk in computed:
                        yield chunk
            finally:
                await self._flush()

    async def _computed(self) -> AsyncGenerator[Chunk]:
        plan = self._plan
        wanted = [
            (crypto, chunks) for crypto, chunks in zip(plan.cryptos, self._missing, strict=True) if chunks
        ]
        async with aclosing(self._compute.sweep_outcomes(plan.sweep, plan.chunk_size, wanted)) as outcomes:
            async for outcome in outcomes:
                if outcome.HasField("failure"):
                    yield self._failed(outcome.failure)
                else:
                    await self._save(outcome.chunk)
                    crypto, first = self._index[outcome.chunk.symbol], outcome.chunk.first_combination
                    yield self._chunk(outcome.chunk, crypto, first, from_cache=False)

    def _shape(self, first: int) -> tuple[int, int, int]:
        """Return the shape of the figures of the chunk whose first combination has this number."""
        combinations = min(self._plan.chunk_size, len(self._plan.possible) - first)
        return combinations, len(self._plan.windows), len(METRIC_NAMES)

    def _chunk(self, message: SweepChunk, crypto: int, first: int, *, from_cache: bool) -> Chunk:
        return Chunk(
            crypto=crypto,
            first=first,
            figures=np.frombuffer(message.metrics, "<f8").reshape(self._shape(first)),
            failed=message.failed,
            first_failure=message.first_failure if message.HasField("first_failure") else None,
            from_cache=from_cache,
        )

    def _failed(self, failure: SweepChunkFailure) -> Chunk:
        """Return a chunk without figures."""
        shape = self._shape(failure.first_combination)
        return Chunk(
            crypto=self._index[failure.symbol],
            first=failure.first_combination,
            figures=np.full(shape, np.nan),
            failed=shape[0] * shape[1],
            first_failure=failure.status,
            from_cache=False,
        )

    async def _read(self, batch: list[tuple[int, int]]) -> list[bytes | None]:
        if self.cache_state != run_events_pb2.CACHE_STATE_USED:
            return [None] * len(batch)
        cryptos = self._plan.cryptos
        keys = [
            self._keys.key(chunk, cryptos[crypto].symbol, cryptos[crypto].fingerprint)
            for crypto, chunk in batch
        ]
        try:
            return await self._cache.get(keys)
        except Unavailable as error:
            self._lost_cache(error)
            return [None] * len(batch)

    async def _save(self, chunk: SweepChunk) -> None:
        """Keep a new chunk, under the key of the data that it was really computed from."""
        if self.cache_state != run_events_pb2.CACHE_STATE_USED:
            return
        number = chunk.first_combination // self._plan.chunk_size
        self._unsaved[self._keys.key(number, chunk.symbol, chunk.fingerprint)] = packed(chunk)
        if len(self._unsaved) >= _WRITE_BATCH:
            await self._flush()

    async def _flush(self) -> None:
        unsaved, self._unsaved = self._unsaved, {}
        if unsaved:
            try:
                await self._cache.put(unsaved)
            except Unavailable as error:
                self._lost_cache(error)

    def _lost_cache(self, error: Unavailable) -> None:
        """Go on without the cache, and say so in the summary."""
        _log.warning("sweeping without the cache", reason=str(error))
        self.cache_state = run_events_pb2.CACHE_STATE_UNAVAILABLE
