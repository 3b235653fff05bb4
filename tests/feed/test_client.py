"""The client of an exchange takes only answers of the right shape, and says why there is none."""

import json
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine.errors import BackcastError, InvalidInput, Refused
from services.feed import client as client_module
from services.feed.client import ExchangeClient
from services.feed.errors import Banned, Forbidden, Unanswered, Unreachable, shortened
from services.feed.exchanges.all_exchanges import EXCHANGES, exchange_named
from services.feed.exchanges.exchange import ExchangeMarket
from services.feed.markets import with_quote, with_symbols
from tests.feed.fetching import served_as
from tests.feed.stand_in import HOUR_S, NAMES, PASSING_FAULTS, StandIn, serving
from tests.feed.virtual_clock import VirtualClock
from tests.ingest.exchange_answers import Record
from tests.security.certificates import make_files

START_S = 1_700_002_800
RECORDS: list[Record] = [(START_S + HOUR_S * hour, "2", "3", "1", "2.5", f"{hour}") for hour in range(50)]
NOW_S = START_S + 60 * HOUR_S


@asynccontextmanager
async def client_of(
    exchange_name: str, faults: tuple[str, ...] = (), read_s: float = 30.0, **more: int
) -> AsyncIterator[tuple[ExchangeClient, StandIn, ExchangeMarket]]:
    stand_in = StandIn(
        EXCHANGES[exchange_name],
        VirtualClock(NOW_S),
        served_as(exchange_name, RECORDS),
        faults=deque(faults),
        **more,
    )
    name, symbol = NAMES[exchange_name]
    with serving(stand_in):
        async with ExchangeClient(stand_in.exchange, stand_in.clock, stand_in.base_url, read_s) as client:
            yield client, stand_in, ExchangeMarket(symbol, name, "USDT", True)


async def asked(client: ExchangeClient, market: ExchangeMarket) -> np.ndarray:
    rows = await client.candles(market, START_S, START_S + 50 * HOUR_S)
    assert rows is not None
    return np.unique(rows.times_s())


@pytest.mark.parametrize("exchange_name", EXCHANGES)
@pytest.mark.parametrize(
    "fault", [each for each in PASSING_FAULTS if each not in ("short", "row before", "[]")]
)
async def test_a_fault_that_passes_is_asked_again(exchange_name: str, fault: str) -> None:
    async with client_of(exchange_name, (fault,)) as (client, stand_in, market):
        assert len(await asked(client, market)) == 50
        assert len(stand_in.asked) == (1 if fault == "twice" else 2)


async def test_an_answer_that_stalls_is_asked_again() -> None:
    async with client_of("binance", ("stall",), read_s=1.0) as (client, stand_in, market):
        assert len(await asked(client, market)) == 50
        assert len(stand_in.asked) >= 2


@pytest.mark.parametrize("exchange_name", EXCHANGES)
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("html", "its answer is not JSON"),
        ("null", "not JSON"),
        ("503", "it answers with status 503"),
        ("cut", "there is no connection to 127.0.0.1:"),
        ("closed", "there is no connection to 127.0.0.1:"),
    ],
)
async def test_five_faults_are_no_empty_answer_but_an_error(exchange_name, fault, reason) -> None:
    async with client_of(exchange_name, (fault,) * 5) as (client, stand_in, market):
        with pytest.raises(Unanswered, match=f"was asked 5 times without a usable answer: .*{reason}"):
            await asked(client, market)
        assert len(stand_in.asked) == 5


@pytest.mark.parametrize("exchange_name", EXCHANGES)
async def test_json_of_another_shape_is_no_empty_answer(exchange_name: str) -> None:
    async with client_of(exchange_name, ("not the shape",) * 5) as (client, _, market):
        with pytest.raises(Unanswered):
            await asked(client, market)


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("418", Banned, "Binance has banned this machine until 2023-11-17 11:05 UTC"),
        ("403", Forbidden, "Binance refuses to answer this machine, with status 403"),
        ("451", Forbidden, "Binance refuses to answer this machine, with status 451"),
        ("400", Refused, "Binance refuses the request, with status 400"),
        ("302", Unreachable, "Binance sends elsewhere, with status 302"),
    ],
)
async def test_what_does_not_pass_is_asked_once(fault: str, kind: type[BackcastError], message: str) -> None:
    async with client_of("binance", (fault,)) as (client, stand_in, market):
        with pytest.raises(kind, match=message):
            await asked(client, market)
        assert len(stand_in.asked) == 1


@pytest.mark.parametrize("exchange_name", EXCHANGES)
async def test_a_symbol_that_the_exchange_does_not_know_is_asked_once(exchange_name: str) -> None:
    async with client_of(exchange_name) as (client, stand_in, _):
        with pytest.raises(InvalidInput, match=r"^symbol: \w+ does not know it: "):
            await client.candles(ExchangeMarket("NOUSDT", "NO-USDT", "USDT", True), START_S, START_S + HOUR_S)
        assert len(stand_in.asked) == 1


