"""The list of cryptos: it is checked for each request, and requests at the same time share a check."""

import asyncio

import pytest

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.domain.errors import Unavailable
from services.gateway.upstream.market import MarketCatalog
from services.rpc.channel import open_channel
from tests.candle_making import START_S
from tests.gateway.market_data import SYMBOLS, Calls, MarketData
from tests.waiting import LIMIT_S

HOUR_S = 3_600


async def seen(market: MarketCatalog, symbols: list[str], before_s: int | None = None) -> list[str]:
    return [crypto.seen_fingerprint for crypto in await market.cryptos(symbols, before_s)]


def asking(market: MarketCatalog, *symbols: str) -> "asyncio.Task[list[str]]":
    """Return a request that comes when the test next waits."""
    return asyncio.create_task(seen(market, list(symbols)))


async def asked(market: MarketCatalog, *symbols: str) -> "asyncio.Task[list[str]]":
    """Return a request that has come, and waits."""
    request = asking(market, *symbols)
    await asyncio.sleep(0)
    return request


async def test_what_is_unchanged_is_not_listed_again(
    data: MarketData, calls: Calls, market: MarketCatalog
) -> None:
    before = await data.fingerprints("AUSDT")
    for _ in range(3):
        assert await seen(market, ["AUSDT"]) == before
    await data.change("AUSDT")
    after = await data.fingerprints("AUSDT")
    assert after != before
    assert await seen(market, ["AUSDT"]) == after
    assert [answer.unchanged for answer in calls.answers] == [False, True, True, False]


async def test_a_check_serves_only_requests_that_came_before_it_began(
    data: MarketData, calls: Calls, market: MarketCatalog
) -> None:
    before = await data.fingerprints("AUSDT")
    may_pass = calls.hold()
    first = await asked(market, "AUSDT")
    await calls.until_answered()
    # This import returns after the first check has read the data.
    await data.change("AUSDT")
    later = [await asked(market, "AUSDT") for _ in range(5)]
    may_pass.set()
    assert await first == before
    assert await asyncio.gather(*later) == [await data.fingerprints("AUSDT")] * 5
    assert len(calls.requests) == 2


async def test_requests_that_come_together_share_a_check(
    data: MarketData, calls: Calls, market: MarketCatalog
) -> None:
    await seen(market, [])
    requests = [seen(market, [symbol]) for symbol in SYMBOLS for _ in range(4)]
    present = await data.fingerprints()
    assert await asyncio.gather(*requests) == [[fingerprint] for fingerprint in present for _ in range(4)]
    assert len(calls.requests) == 2


async def test_one_check_is_under_way_at_a_time(
    data: MarketData, calls: Calls, market: MarketCatalog
) -> None:
    await seen(market, [])
    requests = []
    while len(calls.requests) < 20:
        requests.append(await asked(market, "AUSDT"))
    assert await asyncio.gather(*requests) == [await data.fingerprints("AUSDT")] * len(requests)
    assert calls.most_under_way == 1
    assert len(calls.requests) < len(requests)


async def test_a_check_without_an_answer_does_not_hold_up_the_next_one(data: MarketData) -> None:
    calls = Calls()
    async with open_channel(data.address, interceptors=[calls]) as channel:
        market = MarketCatalog(MarketDataServiceStub(channel), slow_check_s=0.01)
        may_pass = calls.hold()
        first = await asked(market, "AUSDT")
        await calls.until_answered()
        calls.hold().set()
        async with asyncio.timeout(LIMIT_S):
            assert await seen(market, ["AUSDT"]) == await data.fingerprints("AUSDT")
        assert not first.done()
        may_pass.set()
        assert await first == await data.fingerprints("AUSDT")


async def test_whoever_asked_for_a_check_may_leave(
    data: MarketData, calls: Calls, market: MarketCatalog
) -> None:
    may_pass = calls.hold()
    first, second = asking(market, "AUSDT"), asking(market, "AUSDT")
    await calls.until_answered()
    first.cancel()
    may_pass.set()
    assert await second == await data.fingerprints("AUSDT")
    assert first.cancelled()
    assert len(calls.requests) == 1


