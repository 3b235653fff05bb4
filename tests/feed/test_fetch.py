"""What is fetched is what the exchange has of the closed hours, whatever happens on the way."""

import csv
import gzip
import socket
from collections import deque
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.candles import Candles
from backcast_engine.errors import Refused
from backcast_engine.interval import Interval
from services.domain.conflict_rule import ConflictRule
from services.domain.errors import Unavailable
from services.feed.client import ExchangeClient
from services.feed.errors import Banned, Conflicting, Forbidden
from services.feed.exchanges.all_exchanges import EXCHANGES
from services.feed.exchanges.exchange import Limit
from services.feed.fetch import OVERLAP_S, CryptoReport, fetch_all
from services.feed.spans import Span
from services.feed.writing import writer_to
from services.imports.candle_writer import write_candles, write_reading
from services.ingest.detect import read_file
from services.rpc.channel import open_channel
from tests.feed.fetching import (
    START_S,
    Store,
    closed,
    fetch,
    klines,
    made_records,
    own_market,
    rows,
    span,
    stand_in_of,
)
from tests.feed.stand_in import (
    HOUR_S,
    Served,
    StandIn,
    serving,
)
from tests.feed.virtual_clock import VirtualClock
from tests.ingest.exchange_answers import Record

# All but Kraken, which keeps 720.
OF_ALL_HOURS = sorted(EXCHANGES.keys() - {"kraken"})

# --- fetched and imported are one thing


def _csv_records(path: Path) -> list[Record]:
    with gzip.open(path, "rt") as file:
        return [
            (_seconds(time), open_, high, low, close, volume)
            for time, open_, high, low, close, volume, *_ in csv.reader(file)
            if time[0].isdigit()
        ]


def _seconds(text: str) -> int:
    return int(text) if text.isdigit() else int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("exchange_name", "file", "first", "hours"),
    [
        ("binance", "binance-rest-klines/SOLUSDT-1h.json.gz", 0, 3000),
        ("okx", "csv-1h/SOLUSDT.csv.gz", 3500, 1500),
        ("bybit", "csv-1h/MATICUSDT.csv.gz", 3500, 3000),
        ("coinbase", "csv-1h/MATICUSDT.csv.gz", 6000, 1500),
        ("kraken", "kraken-csv/ETHUSD_60.csv.gz", -719, 719),
    ],
)
async def test_fetched_candles_equal_imported_ones(
    data_service, market_data, exchange_name, file, first, hours
):
    path, store = market_data / file, Store(data_service, exchange_name)
    records = klines(market_data) if exchange_name == "binance" else _csv_records(path)
    begin_s = records[first][0]
    wanted = Span(begin_s, begin_s + hours * HOUR_S)
    now_s = wanted.end_s + 60
    market = own_market(exchange_name)
    reading = read_file(path, Interval.HOUR_1, now_s=now_s, symbol=f"I{market.symbol}")
    imported_symbol, _ = await write_reading(data_service, reading, ConflictRule.REPLACE)

    with serving(stand_in_of(exchange_name, records, now_s)) as stand_in:
        report = await fetch(stand_in, store, market, wanted)
    assert (report.error, report.rejected) == (None, 0)
    imported, fetched = await store.candles(imported_symbol), await store.candles(market.symbol)
    is_wanted = (imported.open_time_s >= wanted.start_s) & (imported.open_time_s < wanted.end_s)
    for column, other in zip(fetched.columns(), imported.at(is_wanted).columns(), strict=True):
        assert column.tobytes() == other.tobytes()
    assert report.inserted == len(fetched) > 600
    assert report.absent == hours - len(fetched)


# --- single events


async def test_corrections_after_the_close_are_fetched_within_two_days(data_service):
    records, store, market = made_records(100), Store(data_service, "binance"), own_market("binance")
    stand_in = stand_in_of("binance", records, START_S + 60 * HOUR_S)
    stand_in.served[market.name].settles_after_s = 3 * HOUR_S
    with serving(stand_in):
        first = await fetch(stand_in, store, market, span(100))
        assert (first.inserted, first.corrected) == (60, 0)
        assert rows(await store.candles(market.symbol)) != closed(records, stand_in.now_s, span(100))
        stand_in.served[market.name].settles_after_s = 0
        second = await fetch(stand_in, store, market, span(100))
    assert (second.inserted, second.corrected, second.unchanged) == (0, 3, 45)
    assert rows(await store.candles(market.symbol)) == closed(records, stand_in.now_s, span(100))


