"""What the gateway makes of compute's outcomes."""

from google.rpc.status_pb2 import Status

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.sweep_chunk_pb2 import SweepChunk
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.upstream.compute import outcomes_by_chunk

A, B = CryptoData("A", "1", 0, 0, "1"), CryptoData("B", "1", 0, 0, "1")
CHUNK_SIZE = 256


def chunk(symbol: str, number: int) -> pb.ComputeSweepResponse:
    return pb.ComputeSweepResponse(chunk=SweepChunk(symbol=symbol, first_combination=number * CHUNK_SIZE))


def failure(symbol: str, number: int | None) -> pb.ComputeSweepResponse:
    first = None if number is None else number * CHUNK_SIZE
    return pb.ComputeSweepResponse(
        failure=pb.SweepChunkFailure(symbol=symbol, first_combination=first, status=Status(code=5))
    )


def test_what_a_chunk_brings_is_not_missing_any_more() -> None:
    missing = {"A": (A, {0, 1}), "B": (B, {0})}
    for response in (chunk("A", 1), failure("B", 0), chunk("A", 0)):
        assert list(outcomes_by_chunk(response, missing, CHUNK_SIZE)) == [response]
    assert not missing


def test_a_crypto_that_fails_fails_in_what_is_missing_of_it_only() -> None:
    missing = {"A": (A, {0, 1, 2}), "B": (B, {0})}
    assert list(outcomes_by_chunk(chunk("A", 1), missing, CHUNK_SIZE)) == [chunk("A", 1)]
    failed = list(outcomes_by_chunk(failure("A", None), missing, CHUNK_SIZE))
    assert failed == [failure("A", 0), failure("A", 2)]
    assert missing == {"B": (B, {0})}
