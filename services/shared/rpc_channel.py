"""Channels to other services."""

import grpc

from services.shared.rpc_liveness import CHANNEL_LIVENESS

# Services talk over plain networks, and a proxy that is meant for the web is never on the way.
# An equity curve of decades of hours is longer than the 4 MiB that gRPC takes by itself.
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    *CHANNEL_LIVENESS,
)


def open_channel(address: str) -> grpc.aio.Channel:
    """Open a channel to `address` (host:port); it connects on the first call."""
    return grpc.aio.insecure_channel(address, options=_OPTIONS)


def open_blocking_channel(address: str) -> grpc.Channel:
    """Open a channel to `address` (host:port) for code without an event loop."""
    return grpc.insecure_channel(address, options=_OPTIONS)