async def test_a_client_that_is_asked_to_wait_waits_as_long() -> None:
    async with client_of("binance", ("429", "429")) as (client, stand_in, market):
        assert len(await asked(client, market)) == 50
        assert stand_in.clock.now_s() == NOW_S + 14


@pytest.mark.parametrize("ahead_s", [-300, 0, 300])
async def test_a_time_to_wait_until_is_one_of_the_exchanges_clock(ahead_s: int) -> None:
    async with client_of("binance", ("429 until",), ahead_s=ahead_s) as (client, stand_in, market):
        assert len(await asked(client, market)) == 50
        assert stand_in.clock.now_s() == NOW_S + 7


async def test_an_answer_that_comes_byte_by_byte_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_ANSWER_S", 2.0)
    async with client_of("binance", ("drip",)) as (client, stand_in, market):
        assert len(await asked(client, market)) == 50
        assert len(stand_in.asked) >= 2


_NAMES = st.sampled_from(
    ("code", "msg", "data", "result", "list", "retCode", "error", "errors", "candles", "last", "start", "s")
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=25)
@given(exchange_name=st.sampled_from(sorted(EXCHANGES)), answer=_json, place=st.integers(0, 30))
async def test_whatever_is_answered_is_candles_or_an_error(
    exchange_name: str, answer: object, place: int
) -> None:
    """Any JSON, alone and in the place of a value of a good answer."""
    async with client_of(exchange_name) as (client, stand_in, market):
        request = stand_in.exchange.candles_request(market.name, START_S, START_S + 50 * HOUR_S)
        _, good = stand_in.answer(request.path, request.params, "")
        for body in (json.dumps(answer), with_other_value(json.loads(good), answer, place)):
            # What is not believed is asked again, and then answered well.
            stand_in.faults = deque([body.encode()])
            with suppress(BackcastError):
                rows = await client.candles(market, START_S, START_S + 50 * HOUR_S)
                assert rows is None or len(rows.times_s())
        stand_in.faults = deque([json.dumps(answer).encode()])
        with suppress(BackcastError):
            assert await client.markets()


def with_other_value(answer: Any, value: object, place: int) -> str:
    """Write an answer whose value at a place, counted through all of its lists and objects, is another."""
    places: list[tuple[Any, Any]] = []

    def find(inner: Any) -> None:
        items = (
            inner.items() if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, list) else ()
        )
        for key, each in items:
            places.append((inner, key))
            find(each)

    find(answer)
    inside, key = places[place % len(places)]
    inside[key] = value
    return json.dumps(answer)


@pytest.mark.parametrize("ahead_s", [-300, 300])
async def test_a_candle_is_closed_by_both_clocks(ahead_s: int) -> None:
    async with client_of("binance", ahead_s=ahead_s) as (client, _, market):
        assert client.skew == ""
        await asked(client, market)
        assert client.now_s() == NOW_S + min(ahead_s, 0)
        which = "ahead of" if ahead_s > 0 else "behind"
        assert client.skew == f"the clock of Binance is 300 s {which} this machine's"


async def test_the_error_names_a_server_that_is_absent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    async with ExchangeClient(EXCHANGES["okx"], VirtualClock(NOW_S), f"http://{address}") as client:
        with pytest.raises(Unanswered, match=f"there is no connection to {address}"):
            await client.markets()


