"""Runs beside imports: each result is of one state of the data, and of none from before the run began."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1 import result_pb2
from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.compute.engine import Detail, Execution, Window, run_backtest
from services.compute.engine.strategies.rsi import Rsi
from services.compute.result_messages import result_message
from services.data.aggregation import aggregate
from services.shared.backtest_messages import strategy_to
from services.shared.candle_messages import interval_to
from services.shared.candles import Candles
from services.shared.interval import Interval
from tests.candle_making import START_S, events_of, import_candles, random_candles

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

HOURS = 600
# Amid a candle of 4 hours: it is seen with its hours after the end.
END_HOUR = 402
RUNNERS, RUNS = 3, 12


@dataclass
class Changing:
    """A crypto that imports change: all states that it had, and how many of them it certainly has had."""

    symbol: str
    states: list[Candles] = field(default_factory=list)
    written: int = 0

    async def write(self, data_service: "MarketDataServiceAsyncStub", change: Candles) -> None:
        """Import what makes the next state."""
        last = self.states[-1] if self.states else Candles.empty()
        kept = last.at(~np.isin(last.open_time_s, change.open_time_s))
        both = Candles.concatenate([kept, change])
        self.states.append(both.at(np.argsort(both.open_time_s)))
        await import_candles(data_service, self.symbol, change)
        self.written = len(self.states)


async def keep_changing(
    crypto: Changing, data_service: "MarketDataServiceAsyncStub", seed: int, until: asyncio.Event
) -> None:
    """Append a candle, correct one in the window, one after it, and so on."""
    random = np.random.default_rng(seed)
    more = random_candles(seed, 5000)[HOURS:]
    while not until.is_set():
        await crypto.write(data_service, more[:1])
        more = more[1:]
        for hours in ((0, END_HOUR + 2), (END_HOUR + 2, HOURS)):
            candle = crypto.states[-1][int(random.integers(*hours)) :][:1]
            close = candle.close * random.uniform(0.9, 1.1)
            await crypto.write(
                data_service,
                replace(
                    candle,
                    close=close,
                    high=np.maximum(candle.high, close),
                    low=np.minimum(candle.low, close),
                ),
            )


def expected(crypto: Changing, state: int, interval: Interval, window: Window) -> bytes:
    """Return what the engine makes of a state."""
    candles, _ = aggregate(crypto.states[state], interval, 20)
    if interval is Interval.HOUR_1:
        candles = crypto.states[state]
    result = run_backtest(candles, Rsi(), interval, window, Execution(), Detail.EQUITY, 0)
    return compared(result_message(crypto.symbol, "", result))


def compared(result: result_pb2.BacktestResult) -> bytes:
    """Return all of a result but where it comes from."""
    result.ClearField("from_cache")
    result.ClearField("data_fingerprint")
    return result.SerializeToString(deterministic=True)


@pytest.mark.parametrize("interval", [Interval.HOUR_1, Interval.HOUR_4])
async def test_no_result_is_older_than_its_run_or_of_no_state_at_all(
    gateway: "BacktestServiceAsyncStub", data_service: "MarketDataServiceAsyncStub", interval: Interval
) -> None:
    cryptos = {
        symbol: Changing(symbol)
        for symbol in (f"STALE{interval.value.upper()}{number}USDT" for number in range(3))
    }
    for seed, crypto in enumerate(cryptos.values()):
        await crypto.write(data_service, random_candles(seed, HOURS))
    window = Window(START_S, START_S + 3600 * END_HOUR)
    request = pb.RunBacktestsRequest(
        symbols=cryptos,
        strategy=strategy_to(Rsi()),
        interval=interval_to(interval),
        start_time=Timestamp(seconds=window.start_s),
        end_time=Timestamp(seconds=window.end_s),
        detail=result_pb2.DETAIL_EQUITY,
    )

    async def runs() -> int:
        """Run, and check each result; return how many came from the cache."""
        from_cache = 0
        for _ in range(RUNS):
            first = {symbol: crypto.written - 1 for symbol, crypto in cryptos.items()}
            events = [event async for event in events_of(gateway, request)]
            assert events[-1].progress.completed == 3
            for result in (event.result for event in events if event.HasField("result")):
                from_cache += result.from_cache
                crypto = cryptos[result.symbol]
                possible = range(first[result.symbol], len(crypto.states))
                assert compared(result) in {expected(crypto, state, interval, window) for state in possible}
        return from_cache

    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for seed, crypto in enumerate(cryptos.values()):
            group.create_task(keep_changing(crypto, data_service, seed, done))
        from_cache = await asyncio.gather(*(runs() for _ in range(RUNNERS)))
        done.set()
    assert sum(from_cache) > 0

    # Now that nothing changes: what is cached is what would be computed.
    _ = [event async for event in events_of(gateway, request)]
    kept, computed = [], []
    for results, cache_mode in ((kept, pb.CACHE_MODE_DEFAULT), (computed, pb.CACHE_MODE_BYPASS)):
        request.cache_mode = cache_mode
        async for event in events_of(gateway, request):
            if event.HasField("result"):
                assert event.result.from_cache == (results is kept)
                event.result.from_cache = False
                results.append(event.result.SerializeToString(deterministic=True))
    assert sorted(kept) == sorted(computed)
