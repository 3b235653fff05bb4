"""Candles over the wire: pages for people, columns for programs, and what is wrong with a request."""

from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as gateway_pb
from backcast.marketdata.v1 import break_pb2, candle_columns_pb2, interval_pb2
from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S
from services.imports.candle_writer import write_candles
from services.rpc.status import violations_of
from services.wire.candles import candles_to
from tests.candle_making import START_S, longer_candles, random_candles
from tests.waiting import until

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

HOUR_S = 3600
SYMBOL = "WIREUSDT"
CANDLES = random_candles(77, 24 * 60)
INTERVALS = {
    interval_pb2.INTERVAL_UNSPECIFIED: Interval.HOUR_1,
    interval_pb2.INTERVAL_4H: Interval.HOUR_4,
    interval_pb2.INTERVAL_1D: Interval.DAY_1,
    interval_pb2.INTERVAL_1W: Interval.WEEK_1,
}


@pytest.fixture(scope="module")
async def data(data_service: "MarketDataServiceAsyncStub") -> "MarketDataServiceAsyncStub":
    """The data service, with a crypto to ask for."""
    await write_candles(data_service, SYMBOL, CANDLES)
    return data_service


def _expected(interval: Interval) -> Candles:
    return CANDLES if interval is Interval.HOUR_1 else longer_candles(CANDLES, interval)


@pytest.mark.parametrize("value", INTERVALS)
@pytest.mark.parametrize("page_size", [0, 7, 60])
async def test_pages_hold_every_candle_once(data, value, page_size):
    request = pb.GetCandlesRequest(symbol="wire-usdt", interval=value, page_size=page_size)
    rows = []
    while True:
        page = await data.GetCandles(request)
        assert len(page.candles) <= (page_size or 1000)
        rows += [
            (each.open_time.seconds, each.open, each.high, each.low, each.close, each.volume)
            for each in page.candles
        ]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    expected = _expected(INTERVALS[value])
    assert rows == list(zip(*(column.tolist() for column in expected.columns()), strict=True))


async def test_a_token_of_another_list_is_refused(data):
    request = pb.GetCandlesRequest(symbol="wire-usdt", page_size=7)
    request.page_token = (await data.GetCandles(request)).next_page_token
    # The size of a page may change, what is listed may not.
    request.page_size = 9
    assert len((await data.GetCandles(request)).candles) == 9
    request.interval = interval_pb2.INTERVAL_4H
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await data.GetCandles(request)
    assert [violation.field for violation in violations_of(caught.value)] == ["page_token"]


async def test_pages_of_cryptos_hold_every_crypto_once(data):
    request = pb.ListCryptosRequest(page_size=1)
    symbols = []
    while True:
        page = await data.ListCryptos(request)
        symbols += [crypto.symbol for crypto in page.cryptos]
        # A page is never empty: the last one with a crypto says that it is the last.
        assert len(page.cryptos) == 1
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    everything = await data.ListCryptos(pb.ListCryptosRequest(page_size=10_000))
    assert symbols == [crypto.symbol for crypto in everything.cryptos]


async def test_what_a_client_has_listed_is_not_listed_again_until_it_changes(data):
    request = pb.ListCryptosRequest(page_size=1)

    async def is_unchanged() -> bool:
        request.known_version = ""
        request.known_version = (await data.ListCryptos(request)).version
        answer = await data.ListCryptos(request)
        if answer.unchanged:
            assert answer == pb.ListCryptosResponse(version=request.known_version, unchanged=True)
        return answer.unchanged

    # The database's own housekeeping may come between two calls.
    await until(is_unchanged)
    await write_candles(data, "KNOWNUSDT", CANDLES[:1])
    first = await data.ListCryptos(request)
    assert not first.unchanged
    assert first.version != request.known_version
    request.page_token = first.next_page_token
    assert len((await data.ListCryptos(request)).cryptos) == 1


async def test_a_page_is_of_the_window(data):
    start, end = START_S + 5 * HOUR_S + 1, START_S + 9 * HOUR_S
    page = await data.GetCandles(
        pb.GetCandlesRequest(
            symbol=SYMBOL, start_time=Timestamp(seconds=start), end_time=Timestamp(seconds=end)
        )
    )
    assert [candle.open_time.seconds - START_S for candle in page.candles] == [
        hour * HOUR_S for hour in (6, 7, 8)
    ]


@pytest.mark.parametrize("value", INTERVALS)
async def test_a_stream_that_broke_is_taken_up_with_a_time(data, value):
    expected = _expected(INTERVALS[value])
    cut = len(expected) // 2
    request = pb.StreamCandlesRequest(
        symbols=[SYMBOL],
        interval=value,
        columns=[candle_columns_pb2.CANDLE_COLUMN_CLOSE],
        start_time=Timestamp(seconds=int(expected.open_time_s[cut])),
    )
    ((block,),) = [response.blocks async for response in data.StreamCandles(request)]
    assert np.frombuffer(block.columns.open_time_s, "<i8").tolist() == expected.open_time_s[cut:].tolist()
    assert np.frombuffer(block.columns.close, "<f8").tolist() == expected.close[cut:].tolist()
    assert block.last_block
    assert {name for name in VALUE_COLUMNS if getattr(block.columns, name)} == {"close"}


