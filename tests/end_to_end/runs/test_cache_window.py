"""A result is kept for as long as nothing changes in the part of the data that its window sees."""

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import ParseDict

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.candles import Candles
from backcast_engine.times import utc
from tests.candle_making import START_S, events_of, import_candles, random_candles
from tests.end_to_end.sweeps.sweeping import sweep_request, swept
from tests.requests import with_spec

if TYPE_CHECKING:
    from backcast.backtest.v1.result_pb2 import BacktestResult
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

HOUR_S = 3600
HOURS = 1500
# The tests' window ends amid the data, and with 4 hours amid a candle: the one of the hours 1400 to 1403.
END_HOUR = 1401

_numbers = count()


class Market:
    """Three cryptos of one test."""

    def __init__(self, data_service: "MarketDataServiceAsyncStub") -> None:
        number = next(_numbers)
        self._data_service = data_service
        self.symbols = [f"SEEN{number}{letter}USDT" for letter in "ABC"]
        self.changed = self.symbols[1]
        self._candles = random_candles(number + 300, HOURS + 1)

    async def fill(self) -> None:
        """Import all candles but the last."""
        for symbol in self.symbols:
            await import_candles(self._data_service, symbol, self._candles[:HOURS])

    async def append(self) -> None:
        """Import the last candle of the second crypto."""
        counts = await import_candles(self._data_service, self.changed, self._candles[HOURS:])
        assert counts.inserted == 1

    async def append_after_gap(self, hour: int) -> None:
        """Import a candle of the second crypto that opens later than its next one would."""
        candle = self._candles[HOURS:]
        later = replace(candle, open_time_s=candle.open_time_s + (hour - HOURS) * HOUR_S)
        counts = await import_candles(self._data_service, self.changed, later)
        assert counts.inserted == 1

    async def correct(self, hour: int) -> None:
        """Import a candle of the second crypto with another close."""
        candle = self._candles[hour : hour + 1]
        corrected: Candles = replace(candle, high=candle.high * 1.5, close=candle.high * 1.5)
        counts = await import_candles(self._data_service, self.changed, corrected)
        assert counts.corrected == 1

    def request(self, **fields: Any) -> dict[str, Any]:
        """Return a request whose window ends amid the data, as JSON."""
        end = utc(START_S + END_HOUR * HOUR_S).replace(" UTC", ":00Z").replace(" ", "T")
        return {"symbols": self.symbols, "strategy": {"rsi": {}}, "endTime": end, **fields}


@pytest.fixture
async def seen(data_service: "MarketDataServiceAsyncStub") -> Market:
    market = Market(data_service)
    await market.fill()
    return market


async def results(
    gateway: "BacktestServiceAsyncStub", request: dict[str, Any]
) -> dict[str, "BacktestResult"]:
    message = ParseDict(with_spec(**request), pb.RunBacktestsRequest())
    events = [event async for event in events_of(gateway, message)]
    return {event.result.symbol: event.result for event in events if event.HasField("result")}


async def missed(gateway: "BacktestServiceAsyncStub", request: dict[str, Any]) -> list[str]:
    """Return the cryptos whose results were computed."""
    found = await results(gateway, request)
    return sorted(symbol for symbol, result in found.items() if not result.from_cache)


async def assert_kept_is_what_would_be_computed(
    gateway: "BacktestServiceAsyncStub", request: dict[str, Any]
) -> None:
    """Assert that all results are cached, and as of the present data, its fingerprint included."""
    cached = await results(gateway, request)
    for result in cached.values():
        assert result.from_cache
        result.from_cache = False
    assert cached == await results(gateway, {**request, "cacheMode": "CACHE_MODE_BYPASS"})


@pytest.mark.parametrize("interval", ["INTERVAL_1H", "INTERVAL_4H", "INTERVAL_1D"])
async def test_a_candle_appended_after_the_window_leaves_it_cached(
    gateway: "BacktestServiceAsyncStub", seen: Market, interval: str
) -> None:
    request = seen.request(interval=interval, detail="DETAIL_EQUITY")
    assert await missed(gateway, request) == seen.symbols
    await seen.append()
    await assert_kept_is_what_would_be_computed(gateway, request)


