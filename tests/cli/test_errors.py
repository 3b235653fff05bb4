"""Failed calls as people read them."""

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from backcast_engine.errors import BackcastError
from services.cli.client.errors import readable_errors
from services.domain.errors import Unavailable
from services.rpc.status import status_of


def read(error: AioRpcError, address: str = "127.0.0.1:50051") -> str:
    with pytest.raises(BackcastError) as caught, readable_errors("gateway", address):
        raise error
    return str(caught.value)


def failed(details: str, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(), details)


@pytest.mark.parametrize("details", ["Cancelling all calls", "Socket closed", "failed to connect to all", ""])
def test_a_service_that_is_not_there_is_named(details: str) -> None:
    assert read(failed(details)) == (
        "the gateway service does not answer at 127.0.0.1:50051: is it running there (`backcast up`)?"
    )


# What gRPC itself ends calls with whose service went away, or under load.
@pytest.mark.parametrize("code", ["CANCELLED", "INTERNAL", "UNKNOWN"])
def test_a_service_that_went_away(code: str) -> None:
    message = read(failed("Internal error from Core", grpc.StatusCode[code]))
    assert message == read(failed("Socket closed"))


def test_a_deadline_that_passed() -> None:
    message = read(failed("Deadline Exceeded", grpc.StatusCode.DEADLINE_EXCEEDED))
    assert message.startswith("the gateway service did not answer before the deadline: try again")


def test_what_a_service_says_of_another_is_its_own() -> None:
    reason = "the compute service does not answer"
    status = status_of(Unavailable(reason)).SerializeToString()
    trailing = Metadata(("grpc-status-details-bin", status))
    assert read(AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), trailing, reason)) == reason


def test_a_malformed_address_is_named() -> None:
    for nonsense in ("nonsense", "::1:50051", "host:", "host:port"):
        assert read(failed("connection refused"), nonsense) == (
            f"BACKCAST_GATEWAY_ADDRESS: {nonsense!r} is not host:port, or [IPv6]:port"
        )
    assert read(failed("DNS resolution failed for nonsense:1"), "nonsense:1") == (
        "BACKCAST_GATEWAY_ADDRESS: the host of 'nonsense:1' is unknown"
    )
