"""The data service's metrics: candles, and connections to the database."""

from collections.abc import Callable

from prometheus_client import Counter, Gauge

from services.domain.interval import Interval

CANDLES_READ = Counter(
    "backcast_candles_read_total", "Candles that were sent to others, by their interval.", ["interval"]
)
CANDLES_WRITTEN = Counter(
    "backcast_candles_written_total", "Candles of imports that were inserted or corrected.", ["change"]
)
CONNECTIONS = Gauge("backcast_database_connections", "Open connections to the database.", ["state"])
MAX_CONNECTIONS = Gauge("backcast_database_connections_max", "Connections that there may be at most.")

# What there is from the beginning on: the first increase of a series that appears with it is not seen.
for _interval in Interval:
    CANDLES_READ.labels(_interval.value)
for _change in ("inserted", "corrected"):
    CANDLES_WRITTEN.labels(_change)


def watch_connections(in_use_and_idle: Callable[[], tuple[int, int]], most: int) -> None:
    """Show how many connections to the database are in use and idle, as this tells from any thread."""
    CONNECTIONS.labels("in_use").set_function(lambda: in_use_and_idle()[0])
    CONNECTIONS.labels("idle").set_function(lambda: in_use_and_idle()[1])
    MAX_CONNECTIONS.set(most)
