"""Readers get the columns, the window and the changes that they ask for, and of one moment."""

import asyncio
from contextlib import aclosing
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.reader import CryptoHistory, Histories, HistoryQuery
from services.data.store.writer import CandleStore
from tests.candle_making import START_S, random_candles
from tests.data.conftest import blocks_of, candles_of, history_of

HOUR_S = 3600
CANDLES = random_candles(1, 24 * 30)

_numbers = count()


@pytest.fixture
def histories(database: Database, cryptos: CryptoStore) -> Histories:
    return Histories(database, cryptos)


async def _read(
    histories: Histories, symbols: list[str], query: HistoryQuery, known: list[str]
) -> list[CryptoHistory]:
    async with aclosing(histories.read(symbols, query, known)) as read:
        return [history async for group in read for history in group]


@pytest.mark.parametrize("interval", Interval)
@pytest.mark.parametrize("columns", [("close",), ("open", "volume"), VALUE_COLUMNS, ()])
async def test_a_reader_gets_only_the_columns_and_the_window_asked_for(
    store, histories, database, interval, columns
):
    await store.write("AUSDT", False, blocks_of(CANDLES))
    everything = (await history_of(database, "AUSDT", interval)).candles
    start_s, end_s = START_S + 8 * 86_400, START_S + 23 * 86_400
    query = HistoryQuery(interval, columns, start_s, end_s)
    (history,) = await _read(histories, ["AUSDT"], query, [""])
    inside = everything.at((everything.open_time_s >= start_s) & (everything.open_time_s < end_s))
    assert history.open_time_s.tolist() == inside.open_time_s.tolist()
    assert list(history.columns) == list(columns)
    for name, column in history.columns.items():
        assert column.tobytes() == getattr(inside, name).tobytes()


@pytest.mark.parametrize("interval", Interval)
async def test_a_reader_learns_whether_there_are_candles_before_the_window(store, histories, interval):
    old, new = CANDLES, random_candles(2, 24 * 30, START_S + 20 * 86_400)
    for symbol, candles in {"OLDUSDT": old, "NEWUSDT": new}.items():
        await store.write(symbol, False, blocks_of(candles))
    for start_s, expected in {
        EARLIEST_S: [False, False],
        interval.opening(START_S): [False, False],
        interval.opening(START_S + 20 * 86_400): [True, False],
        START_S + 70 * 86_400: [True, True],
    }.items():
        read = await _read(
            histories, ["OLDUSDT", "NEWUSDT"], HistoryQuery(interval, ("close",), start_s), [""] * 2
        )
        assert [history.has_earlier for history in read] == expected


async def test_the_limit_cuts_the_end(store, histories):
    await store.write("AUSDT", False, blocks_of(CANDLES))
    history = await histories.one("AUSDT", HistoryQuery(Interval.HOUR_4, limit=5))
    assert history.open_time_s.tolist() == [START_S + 4 * HOUR_S * index for index in range(5)]


async def test_many_cryptos_come_in_the_order_asked_for(store, histories):
    symbols = [f"C{number:02}USDT" for number in range(20)]
    for number, symbol in enumerate(symbols):
        await store.write(symbol, False, blocks_of(random_candles(number, 30)))
    for order in (symbols, symbols[::-1]):
        read = await _read(histories, order, HistoryQuery(Interval.HOUR_1), [""] * 20)
        assert [history.symbol for history in read] == order
        assert [history.columns["close"][0] for history in read] == [
            random_candles(symbols.index(symbol), 30).close[0] for symbol in order
        ]


async def test_a_reader_who_leaves_gives_the_connections_back(store, histories, database):
    symbols = [f"C{number:02}USDT" for number in range(20)]
    for number, symbol in enumerate(symbols):
        await store.write(symbol, False, blocks_of(random_candles(number, 30)))
    for _ in range(20):
        async with aclosing(histories.read(symbols, HistoryQuery(Interval.HOUR_1), [""] * 20)) as read:
            async for _histories in read:
                break
    everyone = [database.connection() for _ in range(5)]
    await asyncio.gather(*(each.__aenter__() for each in everyone))
    for each in everyone:
        await each.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("symbols", "reason"),
    [
        (["AUSDT", "NOUSDT"], r"symbols\[1\]: there is no crypto 'NOUSDT'"),
        (["AUSDT", "AUSDT"], r"symbols\[1\]: 'AUSDT' occurs twice"),
        (["A\0USDT"], r"symbols\[0\]: there is no crypto 'A\\x00USDT'"),
    ],
)
async def test_wrong_symbols_are_named(store, histories, symbols, reason):
    await store.write("AUSDT", False, blocks_of(CANDLES))
    with pytest.raises(InvalidInput, match=reason):
        await _read(histories, symbols, HistoryQuery(Interval.HOUR_1), [""] * len(symbols))