@pytest.fixture
def tls_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[StandIn, Path]]:
    """A stand-in of OKX that is served by HTTPS, and the file of the CA that has signed its certificate."""
    ca = trustme.CA()
    files = make_files(tmp_path / "tls", ca, ca, "127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert, files.key)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    stand_in = StandIn(EXCHANGES["okx"], VirtualClock(NOW_S), served_as("okx", RECORDS))
    with serving(stand_in, context):
        yield stand_in, files.ca


async def test_a_certificate_is_trusted_where_its_ca_is_named(
    tls_stand_in: tuple[StandIn, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in, ca = tls_stand_in
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca))
    async with ExchangeClient(stand_in.exchange, stand_in.clock, stand_in.base_url) as client:
        assert [market.symbol for market in await client.markets()] == ["SOLUSDT"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("REQUESTS_CA_BUNDLE", "", "the certificate of OKX is not trusted here"),
        ("REQUESTS_CA_BUNDLE", "/no/such/file", "OKX cannot be asked: .*/no/such/file"),
        ("HTTPS_PROXY", "http://127.0.0.1:1", "the proxy does not let through to OKX"),
        ("HTTPS_PROXY", "socks9://127.0.0.1:1", "the proxy that the environment names cannot be used"),
        ("HTTPS_PROXY", "http://", "the proxy that the environment names cannot be used"),
    ],
)
async def test_what_stands_in_the_way_is_named(
    tls_stand_in: tuple[StandIn, Path], monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    stand_in, _ = tls_stand_in
    monkeypatch.setenv(name, value)
    async with ExchangeClient(stand_in.exchange, stand_in.clock, stand_in.base_url) as client:
        with pytest.raises(Unreachable, match=message):
            await client.markets()
    assert not stand_in.asked


async def test_the_error_names_the_proxy_that_refuses(
    tls_stand_in: tuple[StandIn, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in, _ = tls_stand_in
    # It does not know CONNECT, as a proxy that refuses it.
    with serving(StandIn(EXCHANGES["okx"], VirtualClock(NOW_S), {})) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.base_url)
        async with ExchangeClient(stand_in.exchange, stand_in.clock, stand_in.base_url) as client:
            with pytest.raises(Unreachable, match="the proxy does not let through to OKX"):
                await client.markets()


async def test_the_error_says_that_the_server_has_no_tls() -> None:
    with serving(StandIn(EXCHANGES["okx"], VirtualClock(NOW_S), {})) as plain:
        url = plain.base_url.replace("http:", "https:")
        async with ExchangeClient(EXCHANGES["okx"], VirtualClock(NOW_S), url) as client:
            with pytest.raises(Unanswered, match=r"there is no connection by TLS to 127\.0\.0\.1:"):
                await client.markets()


def test_plain_http_is_for_this_machine_only() -> None:
    with pytest.raises(InvalidInput, match=r"^base_url: http://192\.0\.2\.1 is not https"):
        ExchangeClient(EXCHANGES["okx"], VirtualClock(NOW_S), "http://192.0.2.1")


# --- markets


def market_of(symbol: str, is_traded: bool = True, other: str = "") -> ExchangeMarket:
    return ExchangeMarket(symbol, symbol, symbol[-4:], is_traded, other)


MARKETS = [market_of("BTCUSDT"), market_of("ETHUSDT"), market_of("LUNAUSDT", False), market_of("BTCUSDC")]


@pytest.mark.parametrize("exchange_name", EXCHANGES)
async def test_markets_are_listed_with_their_symbols(exchange_name: str) -> None:
    name, symbol = NAMES[exchange_name]
    async with client_of(exchange_name) as (client, stand_in, _):
        stand_in.served[name].is_traded = False
        (market,) = await client.markets()
        assert (market.symbol, market.name, market.is_traded) == (symbol, name, False)


def test_markets_are_found_by_symbols_in_any_spelling() -> None:
    found = with_symbols(EXCHANGES["binance"], MARKETS, ["eth/usdt", "BTC-USDT", "ETHUSDT"])
    assert [market.symbol for market in found] == ["ETHUSDT", "BTCUSDT"]


def test_krakens_own_names_and_the_usual_ones_mean_the_same_market() -> None:
    markets = [market_of("XBTUSDT", other="BTCUSDT")]
    for text in ("BTC/USDT", "XBT/USDT"):
        assert with_symbols(EXCHANGES["kraken"], markets, [text]) == markets


def test_all_bad_symbols_are_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        with_symbols(EXCHANGES["binance"], MARKETS, ["BTCUSTD", "BTCUSDT.P", "ETHUSDT", "?"])
    by_field = {violation.field: violation.reason for violation in caught.value.violations}
    assert by_field["symbols[0]"].startswith("Binance has no BTCUSTD: did you mean BTCUSDT")
    assert by_field["symbols[1]"] == "BTCUSDT.P is a perpetual, and only spot candles can be fetched"
    assert by_field.keys() == {"symbols[0]", "symbols[1]", "symbols[3]"}


def test_markets_of_a_quote_are_those_that_are_traded_unless_asked() -> None:
    def symbols(*args: bool) -> list[str]:
        return [market.symbol for market in with_quote(EXCHANGES["binance"], MARKETS, "usdt", *args)]

    assert symbols() == ["BTCUSDT", "ETHUSDT"]
    assert symbols(True) == ["BTCUSDT", "ETHUSDT", "LUNAUSDT"]
    with pytest.raises(InvalidInput, match=r"^quote: Binance quotes nothing in USTD: did you mean USDT"):
        with_quote(EXCHANGES["binance"], MARKETS, "USTD")


def test_of_markets_with_the_same_symbol_the_traded_one_is_fetched() -> None:
    old, new, other = (
        ExchangeMarket("AUSDT", name, "USDT", is_traded)
        for name, is_traded in (("A", False), ("A2", True), ("A3", True))
    )
    listed, exchange = [old, new, other], EXCHANGES["binance"]
    assert with_quote(exchange, listed, "USDT", with_delisted=True) == [new]
    assert with_symbols(exchange, listed, ["AUSDT"]) == [new]
    assert with_symbols(exchange, [old], ["AUSDT"]) == [old]


def test_a_reason_that_is_too_long_says_that_it_goes_on() -> None:
    assert shortened("a" * 1000) == "a" * 1000
    assert shortened("a" * 1001) == "a" * 999 + "…"


def test_an_unknown_exchange_is_named_with_the_nearest() -> None:
    assert exchange_named("Binance") is EXCHANGES["binance"]
    with pytest.raises(
        InvalidInput, match=r"^exchange: 'binanse' is not a known exchange: did you mean binance"
    ):
        exchange_named("binanse")
