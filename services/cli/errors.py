"""Failed calls in one line, for people."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from grpc_status import rpc_status

from services.shared.errors import BackcastError, InvalidInput, Unavailable
from services.shared.rpc_status import violations_of


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
        case grpc.StatusCode.INVALID_ARGUMENT if violations := violations_of(error):
            return InvalidInput(*violations)
        # What a service says of its own comes with a status; without one, there is no service any more.
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED if rpc_status.from_call(error) is None:
            return Unavailable(_not_there(details, service, address))
        case grpc.StatusCode.UNIMPLEMENTED:
            return Unavailable(f"what answers at {address} is not Backcast's {service} service")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return BackcastError(f"too large for the {service} service: {details}")
        case code:
            return BackcastError(details or f"the {service} service ended the call: {code.name}")


def _not_there(details: str, service: str, address: str) -> str:
    _, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()):
        return f"BACKCAST_{service.upper()}_ADDRESS: {address!r} is not host:port"
    if "resol" in details:
        return f"BACKCAST_{service.upper()}_ADDRESS: the host of {address!r} is not known here"
    return f"the {service} service does not answer at {address}: is it running there (`backcast up`)?"