async def test_a_reader_that_has_all_candles_gets_none(store, histories, database):
    await store.write("AUSDT", False, blocks_of(CANDLES))
    known = (await history_of(database, "AUSDT")).fingerprint
    (history,) = await _read(histories, ["AUSDT"], HistoryQuery(Interval.HOUR_1), [known])
    assert history.fingerprint == known
    assert history.unchanged_before_s is not None
    assert history.unchanged_before_s > CANDLES.open_time_s[-1]
    assert not len(history.open_time_s)


@pytest.mark.parametrize("known", ["", "nonsense", "00000000-0000-0000-0000-000000000000"])
async def test_a_reader_of_unknown_data_gets_all_candles(store, histories, known):
    await store.write("AUSDT", False, blocks_of(CANDLES))
    (history,) = await _read(histories, ["AUSDT"], HistoryQuery(Interval.HOUR_1), [known])
    assert history.unchanged_before_s is None
    assert len(history.open_time_s) == len(CANDLES)


async def test_the_fingerprint_of_another_crypto_is_none_of_this_one(store, histories, database):
    await store.write("AUSDT", False, blocks_of(CANDLES))
    await store.write("BUSDT", False, blocks_of(CANDLES))
    other = (await history_of(database, "BUSDT")).fingerprint
    (history,) = await _read(histories, ["AUSDT"], HistoryQuery(Interval.HOUR_1), [other])
    assert history.unchanged_before_s is None


@settings(max_examples=40)
@given(
    pieces=st.lists(st.tuples(st.integers(0, 600), st.integers(1, 200)), min_size=2, max_size=6),
    data=st.data(),
)
async def test_what_was_known_and_what_is_sent_make_the_truth(module_database, pieces, data):
    """Appended, late and corrected candles: a reader of any earlier state ends with the present one."""
    store = CandleStore(module_database)
    histories = Histories(module_database, CryptoStore(module_database))
    symbol = f"K{next(_numbers)}USDT"
    interval = data.draw(st.sampled_from(list(Interval)))
    states = []
    for seed, (start, length) in enumerate(pieces):
        await store.write(symbol, False, blocks_of(random_candles(seed, 800)[start : start + length]))
        states.append(await history_of(module_database, symbol, interval))
    present = states[-1]
    for state in states:
        query = HistoryQuery(interval)
        (history,) = await _read(histories, [symbol], query, [state.fingerprint])
        assert history.fingerprint == present.fingerprint
        assert history.unchanged_before_s is not None
        kept = state.candles.at(state.candles.open_time_s < history.unchanged_before_s)
        sent = Candles(history.open_time_s, **history.columns)
        both = Candles.concatenate([kept, sent])
        assert [column.tolist() for column in both.columns()] == [
            column.tolist() for column in present.candles.columns()
        ]


async def test_an_append_sends_the_last_candles_only(store, histories, database):
    await store.write("AUSDT", False, blocks_of(CANDLES[:-2]))
    known = (await history_of(database, "AUSDT")).fingerprint
    await store.write("AUSDT", False, blocks_of(CANDLES[-2:]))
    (hourly,) = await _read(histories, ["AUSDT"], HistoryQuery(Interval.HOUR_1), [known])
    assert hourly.open_time_s.tolist() == CANDLES.open_time_s[-2:].tolist()
    (daily,) = await _read(histories, ["AUSDT"], HistoryQuery(Interval.DAY_1), [known])
    assert daily.open_time_s.tolist() == [Interval.DAY_1.opening(int(CANDLES.open_time_s[-1]))]


async def test_times_of_the_first_year_are_reported(store, histories, database):
    next_week = (EARLIEST_S + 8 * 86_400, 1.0, 1.0, 1.0, 1.0, 1.0)
    ancient = candles_of([(EARLIEST_S, 1.0, 1.0, 1.0, 1.0, 1.0), next_week])
    await store.write("AUSDT", False, blocks_of(ancient))
    known = (await history_of(database, "AUSDT")).fingerprint
    await store.write("AUSDT", False, blocks_of(candles_of([(EARLIEST_S, 2.0, 2.0, 2.0, 2.0, 1.0)])))
    (history,) = await _read(histories, ["AUSDT"], HistoryQuery(Interval.WEEK_1), [known])
    assert history.unchanged_before_s == EARLIEST_S
    assert history.columns["close"].tolist() == [2.0]
