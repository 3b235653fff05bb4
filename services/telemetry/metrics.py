"""Prometheus metrics of every service. They are counted even if no metrics are served.

Apart from `observation`, which serves them: what counts needs no server of metrics.
"""

from prometheus_client import Gauge, Histogram, disable_created_metrics

# Switches off the additional series "_created" of each counter.
disable_created_metrics()  # type: ignore[no-untyped-call]

# Buckets in seconds, from a cached result to a long sweep.
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)

RPC_DURATION = Histogram(
    "backcast_rpc_duration_seconds",
    "Time from a call's arrival to its end, streams included, by its final status code.",
    ["method", "code"],
    buckets=SECONDS,
)
RPCS_IN_PROGRESS = Gauge("backcast_rpcs_in_progress", "Calls in progress.", ["method"])

EVENT_LOOP_LAG = Histogram(
    "backcast_event_loop_lag_seconds",
    "How late a timer of the event loop fired; measured every 20 ms.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
)

UNKNOWN_METHOD = "unknown"
"""The label for calls to unknown methods, because callers choose their names."""
