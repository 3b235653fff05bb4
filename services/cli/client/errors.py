"""Readable errors for failed calls, one line each."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from grpc_status import rpc_status

from backcast_engine.errors import BackcastError, InvalidInput
from services.domain.errors import Denied, Unauthenticated, Unavailable
from services.rpc.status import is_cut_off, overdue, violations_of

# Words of gRPC's messages about TLS handshakes, and what they mean.
_HANDSHAKES = {
    "Hostname Verification": "the certificate that {address} shows belongs to another host",
    "certificate has expired": "the certificate that {address} shows has expired",
    "CERTIFICATE_VERIFY_FAILED": "the certificate that {address} shows was not signed by a trusted CA: "
    "is BACKCAST_TLS_CA_FILE the right one?",
    "WRONG_VERSION_NUMBER": "the server at {address} has no TLS, but BACKCAST_TLS_CA_FILE or BACKCAST_TLS "
    "requires it",
    "Socket closed": "the server at {address} closes the connection: does it require TLS "
    "(BACKCAST_TLS_CA_FILE), or a certificate (BACKCAST_TLS_CERT_FILE)?",
}


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
            readable = Unavailable(_not_connected(details, service, address))
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            readable = overdue(service)
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


def _not_connected(details: str, service: str, address: str) -> str:
    """Return why there is no connection to `service` at `address`; `details` are gRPC's own words."""
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()) or (":" in host and not host.startswith(("[", "dns:"))):
        return f"BACKCAST_{service.upper()}_ADDRESS: {address!r} is not host:port, or [IPv6]:port"
    if "resol" in details:
        return f"BACKCAST_{service.upper()}_ADDRESS: the host of {address!r} is unknown"
    # An established connection that breaks has some of these words too.
    if "backends failing" in details:
        for sign, meaning in _HANDSHAKES.items():
            if sign in details:
                return meaning.format(address=address)
    return f"the {service} service does not answer at {address}: is it running there (`backcast up`)?"
