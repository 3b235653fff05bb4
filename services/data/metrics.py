"""The data service's metrics: candles, and connections to the database.

Each service has one such file: the names of its metrics are an interface of their own (docs/operations.md).
"""

from collections.abc import Callable

from prometheus_client import Counter, Gauge

from backcast_engine.interval import Interval

CANDLES_READ = Counter("backcast_candles_read_total", "Candles sent, by interval.", ["interval"])
CANDLES_WRITTEN = Counter(
    "backcast_candles_written_total", "Candles that imports inserted or corrected.", ["change"]
)
CONNECTIONS = Gauge("backcast_database_connections", "Open connections to the database.", ["state"])
MAX_CONNECTIONS = Gauge("backcast_database_connections_max", "Most connections that the pool opens.")

# All series exist from the beginning: Prometheus does not see an increase with which a series appears.
for _interval in Interval:
    CANDLES_READ.labels(_interval.value)
for _change in ("inserted", "corrected"):
    CANDLES_WRITTEN.labels(_change)


def watch_connections(in_use_and_idle: Callable[[], tuple[int, int]], most: int) -> None:
    """Export how many connections are in use and idle; `in_use_and_idle` is called from any thread."""
    CONNECTIONS.labels("in_use").set_function(lambda: in_use_and_idle()[0])
    CONNECTIONS.labels("idle").set_function(lambda: in_use_and_idle()[1])
    MAX_CONNECTIONS.set(most)
