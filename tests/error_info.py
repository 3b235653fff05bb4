"""What programs read from an error: its code, and the google.rpc.ErrorInfo beside it."""

from typing import NamedTuple

import grpc
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status


class ErrorOfPrograms(NamedTuple):
    """The name of an error's code, its reason and its metadata."""

    code: str
    reason: str
    metadata: dict[str, str]


def error_info(failed: Status | grpc.RpcError) -> ErrorOfPrograms:
    """Return what programs read from a status, or from a call's last status; it has one ErrorInfo."""
    status = failed if isinstance(failed, Status) else rpc_status.from_call(failed)
    assert status, f"gRPC's own: {failed}"
    (detail,) = (each for each in status.details if each.Is(ErrorInfo.DESCRIPTOR))
    info = ErrorInfo()
    detail.Unpack(info)
    assert info.domain == "backcast"
    return ErrorOfPrograms(code_pb2.Code.Name(status.code), info.reason, dict(info.metadata))