async def test_messages_stay_below_a_mebibyte(data):
    whole = random_candles(78, 150_000, START_S - 150_000 * HOUR_S)
    await write_candles(data, "LONGUSDT", whole)
    for columns in ([], [candle_columns_pb2.CANDLE_COLUMN_CLOSE]):
        request = pb.StreamCandlesRequest(symbols=["LONGUSDT"], columns=columns)
        responses = [response async for response in data.StreamCandles(request)]
        assert max(response.ByteSize() for response in responses) < 2**20
        blocks = [block for response in responses for block in response.blocks]
        assert [block.last_block for block in blocks] == [False] * (len(blocks) - 1) + [True]
        close = b"".join(block.columns.close for block in blocks)
        assert close == whole.close.astype("<f8").tobytes()


def _time(seconds: int) -> Timestamp:
    return Timestamp(seconds=seconds)


async def test_all_violations_of_a_request_are_reported_at_once(data):
    request = pb.GetCandlesRequest(
        interval=99, start_time=_time(EARLIEST_S), end_time=_time(2**60), page_size=-1, page_token="next"
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await data.GetCandles(request)
    assert [violation.field for violation in violations_of(caught.value)] == [
        *("symbol", "interval", "start_time", "end_time", "page_size", "page_token")
    ]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.GetCandlesRequest(symbol="NOSUCHUSDT"), "symbol"),
        (pb.GetCandlesRequest(), "symbol"),
        (pb.GetCandlesRequest(symbol="A\0USDT"), "symbol"),
        (pb.GetCandlesRequest(symbol=SYMBOL, interval=99), "interval"),
        (pb.GetCandlesRequest(symbol=SYMBOL, page_size=-1), "page_size"),
        (pb.GetCandlesRequest(symbol=SYMBOL, page_token="next"), "page_token"),
        (pb.GetCandlesRequest(symbol=SYMBOL, start_time=_time(9), end_time=_time(9)), "start_time"),
        (pb.GetCandlesRequest(symbol=SYMBOL, end_time=_time(2**60)), "end_time"),
        (pb.GetCandlesRequest(symbol=SYMBOL, start_time=_time(EARLIEST_S)), "start_time"),
        (pb.ListCryptosRequest(before_time=_time(2**60)), "before_time"),
        (pb.StreamCandlesRequest(), "symbols"),
        (pb.StreamCandlesRequest(symbols=[SYMBOL, "NOSUCHUSDT"]), "symbols[1]"),
        (pb.StreamCandlesRequest(symbols=[SYMBOL, SYMBOL]), "symbols[1]"),
        (pb.StreamCandlesRequest(symbols=["A"] * 100_000), "symbols"),
        (pb.StreamCandlesRequest(symbols=[SYMBOL], columns=[4, 0]), "columns[1]"),
        (pb.StreamCandlesRequest(symbols=[SYMBOL], interval=99), "interval"),
        (pb.StreamCandlesRequest(symbols=[SYMBOL], known_fingerprints=["a", "b"]), "known_fingerprints"),
        (pb.StreamCandlesRequest(symbols=[SYMBOL], start_time=_time(-(2**50))), "start_time"),
    ],
)
async def test_a_wrong_request_names_its_field(data, request_, field):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        if isinstance(request_, pb.GetCandlesRequest):
            await data.GetCandles(request_)
        elif isinstance(request_, pb.ListCryptosRequest):
            await data.ListCryptos(request_)
        else:
            _ = [response async for response in data.StreamCandles(request_)]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in violations_of(caught.value)] == [field]


@pytest.mark.parametrize(
    ("rule", "counts", "close"),
    [
        # One of two hours is more than 1 %.
        (pb.CONFLICT_RULE_UNSPECIFIED, "1 of 2 stored hours would change", 100.0),
        (pb.CONFLICT_RULE_REPLACE, {"corrected": 1, "unchanged": 1}, 101.0),
        (pb.CONFLICT_RULE_KEEP, {"kept": 1, "unchanged": 1}, 100.0),
        (pb.CONFLICT_RULE_FAIL, "other values stored for 1 candle, the first", 100.0),
    ],
)
async def test_a_rule_decides_about_conflicts(data, rule, counts, close):
    symbol = f"RULE{rule}USDT"

    def candles(last_close: float) -> Candles:
        flat = np.full(2, 100.0)
        return Candles(
            START_S + HOUR_S * np.arange(2), flat, flat + 5, flat - 5, np.array([100.0, last_close]), flat
        )

    async def imported(last_close: float) -> pb.ImportCandlesResponse:
        header = pb.ImportHeader(symbol=symbol, on_conflict=rule)
        parts = (
            pb.ImportCandlesRequest(header=header),
            pb.ImportCandlesRequest(columns=candles_to(candles(last_close))),
        )
        return await data.ImportCandles(iter(parts))

    assert (await imported(100.0)).inserted == 2
    if isinstance(counts, str):
        with pytest.raises(grpc.aio.AioRpcError, match=counts) as caught:
            await imported(101.0)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    else:
        assert await imported(101.0) == pb.ImportCandlesResponse(**counts)
    page = await data.GetCandles(pb.GetCandlesRequest(symbol=symbol))
    assert page.candles[-1].close == close


