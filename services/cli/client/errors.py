"""Readable errors for failed calls, one line each."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from grpc_status import rpc_status

from services.cli.client.connection_errors import not_connected
from services.domain.errors import BackcastError, Denied, InvalidInput, Unauthenticated, Unavailable
from services.rpc.status import is_cut_off, violations_of


@contextmanager
def readable_errors(service: str, address: str) -> Iterator[None]:
    """Turn a failed call to `service` into an error whose message can be shown as it is."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _readable(error, service, address) from None


def _readable(error: grpc.aio.AioRpcError, service: str, address: str) -> BackcastError:
    details = " ".join((error.details() or "").split())
    match error.code():
        case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.RESOURCE_EXHAUSTED if (
            violations := violations_of(error)
        ):
            readable: BackcastError = InvalidInput(*violations)
        case _ if is_cut_off(error):
            readable = Unavailable(not_connected(details, service, address))
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            readable = Unavailable(f"the {service} service did not answer in time")
        case grpc.StatusCode.UNIMPLEMENTED:
            readable = Unavailable(f"the server at {address} is not Backcast's {service} service")
        case grpc.StatusCode.UNAUTHENTICATED if "BACKCAST_TOKEN" in os.environ:
            readable = Unauthenticated(f"the {service} does not know this token: is BACKCAST_TOKEN right?")
        case grpc.StatusCode.UNAUTHENTICATED:
            readable = Unauthenticated(f"the {service} requires a token: set BACKCAST_TOKEN")
        case grpc.StatusCode.PERMISSION_DENIED:
            readable = Denied(details)
        # If the service did not report it itself, it is gRPC's limit on the size of messages.
        case grpc.StatusCode.RESOURCE_EXHAUSTED if rpc_status.from_call(error) is None:
            readable = BackcastError(f"too large for the {service} service: {details}")
        case code:
            readable = BackcastError(details or f"the {service} service ended the call: {code.name}")
    return readable
