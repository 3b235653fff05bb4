"""Longer candles are what a plain loop over the hourly ones makes."""

from datetime import UTC, datetime
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from services.data.store.database import Database
from services.data.store.writer import CandleStore
from services.ingest.columns.time_column import MAX_TIME_S
from services.ingest.detect import read_file
from tests.candle_making import START_S, random_candles
from tests.data.conftest import blocks_of, candles_of, history_of, rows

HOUR_S, DAY_S = 3600, 86_400
LONGER = [Interval.HOUR_4, Interval.DAY_1, Interval.WEEK_1]
# A few only, as TimescaleDB makes a chunk of each time: around the epochs, a leap day, and a year's end.
STARTS_S = [-5 * DAY_S, 946_684_800 - 3 * DAY_S, 978_307_200 - DAY_S, 1_709_164_800, START_S - 9 * DAY_S]

_numbers = count()


def aggregated(candles: Candles, interval: Interval) -> list[tuple[object, ...]]:
    """What readers get of these hours: candles whose time has passed when the hours end."""
    longer: dict[int, list[Any]] = {}
    for time_s, open_, high, low, close, volume in rows(candles):
        opening = interval.opening(time_s)
        if opening not in longer:
            longer[opening] = [opening, open_, high, low, close, Fraction(repr(volume))]
            continue
        candle = longer[opening]
        candle[2] = max(candle[2], high)
        candle[3] = min(candle[3], low)
        candle[4] = close
        candle[5] += Fraction(repr(volume))
    end_s = int(candles.open_time_s[-1]) + HOUR_S
    return [
        (*values, float(volume))
        for *values, volume in longer.values()
        if values[0] + interval.seconds <= end_s
    ]


async def _stored(database: Database, candles: Candles) -> dict[Interval, Candles]:
    """Write the candles as those of a new crypto, and read what the database makes of them."""
    store, symbol = CandleStore(database), f"C{next(_numbers)}USDT"
    await store.write(symbol, False, blocks_of(candles))
    return {interval: (await history_of(database, symbol, interval)).candles for interval in LONGER}


_prices = st.floats(1e-12, 1e12)
_volumes = st.floats(0, 1e15)


@st.composite
def _gappy(draw: st.DrawFn) -> Candles:
    """Candles of any of the next 1000 hours: many or few, and of whole weeks none."""
    first_s = draw(st.sampled_from(STARTS_S)) + HOUR_S * draw(st.integers(0, 200))
    hours = draw(st.sets(st.integers(0, 1000), min_size=1, max_size=40))
    for start, length in draw(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 60)), max_size=3)):
        hours |= set(range(start, start + length))
    # Drawn for a few candles only, and made different for the others, as examples are to stay small.
    values = draw(st.lists(st.tuples(*[_prices] * 4, _volumes), min_size=1, max_size=10))
    return candles_of(
        [
            (
                first_s + HOUR_S * hour,
                *(value * (1 + place % 13 / 7) for value in values[place % len(values)]),
            )
            for place, hour in enumerate(sorted(hours))
        ]
    )


@settings(max_examples=60)
@given(candles=_gappy())
@example(candles=random_candles(3, 24 * 40, START_S))
@example(candles=random_candles(4, 24 * 9, -4 * DAY_S))
async def test_aggregates_are_right_of_any_candles_with_any_gaps(module_database, candles):
    for interval, longer in (await _stored(module_database, candles)).items():
        assert rows(longer) == aggregated(candles, interval)


async def test_longer_candles_open_on_their_grid(module_database):
    candles = random_candles(5, 24 * 30, START_S + 61 * HOUR_S)
    stored = await _stored(module_database, candles)
    opened = {
        interval: [datetime.fromtimestamp(time_s, UTC) for time_s in longer.open_time_s.tolist()]
        for interval, longer in stored.items()
    }
    assert {time.hour % 4 for time in opened[Interval.HOUR_4]} == {0}
    assert {time.hour for time in opened[Interval.DAY_1]} == {0}
    assert {(time.weekday(), time.hour) for time in opened[Interval.WEEK_1]} == {(0, 0)}
    # The first ones hold what there is: they open before their first hour.
    assert opened[Interval.HOUR_4][0] == datetime(2024, 1, 3, 12, tzinfo=UTC)
    assert opened[Interval.DAY_1][0] == datetime(2024, 1, 3, tzinfo=UTC)
    assert opened[Interval.WEEK_1][0] == datetime(2024, 1, 1, tzinfo=UTC)
    assert stored[Interval.WEEK_1].open[0] == candles.open[0]


async def test_candles_of_other_cryptos_are_none_of_theirs(module_database):
    first, second = random_candles(6, 100), random_candles(7, 100)
    stored = [await _stored(module_database, candles) for candles in (first, second)]
    for candles, longer in zip((first, second), stored, strict=True):
        assert rows(longer[Interval.WEEK_1]) == aggregated(candles, Interval.WEEK_1)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "MATICUSDT", "XRPUSDT"])
async def test_days_of_a_market_are_what_the_market_says(module_database, market_data, symbol):
    hourly = _read(market_data / "csv-1h" / f"{symbol}.csv.gz", Interval.HOUR_1)
    daily = _read(market_data / "csv-1d" / f"{symbol}.csv.gz", Interval.DAY_1)
    hours_of: dict[int, int] = {}
    for time_s in hourly.open_time_s.tolist():
        day = Interval.DAY_1.opening(time_s)
        hours_of[day] = hours_of.get(day, 0) + 1

    stored = {row[0]: row for row in rows((await _stored(module_database, hourly))[Interval.DAY_1])}
    expected = {row[0]: row for row in rows(daily)}
    complete = [day for day, hours in hours_of.items() if hours == 24 and day in expected]
    assert len(complete) > 1500
    end_s = int(hourly.open_time_s[-1]) + HOUR_S
    assert stored.keys() == {day for day in hours_of if day + DAY_S <= end_s}
    for day in complete:
        assert stored[day][:5] == expected[day][:5]
        # The market added other decimals in another order.
        assert stored[day][5] == pytest.approx(expected[day][5], rel=1e-9)


def _read(path: Path, interval: Interval) -> Candles:
    if not path.exists():
        pytest.skip(f"NO REAL CANDLES: {path} is not there")
    return read_file(path, interval, now_s=MAX_TIME_S).candles
