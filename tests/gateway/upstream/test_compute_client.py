"""The gateway's client of compute: how it converts outcomes."""

from google.rpc.status_pb2 import Status

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast.compute.v1.sweep_chunk_pb2 import SweepChunk
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.upstream.compute import complete_result, outcomes_by_chunk

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


def part(symbol: str, number: int) -> ComputedResult:
    """Return a part of a result; the first one has the metrics."""
    return ComputedResult(
        symbol=symbol, fingerprint="1", metrics=b"metrics" if number == 0 else b"", parts=[b"%d" % number]
    )


def test_a_result_in_parts_is_completed_with_the_last_one() -> None:
    begun = ComputedResult()
    for number in range(2):
        beginning = pb.ComputeBacktestsResponse(results=[part("A", number)], result_continues=True)
        assert not complete_result(beginning, begun)
    last = pb.ComputeBacktestsResponse(
        results=[part("A", 2), part("B", 0)], failures=[pb.ComputeFailure(symbol="C")]
    )
    assert complete_result(last, begun)
    assert list(last.results) == [
        ComputedResult(symbol="A", fingerprint="1", metrics=b"metrics", parts=[b"0", b"1", b"2"]),
        part("B", 0),
    ]
    alone = pb.ComputeBacktestsResponse(results=[part("D", 0)])
    assert complete_result(alone, begun)
    assert list(alone.results) == [part("D", 0)]
