"""Errors as the Connect protocol has them, with the details that gRPC's statuses have."""

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status
from protobuf.wkt import Any as ConnectAny

from services.domain.errors import BackcastError
from services.rpc.status import is_cut_off, status_of, unanswered


def connect_error(error: BackcastError) -> ConnectError:
    """Return a domain error for a client that speaks Connect."""
    return _from_status(status_of(error))


def error_of_call(error: grpc.aio.AioRpcError) -> ConnectError:
    """Return the error of a failed call of the gateway; Unavailable where the gateway does not answer."""
    if is_cut_off(error):
        return connect_error(unanswered("gateway"))
    status = rpc_status.from_call(error)
    if status is None:
        number: int = error.code().value[0]
        status = status_pb2.Status(code=number, message=error.details() or "")
    return _from_status(status)


def _from_status(status: status_pb2.Status) -> ConnectError:
    details = [ErrorDetail(ConnectAny(type_url=each.type_url, value=each.value)) for each in status.details]
    return ConnectError(_code(status.code), status.message, details)


def _code(number: int) -> Code:
    name = code_pb2.Code.Name(number)
    # Connect spells this one as Americans do.
    return Code.CANCELED if name == "CANCELLED" else Code[name]
