"""The cache, as runs use it."""

from dataclasses import dataclass
from typing import Self

from services.gateway.cache.cached_results import CachedResults
from services.gateway.cache.connection import CacheServer
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.single_flight import SingleFlight


@dataclass(frozen=True, slots=True)
class ResultStore:
    """Values by key, what of them are results of backtests, and what is being computed right now."""

    cache: ResultCache
    results: CachedResults
    single_flight: SingleFlight

    @classmethod
    def on(cls, server: CacheServer) -> Self:
        """Return the store on a server."""
        cache = ResultCache(server)
        results = CachedResults(cache)
        return cls(cache, results, SingleFlight(server, cache, results))
