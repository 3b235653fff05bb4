"""What is stored is what the exchange has of the closed hours, for any faults and whenever fetches end."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine.errors import BackcastError
from services.feed.exchanges.all_exchanges import EXCHANGES
from services.feed.exchanges.exchange import ExchangeMarket
from services.feed.fetch import OVERLAP_S, CryptoReport
from services.feed.spans import Span
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
from tests.feed.stand_in import HOUR_S, LASTING_FAULTS, PASSING_FAULTS, StandIn, serving


def killer(task: asyncio.Task[CryptoReport], last: int) -> Callable[[int], None]:
    """Return what ends a task when its exchange gets request number `last`."""
    loop = asyncio.get_running_loop()

    def kill(number: int) -> None:
        if number == last:
            loop.call_soon_threadsafe(task.cancel)

    return kill


async def fetched_at_last(
    stand_in: StandIn, store: Store, market: ExchangeMarket, wanted: Span
) -> CryptoReport:
    """Fetch as often as it takes: a fault may end a fetch."""
    while stand_in.faults:
        with suppress(BackcastError):
            report = await fetch(stand_in, store, market, wanted)
            if not report.error:
                return report
    return await fetch(stand_in, store, market, wanted)


def apart(faults: list[str]) -> deque[str | bytes]:
    """Return faults without an empty answer soon after another: two of them are what an exchange has."""
    result: list[str | bytes] = []
    for fault in faults:
        result.append("" if fault == "[]" and "[]" in result[-6:] else fault)
    return deque(result)


@settings(max_examples=25)
@given(
    exchange_name=st.sampled_from(sorted(EXCHANGES)),
    absent=st.lists(st.tuples(st.integers(0, 690), st.integers(1, 130)), max_size=3),
    cap=st.sampled_from((40, 100, 10_000)),
    faults=st.lists(st.sampled_from(("", "", *PASSING_FAULTS, *LASTING_FAULTS)), max_size=20),
    kills=st.lists(st.integers(1, 12), max_size=3),
    ahead_s=st.sampled_from((-331, 0, 331)),
    minutes=st.sampled_from((0, 30)),
)
async def test_the_database_equals_the_closed_hours_for_any_faults_and_kills(
    data_service, exchange_name, absent, cap, faults, kills, ahead_s, minutes
):
    records = made_records(690, {hour + each for hour, length in absent for each in range(length)})
    now_s = START_S + 680 * HOUR_S + 60 * minutes
    market, store = own_market(exchange_name), Store(data_service, exchange_name)
    stand_in = stand_in_of(exchange_name, records, now_s, ahead_s=ahead_s, cap=cap)
    if exchange_name == "kraken":
        stand_in.cap = 10_000  # what it does not send cannot be had
    stand_in.faults = apart(faults)
    with serving(stand_in):
        for kill_at in kills:
            task = asyncio.create_task(fetch(stand_in, store, market, span(10_000)))
            stand_in.on_request = killer(task, len(stand_in.asked) + kill_at)
            await asyncio.wait([task])
            assert task.cancelled() or isinstance(task.exception(), BackcastError | None)
        stand_in.on_request = None
        report = await fetched_at_last(stand_in, store, market, span(10_000))
        assert report.error is None
        closed_s = min(stand_in.clock.now_s(), stand_in.now_s)
        expected = closed(records, closed_s, span(10_000))
        if expected:
            assert rows(await store.candles(market.symbol)) == expected

        stand_in.faults.clear()
        stand_in.asked.clear()
        again = await fetch(stand_in, store, market, span(10_000))
        assert (again.inserted, again.corrected) == (0, 0)
        if expected:
            oldest = min(first for first, _ in stand_in.windows())
            assert oldest >= closed_s // HOUR_S * HOUR_S - OVERLAP_S
    assert stand_in.most_used <= stand_in.exchange.limit.weight
