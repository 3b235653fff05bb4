"""Errors of the domain have the statuses that clients act on."""

import pytest
from google.rpc import code_pb2

from services.data.database import Contended
from services.shared.errors import BackcastError, InvalidInput, NotFound, Refused, Unavailable
from services.shared.rpc_status import status_of


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
