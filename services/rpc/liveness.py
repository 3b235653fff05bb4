"""gRPC's keepalive and reconnect options: how soon a silent peer is detected and called again.

The connections of a killed process close, and every call on them ends at once. A process that hangs, and a
machine that vanishes, close nothing: without pings, calls to them would wait for hours.

Apart from channel and server, so that the options of both sides, which have to fit, stand side by side.
"""

_Option = tuple[str, int]

# Of a channel. While calls are under way, a quiet connection is pinged; a peer that does not answer is gone,
# and the calls end with UNAVAILABLE. A busy peer answers all the same: gRPC's own threads do it.
CHANNEL_LIVENESS: tuple[_Option, ...] = (
    ("grpc.keepalive_time_ms", 4_000),
    # How long an answer may take. The first is for data that nobody acknowledges, the second for pings: with
    # the first alone, gRPC 1.85 waits a minute for the answer.
    ("grpc.keepalive_timeout_ms", 4_000),
    ("grpc.http2.ping_timeout_ms", 4_000),
    # By itself gRPC sends two pings and no more until there is data again: a run that waits for its first
    # result is longer quiet than that.
    ("grpc.http2.max_pings_without_data", 0),
    # A peer that is back is found within a second. One that accepts connections and sends nothing on them is
    # given up as soon as one that answers no ping; by itself, gRPC waits 20 s.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 4_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

# Of a server. It pings too, for a client whose machine vanished would have its run computed to the end; but
# with more patience, for clients may be on lines that are down for seconds.
SERVER_LIVENESS: tuple[_Option, ...] = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    # By itself a server closes connections, "too many pings", whose client sends them more often than every
    # five minutes while it gets no data, or every two hours while it has no call. Clients that are idle ping
    # too, mostly every 10 s, to keep their connection from being dropped by what is in between.
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
