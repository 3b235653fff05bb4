"""Errors of the domain have the statuses that clients act on."""

import pickle

import grpc
import pytest
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from backcast_engine.errors import BackcastError, ErrorReason, InvalidInput, NotFound, Refused, Violation
from services.compute.tasks.errors import WorkerDied
from services.data.store.database import Contended, DatabaseUnavailable
from services.domain.errors import Unavailable
from services.rpc.status import ERROR_DOMAIN, error_of, error_of_status, status_of


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


# What gRPC ends a call with by itself, under load too: "Internal error from Core", RST_STREAM, GOAWAY.
@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "UNKNOWN", "CANCELLED"])
def test_a_service_that_says_nothing_is_named(code: str) -> None:
    error = error_of(failed_call(grpc.StatusCode[code]), "data")
    assert (type(error), str(error)) == (Unavailable, "the data service does not answer")
    assert (error.reason, error.metadata) == (ErrorReason.SERVICE_UNAVAILABLE, {"service": "data"})


def test_a_service_that_is_late_is_named_and_what_to_do() -> None:
    error = error_of(failed_call(grpc.StatusCode.DEADLINE_EXCEEDED), "data")
    assert (type(error), str(error)) == (
        Unavailable,
        "the data service did not answer before the deadline: try again; if that does not help, see its load "
        "and its log",
    )
    assert (error.reason, error.metadata) == (ErrorReason.SERVICE_UNAVAILABLE, {"service": "data"})


def test_the_reason_of_an_unavailable_service_is_passed_on() -> None:
    error = error_of(answered(status_of(DatabaseUnavailable("the database does not answer"))), "data")
    assert (type(error), str(error)) == (Unavailable, "the database does not answer")
    assert error.reason is ErrorReason.DATABASE_UNAVAILABLE


def test_reason_and_metadata_cross_a_service() -> None:
    needs = Refused("needs 15", reason=ErrorReason.TOO_FEW_CANDLES, needed="15", present="3")
    error = error_of(answered(status_of(needs)), "compute")
    assert (type(error), str(error)) == (Refused, "needs 15")
    assert (error.reason, error.metadata) == (ErrorReason.TOO_FEW_CANDLES, {"needed": "15", "present": "3"})


@pytest.mark.parametrize(
    "info", [ErrorInfo(reason="OF_TOMORROW", domain=ERROR_DOMAIN), ErrorInfo(reason="NO_CANDLES", domain="x")]
)
def test_a_reason_that_is_not_known_here_is_no_reason(info: ErrorInfo) -> None:
    status = Status(code=code_pb2.NOT_FOUND, message="not there")
    status.details.add().Pack(info)
    error = error_of(answered(status), "data")
    assert (type(error), error.reason) == (NotFound, ErrorReason.NOT_FOUND)


def test_an_error_keeps_its_reason_on_its_way_from_a_worker() -> None:
    for error in (
        Refused("needs 15", reason=ErrorReason.TOO_FEW_CANDLES, needed="15"),
        WorkerDied("its worker died"),
        InvalidInput.of("symbol", "is none"),
    ):
        assert status_of(pickle.loads(pickle.dumps(error))) == status_of(error)


def answered(status: Status) -> grpc.aio.AioRpcError:
    """Return the error of a call that a service ended with `status`."""
    said = rpc_status.to_status(status)
    return grpc.aio.AioRpcError(
        said.code, grpc.aio.Metadata(), grpc.aio.Metadata(*said.trailing_metadata), said.details
    )


def test_the_message_names_the_first_of_many_fields_and_the_details_all() -> None:
    violations = [Violation(f"ranges[{number}]", "must not be empty" + "!" * 60) for number in range(25)]
    status = status_of(InvalidInput(*violations))
    named, _, more = status.message.rpartition("; and ")
    assert named == "; ".join(map(str, violations[:11]))
    assert more == "14 more: see the details"
    error = error_of_status(status)
    assert isinstance(error, InvalidInput)
    assert error.violations == tuple(violations)


def test_the_message_of_one_long_field_is_cut_and_the_details_are_whole() -> None:
    violation = Violation("rules.entry", "x" * 2_000)
    status = status_of(InvalidInput(violation))
    assert status.message == f"rules.entry: {'x' * 987}…"
    assert str(error_of_status(status)) == str(violation)
