"""Channels to other services, and the metadata of calls on them."""

import json
from collections.abc import Sequence
from typing import Any

import grpc

from services.rpc.liveness import CHANNEL_LIVENESS
from services.telemetry.run_id import RUN_ID_KEY, current_run_id
from services.telemetry.tracing import trace_metadata

# A name can have several addresses (in Kubernetes, a headless service has those of its pods). Calls use each
# of the available ones in turn. https://grpc.io/docs/guides/service-config documents these options. Retries
# are not configured, because gRPC does not retry a stream that has begun to answer.
_SERVICE_CONFIG: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}

# Services connect directly; an HTTP proxy of the environment is not meant for them.
# No message is longer than 4 MiB, gRPC's default limit, so no channel raises the limit.
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # By default, gRPC resolves a name at most every 30 s: too late if all addresses have changed.
    ("grpc.dns_min_time_between_resolutions_ms", 2_000),
    *CHANNEL_LIVENESS,
)


def open_channel(
    address: str,
    credentials: grpc.ChannelCredentials | None = None,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
) -> grpc.aio.Channel:
    """Open a channel to `address`; it connects on the first call.

    It is host:port, or dns:///host:port, or several like 127.0.0.1:50052,127.0.0.1:50062. `credentials` are
    those of services/rpc/tls.py; None is plaintext.
    """
    target = _target(address)
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=_OPTIONS, interceptors=interceptors)
    return grpc.aio.secure_channel(target, credentials, options=_OPTIONS, interceptors=interceptors)


def open_blocking_channel(address: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.Channel:
    """Open a channel like open_channel, for code without an event loop."""
    if credentials is None:
        return grpc.insecure_channel(_target(address), options=_OPTIONS)
    return grpc.secure_channel(_target(address), credentials, options=_OPTIONS)


def _target(address: str) -> str:
    """Return gRPC's target for an address; a list of addresses needs the name of its family."""
    if "," not in address or address.startswith(("ipv4:", "ipv6:")):
        return address
    return f"ipv6:{address}" if address.startswith("[") else f"ipv4:{address}"


def outgoing_metadata() -> tuple[tuple[str, str], ...]:
    """Return the metadata for a call on behalf of the call that is being served."""
    run_id = current_run_id.get()
    return (*(((RUN_ID_KEY, run_id),) if run_id else ()), *trace_metadata())
