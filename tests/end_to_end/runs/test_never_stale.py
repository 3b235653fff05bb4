"""Runs beside imports: each result is of one state of the data, and of none from before the run began."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine import Backtest, Detail, Execution, Window, run_backtest
from backcast_engine.candles import Candles
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.wire.backtests import strategy_to
from services.wire.candles import interval_to
from tests.candle_making import START_S, events_of, longer_candles, random_candles
from tests.changing_crypto import ChangingCrypto
from tests.end_to_end.processes import gateway_beside
from tests.engine_results import message_of

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

HOURS = 1_800
IMPORTS = 12
# So late that a run fetches no hours before its warm-up, and some change nevertheless.
START_HOUR = 1_300
# Amid a candle of 4 hours: it is seen with its hours after the end.
END_HOUR = 1_602
# At each of two gateways.
RUNNERS, RUNS = 2, 12


async def keep_changing(
    crypto: ChangingCrypto, data_service: "MarketDataServiceAsyncStub", seed: int, until: asyncio.Event
) -> None:
    """Append a candle, correct one in the window, one after it, and so on."""
    random = np.random.default_rng(seed)
    more = random_candles(seed, 5000)[HOURS:]
    while not until.is_set():
        await crypto.write(data_service, more[:1])
        more = more[1:]
        for hours in ((0, END_HOUR + 2), (END_HOUR + 2, HOURS)):
            change = crypto.corrected(int(random.integers(*hours)), random.uniform(0.9, 1.1))
            await crypto.write(data_service, change)


def is_of(result: result_pb2.BacktestResult, candles: Candles, interval: Interval, window: Window) -> bool:
    """Return whether a result is, bit by bit, what the engine computes from hourly candles."""
    if interval is not Interval.HOUR_1:
        candles = longer_candles(candles, interval)
    computed = run_backtest(
        History(candles), Backtest(Rsi(), interval, window, Execution(), Detail.EQUITY, 0)
    )
    message = message_of(result.symbol, result.data_fingerprint, computed, from_cache=result.from_cache)
    return message.SerializeToString(deterministic=True) == result.SerializeToString(deterministic=True)


@pytest.fixture(scope="module")
async def gateways(
    stack: LocalStack, gateway: "BacktestServiceAsyncStub", short_folder: Path
) -> "AsyncIterator[list[BacktestServiceAsyncStub]]":
    """Two gateways on one database, each with a data service of its own: imports go to the first one's."""
    async with gateway_beside(stack, short_folder / "never-stale") as other:
        yield [gateway, other]


async def test_a_call_sees_the_import_before_it_through_every_gateway(
    gateways: "list[BacktestServiceAsyncStub]", data_service: "MarketDataServiceAsyncStub"
) -> None:
    crypto, more = ChangingCrypto("SEENATONCEUSDT"), random_candles(9, HOURS + IMPORTS)
    await crypto.write(data_service, more[:HOURS])
    # The one sees the end of the data, the other a part of it.
    ends = (None, Timestamp(seconds=START_S + 3600 * END_HOUR))
    requests = [
        pb.RunBacktestRequest(
            symbol=crypto.symbol, spec=BacktestSpec(strategy=strategy_to(Rsi()), end_time=end)
        )
        for end in ends
    ]
    for number in range(IMPORTS):
        # The second time, results are cached.
        for _ in range(2):
            answers = await asyncio.gather(
                *(gateway.RunBacktest(request) for gateway in gateways for request in requests)
            )
            for answer in answers:
                assert answer.result.data_fingerprint == crypto.fingerprints[-1]
        await crypto.write(data_service, more[HOURS + number :][:1])


@pytest.mark.parametrize("interval", [Interval.HOUR_1, Interval.HOUR_4])
async def test_no_result_is_older_than_its_run_or_of_no_state_at_all(
    gateways: "list[BacktestServiceAsyncStub]",
    data_service: "MarketDataServiceAsyncStub",
    interval: Interval,
) -> None:
    gateway, _ = gateways
    cryptos = {
        symbol: ChangingCrypto(symbol)
        for symbol in (f"STALE{interval.value.upper()}{number}USDT" for number in range(3))
    }
    for seed, crypto in enumerate(cryptos.values()):
        await crypto.write(data_service, random_candles(seed, HOURS))
    window = Window(START_S + 3600 * START_HOUR, START_S + 3600 * END_HOUR)
    if interval is Interval.HOUR_1:
        assert Backtest(Rsi(), interval, window, Execution()).since_s > START_S
    request = pb.RunBacktestsRequest(
        symbols=cryptos,
        spec=BacktestSpec(
            strategy=strategy_to(Rsi()),
            interval=interval_to(interval),
            start_time=Timestamp(seconds=window.start_s),
            end_time=Timestamp(seconds=window.end_s),
        ),
        detail=result_pb2.DETAIL_EQUITY,
    )

    # With how many states each crypto had when the run began.
    results: list[tuple[result_pb2.BacktestResult, int]] = []

    async def runs(gateway: "BacktestServiceAsyncStub") -> None:
        for _ in range(RUNS):
            had = {symbol: len(crypto.fingerprints) for symbol, crypto in cryptos.items()}
            events = [event async for event in events_of(gateway, request)]
            assert events[-1].progress.completed == 3
            found = [event.result for event in events if event.HasField("result")]
            results.extend((result, had[result.symbol]) for result in found)

    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for seed, crypto in enumerate(cryptos.values()):
            group.create_task(keep_changing(crypto, data_service, seed, done))
        await asyncio.gather(*(runs(gateway) for gateway in gateways for _ in range(RUNNERS)))
        done.set()

    for result, had in results:
        crypto = cryptos[result.symbol]
        state = crypto.fingerprints.index(result.data_fingerprint)
        assert state >= had - 1
        of = [number for number, each in enumerate(crypto.states) if is_of(result, each, interval, window)]
        assert state in of, f"it is of {of}, and the crypto had {had} of {len(crypto.states)} states before"
    assert len({result.from_cache for result, _ in results}) == 2

    # Now that nothing changes: what is cached is what would be computed.
    _ = [event async for event in events_of(gateway, request)]
    kept: list[bytes] = []
    computed: list[bytes] = []
    for outcomes, cache_mode in ((kept, pb.CACHE_MODE_DEFAULT), (computed, pb.CACHE_MODE_BYPASS)):
        request.cache_mode = cache_mode
        async for event in events_of(gateway, request):
            if event.HasField("result"):
                assert event.result.from_cache == (outcomes is kept)
                event.result.from_cache = False
                outcomes.append(event.result.SerializeToString(deterministic=True))
    assert sorted(kept) == sorted(computed)