@pytest.mark.parametrize(
    ("interval", "hour", "is_seen"),
    [
        ("INTERVAL_1H", 0, True),
        ("INTERVAL_1H", END_HOUR - 1, True),
        ("INTERVAL_1H", END_HOUR, False),
        ("INTERVAL_1H", HOURS - 1, False),
        # The window's last candle opens before its end, and closes after it.
        ("INTERVAL_4H", END_HOUR, True),
        ("INTERVAL_4H", 1403, True),
        ("INTERVAL_4H", 1404, False),
    ],
)
async def test_a_correction_makes_that_crypto_miss_exactly_where_the_window_sees_it(
    gateway: "BacktestServiceAsyncStub", seen: Market, interval: str, hour: int, is_seen: bool
) -> None:
    request = seen.request(interval=interval, detail="DETAIL_EQUITY")
    await results(gateway, request)
    await seen.correct(hour)
    assert await missed(gateway, request) == ([seen.changed] if is_seen else [])
    await assert_kept_is_what_would_be_computed(gateway, request)


async def test_the_end_of_the_data_given_or_not_is_one_result(
    gateway: "BacktestServiceAsyncStub", seen: Market
) -> None:
    open_end = seen.request()
    end = utc(START_S + HOURS * HOUR_S).replace(" UTC", ":00Z").replace(" ", "T")
    del open_end["endTime"]
    assert await missed(gateway, open_end) == seen.symbols
    assert await missed(gateway, seen.request(endTime=end)) == []


async def test_sweeps_are_kept_as_long(gateway: "BacktestServiceAsyncStub", seen: Market) -> None:
    ranges = [{"name": "period", "values": [5, 9, 14]}, {"name": "oversold", "values": [25, 40]}]
    request = sweep_request(**seen.request(ranges=ranges, split=0.7))

    async def computed() -> int:
        progress = (await swept(gateway, request)).summary.progress
        assert progress.total == 36
        return int(progress.total - progress.from_cache)

    assert await computed() == 36
    await seen.append()
    await seen.correct(END_HOUR)
    assert await computed() == 0
    await seen.correct(END_HOUR - 1)
    assert await computed() == 12
    assert await computed() == 0
    kept = (await swept(gateway, request)).outcome
    request.cache_mode = pb.CACHE_MODE_BYPASS
    assert kept == (await swept(gateway, request)).outcome


# The data's last day begins with the hour 1488 and ends with the hour 1511: it is not over.
DAY_END_HOUR = 1512


@pytest.mark.parametrize(
    ("interval", "hour", "is_over_now"),
    [
        ("INTERVAL_1D", DAY_END_HOUR, True),
        ("INTERVAL_1D", DAY_END_HOUR + 40, True),
        ("INTERVAL_4H", DAY_END_HOUR + 40, True),
        # An hour has no hours to wait for.
        ("INTERVAL_1H", DAY_END_HOUR + 40, False),
    ],
)
async def test_a_candle_after_the_window_and_a_gap_ends_the_days_before_it(
    gateway: "BacktestServiceAsyncStub", seen: Market, interval: str, hour: int, is_over_now: bool
) -> None:
    # With 4 hours, the last candle is that of the hours 1500 to 1503, of which there is none.
    end_hour = DAY_END_HOUR if interval == "INTERVAL_1D" else HOURS + 3
    end = utc(START_S + end_hour * HOUR_S).replace(" UTC", ":00Z").replace(" ", "T")
    request = seen.request(interval=interval, detail="DETAIL_EQUITY", endTime=end)
    assert await missed(gateway, request) == seen.symbols
    await seen.append_after_gap(hour)
    # No candle before the window's end changed.
    assert await missed(gateway, request) == ([seen.changed] if is_over_now else [])
    await assert_kept_is_what_would_be_computed(gateway, request)


async def test_sweeps_of_days_are_kept_as_long(gateway: "BacktestServiceAsyncStub", seen: Market) -> None:
    end = utc(START_S + DAY_END_HOUR * HOUR_S).replace(" UTC", ":00Z").replace(" ", "T")
    ranges = [{"name": "period", "values": [3, 5]}]
    request = sweep_request(**seen.request(ranges=ranges, interval="INTERVAL_1D", endTime=end))
    assert (await swept(gateway, request)).summary.progress.from_cache == 0
    await seen.append_after_gap(DAY_END_HOUR + 40)
    assert (await swept(gateway, request)).summary.progress.from_cache == 4
    kept = (await swept(gateway, request)).outcome
    request.cache_mode = pb.CACHE_MODE_BYPASS
    assert kept == (await swept(gateway, request)).outcome
