"""Results that are too long for one message are cut into parts, and the parts are the result."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1 import result_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse
from backcast.gateway.v1.run_events_pb2 import RunFailure
from backcast.marketdata.v1.break_pb2 import Break
from backcast_engine import METRIC_NAMES
from services.wire.result_parts import PartJoiner, joined_parts, result_parts

MIB = 2**20
# The year 1: its seconds are negative, and take the ten bytes that no later time takes.
EARLY = Timestamp(seconds=-62_135_596_800)
LONGEST = dict.fromkeys(METRIC_NAMES, -1.2345678901234568e-300)


def long_result(trades: int = 0, points: int = 0, months: int = 0, breaks: int = 0) -> pb.BacktestResult:
    """Return a result whose elements are as long as any can be."""
    trade = pb.Trade(
        entry_time=EARLY,
        entry_price=1.5,
        units=-1.5,
        exit_time=EARLY,
        exit_price=1.5,
        fees_paid=1.5,
        profit=-1.5,
        return_fraction=-1.5,
        held_candles=2**31 - 1,
        open=True,
        exit_reason=pb.EXIT_REASON_BREAK,
        worst_excursion=-1.5,
        best_excursion=1.5,
        borrow_paid=1.5,
        funding_paid=1.5,
    )
    part = pb.ResultPart(first_candle_time=EARLY, last_candle_time=EARLY, metrics=pb.Metrics(**LONGEST))
    result = pb.BacktestResult(
        symbol="X" * 32,
        metrics=pb.Metrics(**LONGEST),
        coverage=pb.Coverage(expected_candles=7, first_candle_time=EARLY),
        warmup_candles=3,
        from_cache=True,
        data_fingerprint="f" * 64,
        engine_version="1",
        trades=[trade] * trades,
        monthly_returns=[pb.MonthlyReturn(year=9999, month=12, return_fraction=0.5)] * months,
        breaks=[
            Break(before_time=EARLY, after_time=EARLY, close=1.5, open=1.5, state="BREAK_STATE_CONFIRMED")
        ]
        * breaks,
        parts=[part] * breaks,
    )
    for number, trade in enumerate(result.trades):
        trade.profit = number + 0.5
    if points:
        result.equity_curve.open_time_s.extend(range(-(10**11), points - 10**11))
        result.equity_curve.equity.extend(number + 0.5 for number in range(points))
        result.equity_curve.drawdown.extend([0.25] * points)
    return result


@pytest.mark.parametrize(
    ("elements", "count"),
    [
        ({"trades": 100, "points": 8_760, "months": 12, "breaks": 2}, 1),
        ({"trades": 7_692}, 1),
        ({"trades": 7_693}, 2),
        ({"trades": 43_799, "points": 87_600, "months": 120, "breaks": 3}, 8),
        ({"points": 876_000}, 23),
        ({"months": 120_000, "breaks": 20_000}, 8),
    ],
)
def test_the_parts_of_a_result_are_short_and_merged_they_are_the_result(
    elements: dict[str, int], count: int
) -> None:
    result = long_result(**elements)
    parts = list(result_parts(result))
    sizes = [part.ByteSize() for part in parts]
    assert len(sizes) == count
    assert max(sizes) < MIB - 2_000
    merged = pb.BacktestResult()
    for part in parts:
        assert part.symbol == result.symbol
        merged.MergeFrom(part)
    assert merged == result


def test_no_list_of_a_result_is_forgotten() -> None:
    # A list that is added to the message, and is not cut, would be too long some day.
    lists = {field.name for field in pb.BacktestResult.DESCRIPTOR.fields if field.is_repeated}
    cut = long_result(trades=9_000, points=9_000, months=9_000, breaks=9_000)
    first, *others = result_parts(cut)
    for name in (*lists, "equity_curve"):
        assert any(part.HasField(name) if name == "equity_curve" else getattr(part, name) for part in others)
    assert first.metrics == cut.metrics


def events_of(result: pb.BacktestResult) -> list[RunBacktestsResponse]:
    """Return the events of a run that a result takes."""
    first, *others = result_parts(result)
    events = [RunBacktestsResponse(result=first)]
    events += [RunBacktestsResponse(result_continuation=part) for part in others]
    for event in events[:-1]:
        event.result_continues = True
    return events


def test_parts_of_a_stream_are_joined() -> None:
    joiner = PartJoiner()
    long, short = long_result(trades=20_000), long_result(trades=2)
    joined = [joiner.joined(event) for event in (*events_of(long), *events_of(short))]
    assert joined[:2] == [None, None]
    assert [each and each.result for each in joined[2:]] == [long, short]
    assert not any(each and each.result_continues for each in joined)


def test_a_result_that_broke_off_begins_anew() -> None:
    joiner = PartJoiner()
    for event in events_of(long_result(20_000))[:2]:
        assert joiner.joined(event) is None
    *beginning, last = events_of(long_result(20_000))
    assert [joiner.joined(event) for event in beginning] == [None, None]
    whole = joiner.joined(last)
    assert whole is not None
    assert whole.result == long_result(20_000)


def test_what_is_no_result_passes_as_it_is() -> None:
    failure = RunBacktestsResponse(failure=RunFailure(symbol="A"))
    assert PartJoiner().joined(failure) is failure


def test_serialized_parts_one_after_the_other_are_the_result() -> None:
    result = long_result(trades=20_000, points=9_000)
    parts = [part.SerializeToString() for part in result_parts(result)]
    assert len(parts) > 2
    assert joined_parts(parts) == result