# A Monday long ago: of so many hours, all have ended.
LONG_AGO_S = START_S - 200 * 7 * 86_400


def _flat(prices: dict[int, float]) -> Candles:
    hours, values = zip(*sorted(prices.items()), strict=True)
    column = np.array(values)
    return Candles(LONG_AGO_S + HOUR_S * np.array(hours), column, column, column, column, column)


async def test_the_last_block_lists_breaks_and_candles_that_miss_hours(data):
    symbol = "TOLDUSDT"
    # More than one block of hours; two breaks, of which one is none; the second day misses all but one hour.
    hours = [hour for hour in range(30_000) if not 24 < hour < 48]
    imported = await write_candles(
        data, symbol, _flat({hour: 5000.0 if 10_000 <= hour < 20_000 else 5.0 for hour in hours})
    )
    places = [(each.before_time.seconds, each.after_time.seconds) for each in imported.breaks]
    assert places == [
        (LONG_AGO_S + HOUR_S * (hour - 1), LONG_AGO_S + HOUR_S * hour) for hour in (10_000, 20_000)
    ]
    updated = await data.UpdateBreak(
        pb.UpdateBreakRequest(
            symbol="told/usdt", after_time=_time(places[1][1]), state=break_pb2.BREAK_STATE_REMOVED
        )
    )
    assert [each.state for each in updated.breaks] == [
        break_pb2.BREAK_STATE_DETECTED,
        break_pb2.BREAK_STATE_REMOVED,
    ]
    assert (await data.ListBreaks(pb.ListBreaksRequest(symbol=symbol))).breaks == updated.breaks
    for value, interval in INTERVALS.items():
        request = pb.StreamCandlesRequest(
            symbols=[symbol], interval=value, start_time=_time(LONG_AGO_S + 50 * HOUR_S)
        )
        *others, last = [block async for response in data.StreamCandles(request) for block in response.blocks]
        assert len(others) == (1 if interval is Interval.HOUR_1 else 0)
        assert not any(len(each.breaks) or each.HasField("partial_candles") for each in others)
        assert list(last.breaks) == [imported.breaks[0]]
        if interval is Interval.DAY_1:
            assert list(last.partial_candles.open_time_s) == [LONG_AGO_S + 24 * HOUR_S]
            assert list(last.partial_candles.hours) == [1]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.UpdateBreakRequest(symbol=SYMBOL, after_time=_time(START_S)), "state"),
        (pb.UpdateBreakRequest(symbol=SYMBOL, state=break_pb2.BREAK_STATE_CONFIRMED), "after_time"),
        (pb.UpdateBreakRequest(symbol=SYMBOL, after_time=_time(START_S), state=99), "state"),
        (pb.UpdateBreakRequest(symbol=SYMBOL, after_time=_time(START_S + 1), state=2), "after_time"),
        (pb.UpdateBreakRequest(symbol=SYMBOL, after_time=_time(2**60), state=2), "after_time"),
        (pb.UpdateBreakRequest(symbol="NOSUCHUSDT", after_time=_time(START_S), state=2), "symbol"),
        (pb.UpdateBreakRequest(symbol="a b", after_time=_time(START_S), state=2), "symbol"),
        (pb.ListBreaksRequest(symbol="NOSUCHUSDT"), "symbol"),
        (pb.DeleteCryptoRequest(symbol="NOSUCHUSDT"), "symbol"),
        (pb.DeleteCryptoRequest(), "symbol"),
    ],
)
async def test_a_wrong_request_about_breaks_or_deletion_names_its_field(data, request_, field):
    method = getattr(data, type(request_).__name__.removesuffix("Request"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in violations_of(caught.value)] == [field]


async def test_results_of_a_deleted_crypto_cannot_be_reached(data, gateway):
    symbol, request = (
        "GONEUSDT",
        gateway_pb.RunBacktestRequest(symbol="GONEUSDT", spec=BacktestSpec(strategy={"rsi": {}})),
    )
    await write_candles(data, symbol, CANDLES)
    first = (await gateway.RunBacktest(request)).result
    assert (await gateway.RunBacktest(request)).result.from_cache
    deleted = await data.DeleteCrypto(pb.DeleteCryptoRequest(symbol=symbol))
    assert (deleted.crypto.symbol, deleted.crypto.candle_count) == (symbol, len(CANDLES))
    assert deleted.crypto.fingerprint == first.data_fingerprint
    with pytest.raises(grpc.aio.AioRpcError, match="GONEUSDT"):
        await gateway.RunBacktest(request)
    # The same candles again are those of another crypto: nothing that is cached is read.
    await write_candles(data, symbol, CANDLES)
    again = (await gateway.RunBacktest(request)).result
    assert not again.from_cache
    assert again.data_fingerprint != first.data_fingerprint
    assert again.metrics == first.metrics
