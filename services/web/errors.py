"""Errors as the Connect protocol has them, with the details that gRPC's statuses have."""

import base64

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status
from protobuf.wkt import Any as ConnectAny
from starlette.responses import JSONResponse

from backcast_engine.errors import BackcastError
from services.rpc.status import is_cut_off, of_passed_deadline, status_of, unanswered


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
        is_late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        message = of_passed_deadline("gateway") if is_late else error.details() or ""
        status = status_pb2.Status(code=number, message=message)
    return _from_status(status)


def _from_status(status: status_pb2.Status) -> ConnectError:
    details = [ErrorDetail(ConnectAny(type_url=each.type_url, value=each.value)) for each in status.details]
    return ConnectError(_code(status.code), status.message, details)


def _code(number: int) -> Code:
    name = code_pb2.Code.Name(number)
    # Connect spells this one as Americans do.
    return Code.CANCELED if name == "CANCELLED" else Code[name]


# HTTP's status of each code, as the Connect protocol has it.
_HTTP_STATUS = {
    Code.CANCELED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}


def response_of(error: ConnectError) -> JSONResponse:
    """Return an error as the response to a request that is not a call, in the form of a call's."""
    content: dict[str, object] = {"code": error.code.value, "message": error.message}
    if error.details:
        content["details"] = [
            {"type": each.type_name, "value": base64_of(each.message_bytes)} for each in error.details
        ]
    return JSONResponse(content, _HTTP_STATUS.get(error.code, 500))


def error_response(status: int, code: Code, message: str, **headers: str) -> JSONResponse:
    """Return a refusal: HTTP's status, and the sentence in the form that clients of Connect read."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse({"code": code.value, "message": message}, status, named)


def base64_of(value: bytes) -> str:
    """Return bytes as Connect writes them: Base64 without padding."""
    return base64.b64encode(value).decode().rstrip("=")