async def test_forty_days_of_absence_are_made_up_for(data_service):
    records, store, market = made_records(2000), Store(data_service, "binance"), own_market("binance")
    stand_in = stand_in_of("binance", records, START_S + 1000 * HOUR_S)
    with serving(stand_in):
        await fetch(stand_in, store, market, span(2000))
        stand_in.clock.set(START_S + 1960 * HOUR_S)
        report = await fetch(stand_in, store, market, span(2000))
    assert (report.inserted, report.unchanged) == (960, 48)
    assert rows(await store.candles(market.symbol)) == closed(records, stand_in.now_s, span(2000))


@pytest.mark.parametrize("exchange_name", OF_ALL_HOURS)
async def test_a_symbol_that_was_listed_again_is_fetched_to_its_end(data_service, exchange_name):
    records = made_records(1500, set(range(200, 1300)))
    store, market = Store(data_service, exchange_name), own_market(exchange_name)
    with serving(stand_in_of(exchange_name, records, START_S + 2000 * HOUR_S)) as stand_in:
        report = await fetch(stand_in, store, market, Span(START_S - 500 * HOUR_S, START_S + 2000 * HOUR_S))
    assert (report.inserted, report.first_s) == (400, START_S)
    assert rows(await store.candles(market.symbol)) == closed(records, stand_in.now_s, span(2000))


@pytest.mark.parametrize("exchange_name", OF_ALL_HOURS)
async def test_hours_after_the_last_candle_are_asked_for_once(data_service, exchange_name):
    """A pair that is no longer traded, and has as many candles as are written together."""
    records, store, market = made_records(200), Store(data_service, exchange_name), own_market(exchange_name)
    with serving(stand_in_of(exchange_name, records, START_S + 900 * HOUR_S)) as stand_in:
        first = await fetch(stand_in, store, market, span(2000))
        assert (first.inserted, first.absent) == (200, 700)
        assert await store.asked(market.symbol) == [span(900)]
        for hours in (1000, 1500):
            stand_in.asked.clear()
            asked_s = (await store.asked(market.symbol))[-1].end_s
            stand_in.clock.set(START_S + hours * HOUR_S)
            report = await fetch(stand_in, store, market, span(2000))
            assert (report.error, report.inserted, report.first_s) == (None, 0, None)
            assert min(first_s for first_s, _ in stand_in.windows()) == asked_s - OVERLAP_S
    assert await store.asked(market.symbol) == [span(1500)]


@pytest.mark.parametrize("exchange_name", sorted(EXCHANGES))
async def test_one_empty_answer_is_not_believed(data_service, exchange_name):
    records, store, market = made_records(250), Store(data_service, exchange_name), own_market(exchange_name)
    stand_in = stand_in_of(exchange_name, records, START_S + 250 * HOUR_S, faults=deque(["", "[]"]))
    with serving(stand_in):
        report = await fetch(stand_in, store, market, span(250))
    assert (report.inserted, report.absent) == (250, 0)


async def test_hours_that_were_all_asked_for_before_are_not_asked_again(data_service):
    records, store, market = made_records(300), Store(data_service, "binance"), own_market("binance")
    with serving(stand_in_of("binance", records, START_S + 300 * HOUR_S)) as stand_in:
        await fetch(stand_in, store, market, span(300))
        stand_in.asked.clear()
        report = await fetch(stand_in, store, market, span(200))
    assert not stand_in.windows()
    assert report == CryptoReport(market.symbol)