async def test_a_check_that_fails_fails_its_requests_and_no_other(
    data: MarketData, calls: Calls, market: MarketCatalog
) -> None:
    async with data.broken():
        failing = [asking(market, "AUSDT") for _ in range(3)]
        await calls.until_answered()
        # The check goes on for a while: a data service may be back soon.
        later = await asked(market, "AUSDT")
        for request in failing:
            with pytest.raises(Unavailable, match="the data service failed"):
                await request
    assert await later == await data.fingerprints("AUSDT")


async def test_only_what_is_asked_for_is_listed(
    data: MarketData, calls: Calls, market: MarketCatalog
) -> None:
    present = dict(zip(SYMBOLS, await data.fingerprints(), strict=True))
    for symbols in (["BUSDT"], ["CUSDT", "AUSDT"], ["AUSDT", "BUSDT"], []):
        assert await seen(market, symbols) == [present[symbol] for symbol in symbols or SYMBOLS]
    # By the third time, all that was asked for was known.
    listed = [list(request.symbols) for request in calls.requests if not request.known_version]
    assert listed == [["BUSDT"], ["CUSDT", "AUSDT"], []]


async def test_whoever_names_an_unknown_crypto_gets_all(
    data: MarketData, calls: Calls, market: MarketCatalog
) -> None:
    everything = await data.fingerprints()
    assert await seen(market, ["AUSDT", "DUSDT"]) == everything
    count = len(calls.requests)
    assert await seen(market, ["DUSDT"]) == everything
    assert len(calls.requests) == count + 1


async def test_each_time_before_which_runs_see_the_data_has_a_list_of_its_own(
    data: MarketData, calls: Calls, market: MarketCatalog
) -> None:
    for hour in (100, 200):
        await data.change("AUSDT", hour)
    times_s = [None, START_S + 150 * HOUR_S, START_S + 50 * HOUR_S]
    present = [await data.fingerprints("AUSDT", before_s=before_s) for before_s in times_s]
    assert len({*map(tuple, present)}) == 3
    for _ in range(2):
        assert [await seen(market, ["AUSDT"], before_s) for before_s in times_s] == present
    # Each was checked, and listed once.
    assert len(calls.requests) == 6 + 2
    # However many there are, few are kept.
    many_s = range(START_S, START_S + 100 * HOUR_S, HOUR_S)
    for before_s in many_s:
        await seen(market, ["AUSDT"], before_s)
    for before_s, needed in ((many_s[-1], 1), (many_s[0], 2)):
        count = len(calls.requests)
        await seen(market, ["AUSDT"], before_s)
        assert len(calls.requests) == count + needed


async def test_a_list_of_older_data_that_comes_late_is_only_for_who_asked_for_it(
    data: MarketData, calls: Calls, market: MarketCatalog
) -> None:
    await seen(market, ["AUSDT"])
    before = await data.fingerprints("BUSDT")
    # The answer is that the known list is up to date, and then another crypto has to be listed.
    check_may_pass = calls.hold()
    late = await asked(market, "BUSDT")
    await calls.until_answered()
    list_may_pass = calls.hold()
    check_may_pass.set()
    await calls.until_answered()
    calls.hold().set()
    for symbol in ("AUSDT", "BUSDT"):
        await data.change(symbol)
    assert await seen(market, ["AUSDT"]) == await data.fingerprints("AUSDT")
    list_may_pass.set()
    assert await late == before
    assert await seen(market, ["AUSDT", "BUSDT"]) == await data.fingerprints("AUSDT", "BUSDT")


async def test_pages_of_several_versions_are_only_for_who_asked_for_them(
    data: MarketData, calls: Calls, market: MarketCatalog
) -> None:
    async with data.crowded():
        before = await data.fingerprints("AUSDT")
        may_pass = calls.hold()
        first = await asked(market)
        await calls.until_answered()
        # It is on the first page.
        await data.change("AUSDT")
        may_pass.set()
        assert (await first)[:1] == before
        assert len(calls.answers) == 2
        assert await seen(market, ["AUSDT"]) == await data.fingerprints("AUSDT")
