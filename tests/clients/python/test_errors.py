"""Errors of calls become exceptions of the Python client that say what to do."""

from typing import Any

import grpc
import pytest

from backcast import errors
from backcast.status import error_of, error_of_status
from backcast_engine.errors import BackcastError, ErrorReason, InvalidInput, NotFound, Refused, Violation
from services.domain.errors import (
    AlreadyExists,
    Cancelled,
    Denied,
    Exhausted,
    Internal,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from services.rpc.status import status_of

EXCEPTIONS: list[tuple[BackcastError, type[errors.BackcastError]]] = [
    (NotFound("gone"), errors.NotFoundError),
    (Refused("no"), errors.RefusedError),
    (Unavailable("away"), errors.UnavailableError),
    (Internal("bug"), errors.ServerError),
    (AlreadyExists("twice", run_id="nightly"), errors.AlreadyExistsError),
    (Exhausted("later", retry_after_s=2.5), errors.BusyError),
    (Cancelled("stopped"), errors.CancelledError),
    (Unauthenticated("who"), errors.AuthenticationError),
    (Denied("not you"), errors.PermissionDeniedError),
    (InvalidInput.of("run_id", "is wrong"), errors.InvalidRequestError),
]


@pytest.mark.parametrize(("error", "kind"), EXCEPTIONS)
def test_every_error_of_the_services_has_an_exception(
    error: BackcastError, kind: type[errors.BackcastError]
) -> None:
    exception = error_of_status(status_of(error))
    assert type(exception) is kind
    assert exception.reason == error.reason
    assert exception.metadata == error.metadata


def test_a_request_that_is_too_large_is_never_tried_again() -> None:
    exception = error_of_status(status_of(TooLarge.of("symbols", "are more than 10,000")))
    assert exception.reason == ErrorReason.REQUEST_TOO_LARGE
    assert isinstance(exception, errors.TooLargeError)
    assert "10,000" in str(exception)


def test_a_busy_server_says_when_to_try_again() -> None:
    exception = error_of_status(status_of(Exhausted("later", retry_after_s=2.5)))
    assert isinstance(exception, errors.BusyError)
    assert exception.retry_after == 2.5


def test_bad_fields_have_the_names_of_the_arguments() -> None:
    fields = {
        "symbols[3]": "symbols[3]",
        "spec.start_time": "start",
        "spec.execution.fee_rate": "fee",
        "spec.execution.stop_loss": "stop_loss",
        "spec.strategy.rsi.period": "period",
        "run_id": "run_id",
    }
    error = InvalidInput(*(Violation(field, "is wrong") for field in fields))
    exception = error_of_status(status_of(error))
    assert isinstance(exception, errors.InvalidRequestError)
    assert {bad.path: bad.field for bad in exception.violations} == fields
    assert exception.field == "symbols[3]"
    assert str(exception).startswith("symbols[3]: is wrong; start: is wrong")


class Ended(grpc.RpcError):
    """A call that gRPC has ended, as its client sees it."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__()
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return ()


@pytest.mark.parametrize(
    ("code", "details", "kind", "words"),
    [
        ("UNAVAILABLE", "Connection refused", errors.ConnectionFailedError, "no Backcast answers at here:1"),
        (
            "UNAVAILABLE",
            "failed to connect: WRONG_VERSION_NUMBER",
            errors.ConnectionFailedError,
            "has no TLS",
        ),
        (
            "UNAVAILABLE",
            "failed to connect: CERTIFICATE_VERIFY_FAILED",
            errors.ConnectionFailedError,
            "trusted CA",
        ),
        ("UNAVAILABLE", "Socket closed", errors.ConnectionFailedError, "no Backcast answers at here:1"),
        ("UNAVAILABLE", "backends failing: Socket closed", errors.ConnectionFailedError, "require TLS"),
        ("UNAVAILABLE", "DNS resolution failed", errors.ConnectionFailedError, "host of 'here:1' is unknown"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", errors.DeadlineError, "did not answer in time"),
        ("RESOURCE_EXHAUSTED", "Received message larger", errors.TooLargeError, "too large"),
        ("INTERNAL", "odd", errors.ServerError, "INTERNAL: odd"),
    ],
)
def test_what_grpc_itself_reports_is_a_sentence(
    code: str, details: str, kind: type[errors.BackcastError], words: str
) -> None:
    exception = error_of(Ended(grpc.StatusCode[code], details), "here:1", ("0.2.0", None))
    assert type(exception) is kind
    assert words in str(exception)


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (None, "is no Backcast, or one that is older than this client (0.2.0)"),
        ("0.1.0", "this client is of version 0.2.0: update the server"),
        ("0.10.0", "this client is of version 0.2.0: update the client"),
        ("0.2.0.dev0", "which the gateway has"),
    ],
)
def test_a_call_that_the_server_lacks_is_about_versions(server: str | None, words: str) -> None:
    ended = Ended(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
    exception = error_of(ended, "here:1", ("0.2.0", server))
    assert isinstance(exception, errors.VersionError)
    assert words in str(exception)
