"""Which cryptos there are: what is known of them is checked for each request, and checks are shared."""

import asyncio

from services.domain.errors import InvalidInput
from services.gateway.upstream.market import Market
from tests.gateway.listing_service import SYMBOLS, ListingService


async def seen(market: Market, symbols: list[str], before_s: int | None = None) -> list[str]:
    return [crypto.seen_fingerprint for crypto in await market.cryptos(symbols, before_s)]


def asking(market: Market, *symbols: str) -> "asyncio.Task[list[str]]":
    """Return a request that comes when the test next waits."""
    return asyncio.create_task(seen(market, list(symbols)))


async def asked(market: Market, *symbols: str) -> "asyncio.Task[list[str]]":
    """Return a request that has come, and waits."""
    request = asking(market, *symbols)
    await asyncio.sleep(0)
    return request


async def test_what_is_unchanged_is_not_listed_again(data: ListingService, market: Market) -> None:
    for _ in range(3):
        assert await seen(market, ["AUSDT"]) == ["AUSDT 1"]
    data.number = 2
    assert await seen(market, ["AUSDT"]) == ["AUSDT 2"]
    assert [call.known_version for call in data.calls] == ["", "version 1", "version 1", "version 1"]


async def test_a_check_serves_only_requests_that_came_before_it_began(
    data: ListingService, market: Market
) -> None:
    data.hold()
    first = await asked(market, "AUSDT")
    await data.until_called()
    # An import returns after the first check has read the data.
    data.number = 2
    later = [await asked(market, "AUSDT") for _ in range(5)]
    data.release()
    assert await first == ["AUSDT 1"]
    assert await asyncio.gather(*later) == [["AUSDT 2"]] * 5
    assert len(data.calls) == 2


async def test_requests_that_come_together_share_a_check(data: ListingService, market: Market) -> None:
    await seen(market, [])
    requests = [seen(market, [symbol]) for symbol in SYMBOLS for _ in range(4)]
    assert await asyncio.gather(*requests) == [[f"{symbol} 1"] for symbol in SYMBOLS for _ in range(4)]
    assert len(data.calls) == 2


async def test_one_check_is_under_way_at_a_time(data: ListingService, market: Market) -> None:
    await seen(market, [])
    requests = []
    while len(data.calls) < 20:
        requests.append(await asked(market, "AUSDT"))
    assert await asyncio.gather(*requests) == [["AUSDT 1"]] * len(requests)
    assert data.most_under_way == 1
    assert len(data.calls) < len(requests)


async def test_whoever_asked_for_a_check_may_leave(data: ListingService, market: Market) -> None:
    data.hold()
    first, second = asking(market, "AUSDT"), asking(market, "AUSDT")
    await data.until_called()
    first.cancel()
    data.release()
    assert await second == ["AUSDT 1"]
    assert len(data.calls) == 1


async def test_a_check_that_fails_fails_its_requests_and_no_other(
    data: ListingService, market: Market
) -> None:
    data.hold()
    data.fails = True
    failing = [asking(market, "AUSDT") for _ in range(3)]
    await data.until_called()
    data.fails = False
    later = await asked(market, "AUSDT")
    data.release()
    for ended in await asyncio.gather(*failing, return_exceptions=True):
        assert isinstance(ended, InvalidInput)
    assert await later == ["AUSDT 1"]


async def test_only_what_is_asked_for_is_listed(data: ListingService, market: Market) -> None:
    assert await seen(market, ["BUSDT"]) == ["BUSDT 1"]
    assert await seen(market, ["CUSDT", "AUSDT"]) == ["CUSDT 1", "AUSDT 1"]
    # By now, all of these are known.
    assert await seen(market, ["AUSDT", "BUSDT"]) == ["AUSDT 1", "BUSDT 1"]
    assert await seen(market, []) == [f"{symbol} 1" for symbol in SYMBOLS]
    listed = [list(call.symbols) for call in data.calls if not call.known_version]
    assert listed == [["BUSDT"], ["CUSDT", "AUSDT"], []]


async def test_whoever_names_an_unknown_crypto_gets_all(data: ListingService, market: Market) -> None:
    everything = [f"{symbol} 1" for symbol in SYMBOLS]
    assert await seen(market, ["AUSDT", "DUSDT"]) == everything
    calls = len(data.calls)
    assert await seen(market, ["DUSDT"]) == everything
    assert len(data.calls) == calls + 1


async def test_each_time_before_which_runs_see_the_data_has_a_list_of_its_own(
    data: ListingService, market: Market
) -> None:
    for _ in range(2):
        for before_s in (None, 3600, 7200):
            part = "" if before_s is None else f" before {before_s}"
            assert await seen(market, ["AUSDT"], before_s) == [f"AUSDT 1{part}"]
    # Each was checked, and listed once.
    assert len(data.calls) == 6 + 2
    # However many there are, few are kept.
    for before_s in range(1, 101):
        assert await seen(market, ["AUSDT"], before_s) == [f"AUSDT 1 before {before_s}"]
    calls = len(data.calls)
    await seen(market, ["AUSDT"], 100)
    assert len(data.calls) == calls + 1
    await seen(market, ["AUSDT"], 1)
    assert len(data.calls) == calls + 3


async def test_a_list_of_older_data_that_comes_late_is_only_for_who_asked_for_it(
    data: ListingService, market: Market
) -> None:
    await seen(market, ["AUSDT"])
    # It is told that what is known is up to date, and has to list another crypto.
    data.hold()
    late = await asked(market, "BUSDT")
    await data.until_called()
    data.release()
    data.hold()
    await data.until_called()
    held = data.may_answer
    data.number = 2
    data.may_answer = asyncio.Event()
    data.release()
    assert await seen(market, ["AUSDT"]) == ["AUSDT 2"]
    held.set()
    assert await late == ["BUSDT 1"]
    assert await seen(market, ["AUSDT", "BUSDT"]) == ["AUSDT 2", "BUSDT 2"]


async def test_a_data_service_that_tells_no_versions_is_asked_for_each_request(
    data: ListingService, market: Market
) -> None:
    data.tells_versions = False
    for number in (1, 2, 3):
        data.number = number
        requests = [seen(market, [symbol]) for symbol in SYMBOLS]
        assert await asyncio.gather(*requests) == [[f"{symbol} {number}"] for symbol in SYMBOLS]
