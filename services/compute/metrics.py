"""The compute service's metrics of its backtests and its pool of workers."""

import collections
from collections.abc import Iterable, Iterator
from typing import Protocol

from google.rpc import code_pb2
from prometheus_client import REGISTRY, Counter
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backcast_engine.errors import BackcastError
from backcast_engine.sweep import ChunkFigures
from services.rpc.status import status_of

BACKTESTS = Counter(
    "backcast_backtests_total",
    "Backtests that were computed, or failed, by the name of their status code; of a sweep each combination, "
    "and a portfolio counts as one.",
    ["method", "code"],
)

# Series exist from the start: a rate does not see the first increase of a series that appears with it.
for _method in ("ComputeBacktests", "ComputeSweep", "ComputePortfolios"):
    BACKTESTS.labels(_method, "OK")


def count_backtests(results: Iterable[object]) -> None:
    """Count backtests by their results, which may be errors."""
    for code, count in collections.Counter(map(_code, results)).items():
        BACKTESTS.labels("ComputeBacktests", code).inc(count)


def count_chunk(result: ChunkFigures | BackcastError) -> None:
    """Count the backtests of a sweep's chunk; a chunk that failed as a whole counts as one."""
    if isinstance(result, BackcastError):
        BACKTESTS.labels("ComputeSweep", _code(result)).inc()
        return
    combinations, windows, _ = result.figures.shape
    BACKTESTS.labels("ComputeSweep", _code(None)).inc(combinations * windows - result.failed)
    if result.failed:
        BACKTESTS.labels("ComputeSweep", _code(result.first_failure)).inc(result.failed)


def count_portfolio(result: object) -> None:
    """Count a portfolio by its result, which may be an error."""
    BACKTESTS.labels("ComputePortfolios", _code(result)).inc()


def _code(result: object) -> str:
    code = status_of(result).code if isinstance(result, BackcastError) else code_pb2.OK
    name: str = code_pb2.Code.Name(code)
    return name


class Pool(Protocol):
    """A pool of workers, as its metrics see it."""

    @property
    def size(self) -> int:
        """How many workers there should be."""

    @property
    def busy(self) -> int:
        """How many workers run a call."""

    @property
    def waiting(self) -> int:
        """How many calls wait for a worker."""

    @property
    def deaths(self) -> int:
        """How many workers have died."""


class _PoolCollector(Collector):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def collect(self) -> Iterator[Metric]:
        pool = self._pool
        yield GaugeMetricFamily("backcast_workers", "Worker processes that there should be.", pool.size)
        yield GaugeMetricFamily("backcast_workers_busy", "Worker processes that run a task.", pool.busy)
        yield GaugeMetricFamily(
            "backcast_compute_calls_waiting", "Calls of workers that wait for one.", pool.waiting
        )
        yield CounterMetricFamily("backcast_worker_deaths_total", "Workers that died.", pool.deaths)


def watch_pool(pool: Pool) -> None:
    """Export the metrics of `pool`, which are read from any thread."""
    REGISTRY.register(_PoolCollector(pool))
