"""Failed calls as exceptions of this package."""

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from backcast.errors import (
    AlreadyExistsError,
    AuthenticationError,
    BackcastError,
    BusyError,
    CancelledError,
    ConnectionFailedError,
    DeadlineError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RefusedError,
    ServerError,
    TooLargeError,
    UnavailableError,
)
from backcast.options import violation
from backcast.versions import lacking_call

_DOMAIN = "backcast"
_CODE_NAMES: dict[int, str] = {number: name for name, number in code_pb2.Code.items()}
_DETAILS_KEY = "grpc-status-details-bin"
# What gRPC itself ends calls with: the connection was not made, or is lost; the server is stopping; it has
# reset the stream; a request could not be sent.
_CODES_OF_BREAKS = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}
# Words of gRPC's messages, and what they mean.
_SIGNS = {
    "Hostname Verification": "the certificate of {address} belongs to another host",
    "certificate has expired": "the certificate of {address} has expired",
    "CERTIFICATE_VERIFY_FAILED": "the certificate of {address} was not signed by a trusted CA: give the "
    "right one as tls=FILE, or as BACKCAST_TLS_CA_FILE",
    "WRONG_VERSION_NUMBER": "{address} has no TLS: connect without tls and BACKCAST_TLS_CA_FILE",
    "Socket closed": "{address} closes the connection: does it require TLS (tls=True, or tls=FILE of its "
    "CA), or a certificate?",
    "http1.x server": "{address} is no gRPC server: the port of the page is another one",
    "resol": "the host of {address!r} is unknown",
}


def code_name(status: status_pb2.Status) -> str:
    """Return the name of a status's code, such as NOT_FOUND; the number of one that this version lacks."""
    return _CODE_NAMES.get(status.code) or str(status.code)


def status_of(error: grpc.RpcError) -> status_pb2.Status | None:
    """Return the status that a Backcast server ended a call with; None where gRPC ended it."""
    call: Any = error
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS_KEY:
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def is_cut_off(error: grpc.RpcError) -> bool:
    """Return whether the stream broke off, or its server is stopping: asking again may help."""
    call: Any = error
    status = status_of(error)
    if status is None:
        return call.code() in _CODES_OF_BREAKS
    return call.code() is grpc.StatusCode.UNAVAILABLE


def error_of(error: grpc.RpcError, address: str, versions: tuple[str, str | None]) -> BackcastError:
    """Return the exception of a failed call to `address`.

    `versions` are those of this client and of the server; None where the server has not sent its own.
    """
    call: Any = error
    status = status_of(error)
    if status is not None:
        return error_of_status(status)
    details = " ".join((call.details() or "").split())
    match call.code():
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            meant: BackcastError = DeadlineError(f"{address} did not answer in time")
        case grpc.StatusCode.UNIMPLEMENTED:
            meant = lacking_call(address, *versions)
        case grpc.StatusCode.CANCELLED:
            meant = CancelledError("the call was cancelled")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            meant = TooLargeError(f"a message is too large: {details}")
        case grpc.StatusCode.UNAVAILABLE:
            meant = ConnectionFailedError(_not_connected(details, address))
        case code:
            meant = ServerError(f"the server at {address} ended the call with {code.name}: {details}")
    return meant


def error_of_status(status: status_pb2.Status) -> BackcastError:
    """Return the exception of a status of Backcast, which a call or the backtest of one crypto ended with."""
    reason, metadata, violations, retry_after = "", {}, [], 0.0
    for detail in status.details:
        info, bad, retry = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        )
        if detail.Unpack(info) and info.domain == _DOMAIN:
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            violations = [violation(one.field, one.description) for one in bad.field_violations]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    if status.code == code_pb2.INVALID_ARGUMENT and violations:
        return InvalidRequestError(violations, reason=reason, metadata=metadata)
    if status.code == code_pb2.RESOURCE_EXHAUSTED and not violations:
        return BusyError(status.message, retry_after, reason=reason, metadata=metadata)
    kind = _KINDS.get(status.code, ServerError)
    return kind(status.message, reason=reason, metadata=metadata)


_KINDS: dict[int, Callable[..., BackcastError]] = {
    code_pb2.NOT_FOUND: NotFoundError,
    code_pb2.ALREADY_EXISTS: AlreadyExistsError,
    code_pb2.FAILED_PRECONDITION: RefusedError,
    code_pb2.RESOURCE_EXHAUSTED: TooLargeError,
    code_pb2.UNAUTHENTICATED: AuthenticationError,
    code_pb2.PERMISSION_DENIED: PermissionDeniedError,
    code_pb2.CANCELLED: CancelledError,
    code_pb2.UNAVAILABLE: UnavailableError,
}


def _not_connected(details: str, address: str) -> str:
    # A connection that was made and breaks has some of these words too, and nothing else.
    for sign, meaning in _SIGNS.items():
        if sign in details and sign != details:
            return meaning.format(address=address)
    return f"no Backcast answers at {address}: is it running there (`backcast up`), and is the port right?"
