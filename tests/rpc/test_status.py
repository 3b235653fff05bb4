"""Errors of the domain have the statuses that clients act on."""

import grpc
import pytest
from google.rpc import code_pb2
from grpc_status import rpc_status

from services.data.store.database import Contended
from services.domain.errors import BackcastError, InvalidInput, NotFound, Refused, Unavailable
from services.rpc.status import error_of, status_of


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput.of("page_size", "it is negative"), code_pb2.INVALID_ARGUMENT),
        (NotFound("there are no candles"), code_pb2.NOT_FOUND),
        (Refused("it differs"), code_pb2.FAILED_PRECONDITION),
        (Unavailable("nobody answers"), code_pb2.UNAVAILABLE),
        (Contended("busy"), code_pb2.UNAVAILABLE),  # a kind of Unavailable, to be tried again like it
    ],
)
def test_each_error_has_its_code(error: BackcastError, code: int) -> None:
    status = status_of(error)
    assert (status.code, status.message) == (code, str(error))


def failed_call(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), "in grpc's words")


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED])
def test_a_service_that_says_nothing_is_named(code: grpc.StatusCode) -> None:
    error = error_of(failed_call(code), "data")
    assert (type(error), str(error)) == (Unavailable, "the data service does not answer")


def test_what_a_service_says_is_unavailable_is_told_on() -> None:
    said = rpc_status.to_status(status_of(Unavailable("the database does not answer")))
    call = grpc.aio.AioRpcError(
        said.code, grpc.aio.Metadata(), grpc.aio.Metadata(*said.trailing_metadata), said.details
    )
    error = error_of(call, "data")
    assert (type(error), str(error)) == (Unavailable, "the database does not answer")
