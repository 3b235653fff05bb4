"""What a fetch needs is away for a while: it goes on when it is back, and reports what happened."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.feed import writing
from services.rpc.channel import open_channel
from tests.feed.fetching import (
    START_S,
    Store,
    closed,
    fetch,
    made_records,
    own_market,
    rows,
    span,
    stand_in_of,
)
from tests.feed.stand_in import HOUR_S, serving
from tests.feed.stopped_services import Stopped, stopped_services
from tests.folders import new_folder
from tests.paused_processes import paused
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.usefixtures("real_retries")


@dataclass
class Retries:
    """Why something was tried again, and whether it was already."""

    reasons: list[str] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, details: RetryDetails) -> None:
        """Note a retry."""
        self.reasons.append(str(details.caused_by))
        self.begun.set()


@pytest.fixture
def real_retries(monkeypatch: pytest.MonkeyPatch) -> Iterator[Retries]:
    """Wait between retries, as long as a busy machine needs to start a service."""
    monkeypatch.setattr(writing, "_PATIENCE_S", 3 * LIMIT_S)
    retries = Retries()
    with stamina.set_testing(False):
        set_on_retry_hooks([retries.note])
        try:
            yield retries
        finally:
            set_on_retry_hooks(None)


async def test_a_fetch_waits_for_a_data_service_that_stands_still(
    short_folder: Path, real_retries: Retries
) -> None:
    records, market = made_records(1000), own_market("binance")
    stand_in = stand_in_of("binance", records, START_S + 990 * HOUR_S, cap=100)

    async with stopped_services(new_folder(short_folder, "still")) as services:
        with ExitStack() as pause:
            stand_in.on_request = lambda number: (
                pause.enter_context(paused(services.data_pid)) if number == 6 else None
            )
            async with open_channel(services.address) as channel:
                store = Store(MarketDataServiceStub(channel), "binance", "data")
                with serving(stand_in):
                    fetching = asyncio.create_task(fetch(stand_in, store, market, span(1000)))
                    await asyncio.wait_for(real_retries.begun.wait(), 2 * LIMIT_S)
                    pause.close()
                    report = await asyncio.wait_for(fetching, 3 * LIMIT_S)
                assert (report.error, report.inserted) == (None, 990)
                assert rows(await store.candles(market.symbol)) == closed(records, stand_in.now_s, span(1000))
                assert await store.asked(market.symbol) == [span(990)]
    assert real_retries.reasons[0].startswith("the data service does not answer")


@pytest.mark.parametrize("away", ["data service", "database"])
async def test_a_fetch_waits_for_what_stores_candles(
    short_folder: Path, real_retries: Retries, away: Stopped
) -> None:
    records, market = made_records(1000), own_market("binance")
    stand_in = stand_in_of("binance", records, START_S + 990 * HOUR_S, cap=100)

    async with stopped_services(new_folder(short_folder, "away")) as services:
        stand_in.on_request = lambda number: services.stop(away) if number == 6 else None
        async with open_channel(services.address) as channel:
            store = Store(MarketDataServiceStub(channel), "binance", "data")
            with serving(stand_in):
                fetching = asyncio.create_task(fetch(stand_in, store, market, span(1000)))
                await asyncio.wait_for(real_retries.begun.wait(), LIMIT_S)
                await services.start(away)
                report = await asyncio.wait_for(fetching, 3 * LIMIT_S)
            assert (report.error, report.inserted) == (None, 990)
            assert rows(await store.candles(market.symbol)) == closed(records, stand_in.now_s, span(1000))
            assert await store.asked(market.symbol) == [span(990)]
    said = {"data service": "the data service does not answer", "database": "the database "}[away]
    assert real_retries.reasons
    assert all(reason.startswith(said) for reason in real_retries.reasons)


async def test_a_fetch_waits_for_the_exchange(data_service, real_retries: Retries) -> None:
    records, market = made_records(300), own_market("okx")
    stand_in = stand_in_of("okx", records, START_S + 290 * HOUR_S, faults=deque(["", "", *["closed"] * 3]))
    store = Store(data_service, "okx")
    with serving(stand_in):
        report = await fetch(stand_in, store, market, span(300))
    assert (report.error, report.inserted) == (None, 290)
    assert len(real_retries.reasons) == 3
    assert all(reason.startswith("there is no connection to 127.0.0.1:") for reason in real_retries.reasons)
