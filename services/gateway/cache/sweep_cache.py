"""Chunks of sweeps in the cache: their keys, and how they are read."""

import hashlib
import json
from dataclasses import asdict

from google.protobuf.message import DecodeError

from backcast.compute.v1.sweep_chunk_pb2 import SweepChunk
from services.engine import ENGINE_VERSION
from services.gateway.cache.key import parts_of_execution
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.sweep_plan import SweepPlan

_PREFIX = f"backcast:sweep:v{ENGINE_VERSION}:"


class ChunkKeys:
    """Keys of the chunks of one plan: hashes over everything that their figures depend on.

    Of the ranges that is the chunk's own combinations, so that another sweep which has the same ones in a
    chunk finds them.
    """

    def __init__(self, plan: SweepPlan) -> None:
        self._plan = plan
        sweep = plan.sweep
        base = asdict(sweep.grid.base)
        for name in sweep.grid.names:
            del base[name]
        self._common = _digest(
            {
                "engine": ENGINE_VERSION,
                "strategy": [sweep.grid.base.name, base],
                "ranges": sweep.grid.names,
                "interval": sweep.interval.value,
                "windows": [asdict(window) for window in sweep.windows],
                "stretches": sweep.stretches,
                "execution": parts_of_execution(sweep.execution),
            }
        )
        self._by_chunk: dict[int, str] = {}

    def key(self, chunk: int, crypto: CryptoData, fingerprint: str) -> str:
        """Return the key of a chunk on one crypto, on data whose part that is seen has `fingerprint`."""
        over_until_s = self._plan.run.backtest.over_until_s(crypto)
        parts = [self._common, self._combinations(chunk), crypto.symbol, fingerprint, over_until_s]
        return _PREFIX + _digest(parts)

    def _combinations(self, chunk: int) -> str:
        if chunk not in self._by_chunk:
            size, grid = self._plan.chunk_size, self._plan.request.grid
            positions = self._plan.possible[chunk * size : (chunk + 1) * size]
            self._by_chunk[chunk] = _digest([grid.combination(position) for position in positions.tolist()])
        return self._by_chunk[chunk]


def _digest(parts: object) -> str:
    # JSON writes a float so that it reads back as the same float, and sorted keys in one way only.
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def chunk_of(value: bytes | None) -> SweepChunk | None:
    """Return the chunk that was kept, None where there is none."""
    try:
        return None if value is None else SweepChunk.FromString(value)
    except DecodeError:
        return None
