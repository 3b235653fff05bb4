"""A longer candle is served when its time has passed; `StreamCandles` names those that miss hours."""

import numpy as np
import pytest

from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from backcast_engine.times import LATEST_S
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.reader import Histories, HistoryQuery
from tests.candle_making import START_S, random_candles
from tests.data.conftest import history_of
from tests.data.store.test_fingerprint_before import fingerprint_before

HOUR_S = 3600
LONGER = [Interval.HOUR_4, Interval.DAY_1, Interval.WEEK_1]
CANDLES = random_candles(1, 24 * 40)


@pytest.fixture
def histories(database: Database, cryptos: CryptoStore) -> Histories:
    return Histories(database, cryptos)


def _hours(first: int, last: int) -> Candles:
    return CANDLES[first:last]


@pytest.mark.parametrize("interval", LONGER)
@pytest.mark.parametrize("missing", [0, 1, 2, 3, 30, 200])
async def test_a_reader_gets_the_candle_that_became_over(
    store, histories, database, cryptos, interval, missing
):
    """The data end within its last hours; what is appended begins at its end or later."""
    hours = interval.seconds // HOUR_S
    # The third candle of this length misses its last hours, but for the first case.
    end = 3 * hours - min(max(missing, 1), hours - 1)
    await store.write_candles("AUSDT", False, _hours(0, end))
    state = await history_of(database, "AUSDT", interval)
    assert len(state.candles) == 2
    part_s = START_S + 3 * interval.seconds
    before = await fingerprint_before(cryptos, "AUSDT", part_s)

    appended = end if missing == 0 else max(end + missing, 3 * hours)
    await store.write_candles("AUSDT", False, _hours(appended, appended + 1))
    query = HistoryQuery(interval)
    ((history,),) = [group async for group in histories.read(["AUSDT"], query, [state.fingerprint])]
    present = await history_of(database, "AUSDT", interval)
    assert len(present.candles) >= 3
    assert history.unchanged_before_s is not None
    kept = state.candles.at(state.candles.open_time_s < history.unchanged_before_s)
    both = Candles.concatenate([kept, Candles(history.open_time_s, **history.columns)])
    assert [column.tolist() for column in both.columns()] == [
        column.tolist() for column in present.candles.columns()
    ]
    # A result on a window that ends with it is another one now.
    assert await fingerprint_before(cryptos, "AUSDT", part_s) != before


@pytest.mark.parametrize("interval", LONGER)
async def test_a_candle_is_not_served_an_hour_before_its_end(store, database, interval):
    hours = interval.seconds // HOUR_S
    await store.write_candles("AUSDT", False, _hours(0, hours - 1))
    for start_s, end_s in ((START_S, LATEST_S), (START_S, START_S + 1)):
        assert not len((await history_of(database, "AUSDT", interval, start_s, end_s)).candles)
    await store.write_candles("AUSDT", False, _hours(hours - 1, hours))
    assert (await history_of(database, "AUSDT", interval)).candles.open_time_s.tolist() == [START_S]


@pytest.mark.parametrize("interval", LONGER)
async def test_candles_that_miss_hours_are_reported_with_any_part(store, histories, database, interval):
    hours = interval.seconds // HOUR_S
    # The first candle misses its first hour, the third all but one, and the one that is not over is none.
    there = [*range(1, 2 * hours), 2 * hours + 1, *range(3 * hours, 4 * hours + 1)]
    await store.write_candles("AUSDT", False, CANDLES.at(np.array(there)))
    expected = [(START_S, hours - 1), (START_S + 2 * interval.seconds, 1)]
    known = (await history_of(database, "AUSDT", interval)).fingerprint
    for query, fingerprint in (
        (HistoryQuery(interval), ""),
        (HistoryQuery(interval), known),
        (HistoryQuery(interval, ("close",), start_s=START_S + 3 * interval.seconds), ""),
        (HistoryQuery(interval, limit=1), ""),
    ):
        ((history,),) = [group async for group in histories.read(["AUSDT"], query, [fingerprint])]
        partial = history.partial
        assert list(zip(partial.open_time_s.tolist(), partial.hours.tolist(), strict=True)) == expected
    ((hourly,),) = [group async for group in histories.read(["AUSDT"], HistoryQuery(Interval.HOUR_1), [""])]
    assert not len(hourly.partial.open_time_s)