@pytest.mark.parametrize(("factor", "is_refused"), [(1.0, False), (1.1, True)])
async def test_imported_hours_that_a_first_fetch_did_not_reach_are_compared_by_the_next(
    data_service, factor, is_refused
):
    records, market = made_records(500), own_market("binance")
    store = Store(data_service, "binance")
    right = closed(records, START_S + 500 * HOUR_S, Span(START_S + 300 * HOUR_S, START_S + 400 * HOUR_S))
    times_s, *columns = zip(*right, strict=True)
    imported = Candles(np.array(times_s), *(factor * np.array(column) for column in columns))
    await write_candles(data_service, market.symbol, imported)
    stand_in = stand_in_of("binance", records, START_S + 500 * HOUR_S, cap=100)
    with serving(stand_in):
        first = await fetch(stand_in, store, market, span(200))
        second = await fetch(stand_in, store, market, span(500))
    assert (first.error, first.inserted) == (None, 200)
    assert isinstance(second.error, Refused) == is_refused
    if is_refused:
        # The last two days of what was asked before are the exchange's own, and do not count.
        assert "52 of 52 stored hours would change" in str(second.error)
    stored = rows(await store.candles(market.symbol))
    assert (stored == closed(records, stand_in.now_s, span(500))) != is_refused
    assert (await store.asked(market.symbol))[-1].end_s == START_S + (200 if is_refused else 500) * HOUR_S


@pytest.mark.parametrize(("factor", "is_refused"), [(1.0, False), (1.1, True)])
async def test_a_first_fetch_over_imported_candles_compares_them(data_service, factor, is_refused):
    records, market = made_records(100), own_market("binance")
    store = Store(data_service, "binance")
    times_s, *columns = zip(*closed(records, START_S + 200 * HOUR_S, span(100)), strict=True)
    imported = Candles(np.array(times_s), *(factor * np.array(column) for column in columns))
    await write_candles(data_service, market.symbol, imported)
    with serving(stand_in_of("binance", records, START_S + 200 * HOUR_S)) as stand_in:
        report = await fetch(stand_in, store, market, span(200))
    assert isinstance(report.error, Refused) == is_refused
    if is_refused:
        assert "100 of 100 stored hours would change" in str(report.error)
    assert bool(await store.asked(market.symbol)) != is_refused


async def test_candles_of_two_exchanges_are_not_mixed(data_service):
    records, market = made_records(100), own_market("binance")
    for exchange_name in ("binance", "bybit"):
        with serving(stand_in_of(exchange_name, records, START_S + 200 * HOUR_S)) as stand_in:
            report = await fetch(stand_in, Store(data_service, exchange_name), market, span(200))
    reason = f"{market.symbol} has candles of binance: those of bybit cannot be mixed in"
    assert (type(report.error), str(report.error)) == (Conflicting, reason)


async def test_hours_that_kraken_has_dropped_are_reported(data_service):
    records, store, market = made_records(900), Store(data_service, "kraken"), own_market("kraken")
    with serving(stand_in_of("kraken", records, START_S + 900 * HOUR_S)) as stand_in:
        report = await fetch(stand_in, store, market, span(900))
        assert str(report.error).startswith("since: Kraken gives only the newest 719 hours")
        assert not stand_in.windows()
        kept = Span(START_S + 181 * HOUR_S, START_S + 900 * HOUR_S)
        report = await fetch(stand_in, store, market, kept)
    assert (report.error, report.inserted) == (None, 719)


async def test_an_hour_that_kraken_drops_during_the_fetch_is_reported(data_service):
    records, store, market = made_records(900), Store(data_service, "kraken"), own_market("kraken")
    stand_in = stand_in_of("kraken", records, START_S + 800 * HOUR_S - 10)
    kept = Span(START_S + 80 * HOUR_S, START_S + 800 * HOUR_S)

    def next_hour(_: int) -> None:
        if stand_in.windows():
            stand_in.clock.set(START_S + 800 * HOUR_S)

    with serving(stand_in):
        stand_in.on_request = next_hour
        report = await fetch(stand_in, store, market, kept)
        assert str(report.error).startswith("since: Kraken gives only the newest 719 hours, which are those ")
        assert len(stand_in.windows()) == 1
    assert await store.asked(market.symbol) == []


