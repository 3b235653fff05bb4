"""Results of backtests, as they are read from the cache."""

from collections.abc import Mapping

from google.protobuf.message import DecodeError

from backcast.backtest.v1.result_pb2 import BacktestResult
from services.gateway.cache.result_cache import ResultCache


class CachedResults:
    """Reads results. Its errors are CacheUnavailable."""

    def __init__(self, cache: ResultCache) -> None:
        self._cache = cache

    async def read(self, keys: Mapping[str, str]) -> dict[str, BacktestResult]:
        """Return those results that are there, in one round trip, of the keys that the values are."""
        if not keys:
            return {}
        results = {}
        for name, value in zip(keys, await self._cache.get(list(keys.values())), strict=True):
            if value is not None and (result := _result(value)) is not None:
                results[name] = result
        return results


def _result(value: bytes) -> BacktestResult | None:
    """Return the result that was kept as `value`, None where it is damaged."""
    try:
        result = BacktestResult.FromString(value)
    except DecodeError:
        return None
    result.from_cache = True
    return result
