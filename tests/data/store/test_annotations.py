"""Breaks and partial candles are read once after each change of a crypto, and never of an older state."""

from contextlib import aclosing

import numpy as np
import pytest

from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from services.data.store import annotations
from services.data.store.reader import CryptoHistory, Histories, HistoryQuery
from tests.candle_making import START_S

HOUR_S, DAY_S = 3600, 86_400
DAY = HistoryQuery(Interval.DAY_1)


@pytest.fixture
def histories(database, cryptos):
    return Histories(database, cryptos)


def hours(*numbers):
    """Return hours of three days, of a price of 5."""
    times = START_S // DAY_S * DAY_S + HOUR_S * np.array(numbers)
    return Candles(times, *[np.full(len(numbers), 5.0)] * 5)


async def read(histories, *symbols, query=DAY) -> list[CryptoHistory]:
    async with aclosing(histories.read(list(symbols), query, [""] * len(symbols))) as found:
        return [history async for group in found for history in group]


async def change_counts(database):
    """Change what annotations are read from, without a new fingerprint: only what is remembered stays."""
    async with database.connection() as connection:
        await connection.execute("UPDATE candles_1d SET candle_count = 1 WHERE candle_count < 24")


async def test_partial_candles_are_read_once_until_the_crypto_changes(store, histories, database):
    await store.write_candles("AUSDT", False, hours(*range(5, 72)))
    (first,) = await read(histories, "AUSDT")
    assert first.partial.hours.tolist() == [19]
    await change_counts(database)
    (again,) = await read(histories, "AUSDT")
    assert again.partial.hours.tolist() == [19]

    await store.write_candles("AUSDT", False, hours(2, 3, 4))
    (changed,) = await read(histories, "AUSDT")
    assert changed.fingerprint != first.fingerprint
    assert changed.partial.hours.tolist() == [22]
    (other_length,) = await read(histories, "AUSDT", query=HistoryQuery(Interval.HOUR_4))
    assert other_length.partial.hours.tolist() == [2]


async def test_the_annotations_that_were_not_asked_for_longest_are_forgotten(
    store, histories, database, monkeypatch
):
    monkeypatch.setattr(annotations, "_MOST_REMEMBERED", 2)
    for symbol in ("AUSDT", "BUSDT", "CUSDT"):
        await store.write_candles(symbol, False, hours(*range(5, 72)))
    for symbol in ("AUSDT", "BUSDT", "AUSDT", "CUSDT"):
        await read(histories, symbol)
    await change_counts(database)
    found = await read(histories, "AUSDT", "CUSDT", "BUSDT")
    assert [history.partial.hours.tolist() for history in found] == [[19], [19], [1]]


async def test_annotations_of_very_many_values_are_not_remembered(store, histories, database, monkeypatch):
    monkeypatch.setattr(annotations, "_MOST_VALUES", 1)
    await store.write_candles("AUSDT", False, hours(*range(5, 72)))
    await store.write_candles("BUSDT", False, hours(*range(5, 40), *range(41, 72)))
    found = await read(histories, "AUSDT", "BUSDT")
    assert [history.partial.hours.tolist() for history in found] == [[19], [19, 23]]
    await change_counts(database)
    found = await read(histories, "AUSDT", "BUSDT")
    assert [history.partial.hours.tolist() for history in found] == [[19], [1, 1]]
