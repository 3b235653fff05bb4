"""The feed's metrics: requests to exchanges, and how current each feed is.

Each service has one such file: the names of its metrics are an interface of their own (docs/operations.md).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge

from backcast_engine.errors import BackcastError, InvalidInput, Refused
from services.feed.errors import Banned, Forbidden

TOO_OFTEN = "too_often"
_GOOD, _FAILED = "good", "failed"
_OUTCOMES: dict[type[BackcastError], str] = {
    Banned: "banned",
    Forbidden: "forbidden",
    InvalidInput: "unknown_symbol",
    Refused: "refused",
}

REQUESTS = Counter(
    "backcast_feed_requests_total", "Requests to exchanges, by what became of them.", ["exchange", "outcome"]
)
WEIGHT_USED = Gauge(
    "backcast_feed_weight_used", "Weight of requests used in the exchange's present window.", ["exchange"]
)
WEIGHT_LIMIT = Gauge(
    "backcast_feed_weight_limit", "Weight of requests that the exchange allows in a window.", ["exchange"]
)
LAG = Gauge(
    "backcast_feed_lag_seconds",
    "Time since the end of the newest hour up to which every crypto was asked for.",
    ["exchange", "quote"],
)
CRYPTOS = Gauge(
    "backcast_feed_cryptos", "Cryptos of the last round, by state.", ["exchange", "quote", "state"]
)
CANDLES = Counter(
    "backcast_feed_candles_total",
    "Candles that rounds inserted, or replaced because the exchange had corrected them.",
    ["exchange", "quote", "change"],
)
FAILURES = Counter("backcast_feed_failures_total", "Rounds in which something failed.", ["exchange", "quote"])


@contextmanager
def request_counted(exchange: str) -> Iterator[None]:
    """Count a request whose answer is read in the body, by the error that the body raises."""
    try:
        yield
    except BackcastError as error:
        REQUESTS.labels(exchange, _OUTCOMES.get(type(error), _FAILED)).inc()
        raise
    REQUESTS.labels(exchange, _GOOD).inc()


def watch_feed(
    exchange: str, quote: str, weight_limit: int, weight_used: Callable[[], int], lag_s: Callable[[], float]
) -> None:
    """Export a feed; `weight_used` and `lag_s` are called from any thread.

    All series exist from the beginning: Prometheus does not see an increase with which a series appears.
    """
    WEIGHT_LIMIT.labels(exchange).set(weight_limit)
    WEIGHT_USED.labels(exchange).set_function(weight_used)
    LAG.labels(exchange, quote).set_function(lag_s)
    for outcome in (_GOOD, _FAILED, TOO_OFTEN, *_OUTCOMES.values()):
        REQUESTS.labels(exchange, outcome)
    for change in ("inserted", "corrected"):
        CANDLES.labels(exchange, quote, change)
    for state in ("followed", "failed", "left_out", "ended"):
        CRYPTOS.labels(exchange, quote, state)
    FAILURES.labels(exchange, quote)