async def test_hours_that_kraken_has_dropped_are_determined_by_its_clock(data_service):
    """Its hour begins five minutes before ours."""
    records, store, market = made_records(900), Store(data_service, "kraken"), own_market("kraken")
    stand_in = stand_in_of("kraken", records, START_S + 800 * HOUR_S - 120, ahead_s=300)
    with serving(stand_in):
        report = await fetch(stand_in, store, market, Span(START_S + 80 * HOUR_S, stand_in.now_s))
        assert str(report.error).startswith("since: Kraken gives only the newest 719 hours, which are those ")
        report = await fetch(stand_in, store, market, Span(START_S + 81 * HOUR_S, stand_in.now_s))
    assert (report.error, report.inserted) == (None, 718)


@pytest.mark.parametrize(("fault", "error"), [("418", Banned), ("451", Forbidden), ("403", Forbidden)])
async def test_what_would_fail_for_all_ends_the_fetch(data_service, fault, error):
    stand_in = StandIn(
        EXCHANGES["binance"],
        VirtualClock(START_S + 50 * HOUR_S),
        {f"C{number}USDT": Served("", {each[0]: each for each in made_records(40)}) for number in range(20)},
        faults=deque([""] * 4 + [fault] * 100),
    )
    store = Store(data_service, "binance")
    with serving(stand_in):
        async with ExchangeClient(stand_in.exchange, stand_in.clock, stand_in.base_url) as client:
            wanted = {market.symbol: (market, span(40)) for market in await client.markets()}
            with pytest.raises(error):
                async for _ in fetch_all(client, wanted, {}, store.write):
                    pass
    # Requests that were on their way, and no more.
    assert len(stand_in.asked) < 20


async def test_a_data_service_that_is_away_ends_the_fetch():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    stand_in = stand_in_of("binance", made_records(40), START_S + 50 * HOUR_S)
    with serving(stand_in):
        async with (
            open_channel(address) as channel,
            ExchangeClient(stand_in.exchange, stand_in.clock, stand_in.base_url) as client,
        ):
            write = writer_to(MarketDataServiceStub(channel), "data service", "binance")
            wanted = {market.symbol: (market, span(40)) for market in await client.markets()}
            with pytest.raises(Unavailable, match="data service"):
                async for _ in fetch_all(client, wanted, {}, write):
                    pass


async def test_the_others_go_on_where_one_fails(data_service):
    served = {
        f"G{number}USDT": Served("", {each[0]: each for each in made_records(40)}) for number in range(12)
    }
    stand_in = StandIn(EXCHANGES["binance"], VirtualClock(START_S + 50 * HOUR_S), served)
    store = Store(data_service, "binance")
    with serving(stand_in):
        async with ExchangeClient(stand_in.exchange, stand_in.clock, stand_in.base_url) as client:
            wanted = {market.symbol: (market, span(40)) for market in await client.markets()}
            del served["G5USDT"]
            reports = {each.symbol: each async for each in fetch_all(client, wanted, {}, store.write)}
    failed = {symbol: str(each.error) for symbol, each in reports.items() if each.error}
    assert failed == {"G5USDT": "symbol: Binance does not know it: 'Invalid symbol.'"}
    assert {each.inserted for each in reports.values() if not each.error} == {40}
    assert len(reports) == 12


async def test_many_cryptos_take_as_long_as_the_weight_allows(data_service):
    """The limit is small, so that minutes pass: by the clock of the test, they pass at once."""
    limit = Limit(120, window_s=60, used_header="X-MBX-USED-WEIGHT-1M")
    served = {
        f"M{number}USDT": Served("", {each[0]: each for each in made_records(400)}) for number in range(12)
    }
    exchange = replace(EXCHANGES["binance"], limit=limit)
    begin_s = START_S + 400 * HOUR_S + 30
    stand_in = StandIn(exchange, VirtualClock(begin_s), served, cap=20)
    store = Store(data_service, "binance")
    with serving(stand_in):
        async with ExchangeClient(exchange, stand_in.clock, stand_in.base_url) as client:
            wanted = {market.symbol: (market, span(400)) for market in await client.markets()}
            reports = [each async for each in fetch_all(client, wanted, {}, store.write)]
    assert [each.inserted for each in reports] == [400] * 12
    assert stand_in.most_used <= 0.8 * limit.weight
    allowed_s = 60 * sum(stand_in.weights.values()) / (0.8 * limit.weight)
    assert stand_in.clock.now_s() - begin_s <= 1.3 * allowed_s
