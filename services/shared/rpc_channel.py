"""Channels to other services."""

from collections.abc import Sequence

import grpc

# Services talk over plain networks, and a proxy that is meant for the web is never on the way.
# An equity curve of decades of hours is longer than the 4 MiB that gRPC takes by itself.
_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", 64 * 1024 * 1024))


def open_channel(
    address: str,
    credentials: grpc.ChannelCredentials | None = None,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
) -> grpc.aio.Channel:
    """Open a channel to `address` (host:port); it connects on the first call.

    `credentials` are those of services/shared/tls.py; None is plaintext.
    """
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=interceptors)
    return grpc.aio.secure_channel(address, credentials, options=_OPTIONS, interceptors=interceptors)


def open_blocking_channel(address: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.Channel:
    """Open a channel like open_channel, for code without an event loop."""
    if credentials is None:
        return grpc.insecure_channel(address, options=_OPTIONS)
    return grpc.secure_channel(address, credentials, options=_OPTIONS)
