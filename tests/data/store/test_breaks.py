"""Imports find breaks and users state them: what is stored follows from all candles together."""

from contextlib import aclosing
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine.breaks import Break, BreakState, find_breaks
from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.data.maintenance.retention import apply_retention
from services.data.store.break_edits import BreakStore
from services.data.store.breaks import StoredBreak
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.reader import Histories, HistoryQuery
from services.data.store.writer import CandleStore
from services.domain.conflict_rule import ConflictRule
from tests.candle_making import START_S
from tests.data.conftest import history_of
from tests.data.store.test_fingerprint_before import fingerprint_before

HOUR_S = 3600
DETECTED, CONFIRMED, REMOVED = BreakState

_numbers = count()


def flat(prices: dict[int, float]) -> Candles:
    """Candles of one price each, by their hour."""
    hours, values = zip(*sorted(prices.items()), strict=True)
    column = np.array(values, np.float64)
    return Candles(START_S + HOUR_S * np.array(hours), column, column, column, column, column)


def stretch(first: int, last: int, price: float) -> dict[int, float]:
    return dict.fromkeys(range(first, last), price)


def at(hour: int) -> int:
    return START_S + HOUR_S * hour


@pytest.fixture
def breaks(database: Database, cryptos: CryptoStore) -> BreakStore:
    return BreakStore(database, cryptos)


async def places(breaks: BreakStore, symbol: str = "AUSDT") -> list[tuple[int, int, BreakState]]:
    """The hours before and after each break, and its state."""
    return [
        (
            (each.place.before_s - START_S) // HOUR_S,
            (each.place.after_s - START_S) // HOUR_S,
            each.state,
        )
        for each in await breaks.of(symbol)
    ]


# Few prices, far apart, and short stretches: jumps, wrong prices and gaps all over the place.
_pieces = st.tuples(st.integers(0, 400), st.integers(1, 60), st.sampled_from([1.0, 1.0, 3.0, 100.0, 5000.0]))


@settings(max_examples=100)
@given(pieces=st.lists(_pieces, min_size=1, max_size=8), data=st.data())
async def test_stored_breaks_are_those_of_all_candles_whatever_is_imported(module_database, pieces, data):
    store, cryptos = CandleStore(module_database), CryptoStore(module_database)
    breaks, symbol = BreakStore(module_database, cryptos), f"B{next(_numbers)}USDT"
    truth: dict[int, float] = {}
    before: tuple[dict[int, tuple[str, list[Break]]]] = ({},)
    for first, length, price in pieces:
        rule = data.draw(st.sampled_from([ConflictRule.REPLACE, ConflictRule.KEEP]))
        piece = stretch(first, first + length, price)
        counts = await store.write_candles(symbol, False, flat(piece), rule)
        truth = truth | piece if rule is ConflictRule.REPLACE else piece | truth
        expected = find_breaks(flat(truth))
        assert await breaks.of(symbol) == [StoredBreak(each, DETECTED) for each in expected]
        assert list(counts.breaks) == await breaks.of(symbol)
        # The fingerprint of a part changes where a break of the part does.
        parts = {}
        for hour in (0, 50, 120, 240, 400):
            seen = [each for each in expected if each.after_s < at(hour)]
            parts[hour] = (await fingerprint_before(cryptos, symbol, at(hour)), seen)
            if hour in before[0] and before[0][hour][1] != seen:
                assert before[0][hour][0] != parts[hour][0]
        before = (parts,)


async def test_a_jump_that_comes_back_later_changes_what_was_before(store, breaks, cryptos):
    await store.write_candles("AUSDT", False, flat(stretch(0, 100, 5.0) | stretch(100, 104, 5000.0)))
    assert await places(breaks) == [(99, 100, DETECTED)]
    before = await fingerprint_before(cryptos, "AUSDT", at(104))
    untouched = await fingerprint_before(cryptos, "AUSDT", at(100))
    # The next candle shows that the price was wrong: readers of the hours before it get something else too.
    await store.write_candles("AUSDT", False, flat(stretch(104, 105, 5.0)))
    assert await places(breaks) == []
    assert await fingerprint_before(cryptos, "AUSDT", at(104)) != before
    assert await fingerprint_before(cryptos, "AUSDT", at(100)) == untouched


@pytest.mark.parametrize("first", [150, 158, 168, 175])
async def test_a_wrong_price_some_days_before_a_change_stays_one(store, breaks, first):
    """What is looked at again may begin amid the wrong prices: their end alone would look like a break."""
    wrong = stretch(0, 100, 5.0) | stretch(100, 120, 5000.0) | stretch(120, first, 5.0)
    await store.write_candles("AUSDT", False, flat(wrong))
    await store.write_candles("AUSDT", False, flat(stretch(first, first + 1, 5.0)))
    assert await places(breaks) == []
    # And before a change, it may end amid them.
    await store.write_candles("AUSDT", False, flat(stretch(60, 61, 6.0)))
    assert await places(breaks) == []


async def test_candles_in_a_gap_move_a_break(store, breaks):
    await store.write_candles("AUSDT", False, flat(stretch(0, 10, 5.0) | stretch(90, 120, 500.0)))
    assert await places(breaks) == [(9, 90, DETECTED)]
    await store.write_candles("AUSDT", False, flat(stretch(40, 50, 5.0)))
    assert await places(breaks) == [(49, 90, DETECTED)]
    await store.write_candles("AUSDT", False, flat(stretch(60, 70, 500.0)))
    assert await places(breaks) == [(49, 60, DETECTED)]


async def test_what_a_person_says_stays(store, breaks):
    whole = stretch(0, 100, 5.0) | stretch(100, 200, 5000.0)
    await store.write_candles("AUSDT", False, flat(whole))
    await breaks.update("AUSDT", at(100), REMOVED)
    await breaks.update("AUSDT", at(50), CONFIRMED)
    expected = [(49, 50, CONFIRMED), (99, 100, REMOVED)]
    assert await places(breaks) == expected
    # Whatever is imported around them; their prices follow the candles.
    corrected = stretch(40, 60, 6.0) | stretch(95, 100, 7.0) | stretch(200, 210, 5000.0)
    await store.write_candles("AUSDT", False, flat(corrected))
    assert await places(breaks) == expected
    assert [(each.place.close, each.place.open) for each in await breaks.of("AUSDT")] == [
        (6.0, 6.0),
        (7.0, 5000.0),
    ]
    # Back to what can be found: one is a break, the other is none.
    await breaks.update("AUSDT", at(100), DETECTED)
    await breaks.update("AUSDT", at(50), DETECTED)
    assert await places(breaks) == [(99, 100, DETECTED)]


async def test_what_a_person_says_is_a_change_of_the_data(store, breaks, cryptos):
    await store.write_candles("AUSDT", False, flat(stretch(0, 100, 5.0) | stretch(100, 200, 5000.0)))
    parts = (at(100), at(101), at(300))

    async def fingerprints() -> list[str]:
        return [await fingerprint_before(cryptos, "AUSDT", part_s) for part_s in parts]

    seen = [await fingerprints()]
    for state in (CONFIRMED, REMOVED, DETECTED):
        await breaks.update("AUSDT", at(100), state)
        seen.append(await fingerprints())
        # Said again, nothing changes.
        await breaks.update("AUSDT", at(100), state)
        assert await fingerprints() == seen[-1]
    first, second, third = zip(*seen, strict=True)
    # A window that ends before the candle behind the break does not see it.
    assert (len(set(first)), len(set(second)), len(set(third))) == (1, 4, 4)


@pytest.mark.parametrize(
    ("hour", "state", "reason"),
    [
        (50, REMOVED, "after_time: AUSDT has no break at 2024-01-03 02:00 UTC"),
        (50, DETECTED, "after_time: AUSDT has no break at"),
        (150, CONFIRMED, "after_time: AUSDT has no candle that opens at 2024-01-07 06:00 UTC"),
        (0, CONFIRMED, "after_time: AUSDT has no candle before the one at 2024-01-01 00:00 UTC"),
    ],
)
async def test_a_place_that_cannot_be_one_is_named(store, breaks, hour, state, reason):
    await store.write_candles("AUSDT", False, flat(stretch(0, 100, 5.0)))
    with pytest.raises(InvalidInput, match=reason):
        await breaks.update("AUSDT", at(hour), state)
    with pytest.raises(InvalidInput, match="symbol: there is no crypto 'BUSDT'"):
        await breaks.update("BUSDT", at(hour), state)
    assert await places(breaks) == []


async def test_readers_get_all_that_count_with_any_part_of_the_candles(store, breaks, database, cryptos):
    whole = stretch(0, 100, 5.0) | stretch(100, 200, 5000.0) | stretch(200, 300, 5.0)
    await store.write_candles("AUSDT", False, flat(whole))
    await breaks.update("AUSDT", at(200), REMOVED)
    known = (await history_of(database, "AUSDT")).fingerprint
    histories = Histories(database, cryptos)
    for interval in Interval:
        for query in (HistoryQuery(interval), HistoryQuery(interval, start_s=at(250))):
            async with aclosing(histories.read(["AUSDT"], query, [known])) as read:
                ((history,),) = [group async for group in read]
            assert history.breaks == await breaks.of("AUSDT")
            assert len(history.breaks) == 2


async def test_retention_keeps_the_breaks_of_the_hours_that_it_drops(store, breaks, database):
    year_s = 365 * 86_400
    horizon_s = 45 * year_s
    prices = np.repeat([5.0, 5000.0, 5.0], 100)
    old = Candles(horizon_s - 200 * HOUR_S + HOUR_S * np.arange(300), *[prices] * 5)
    await store.write_candles("OLDUSDT", False, old)
    before = await breaks.of("OLDUSDT")
    assert len(before) == 2
    await apply_retention(database, 3650, horizon_s + 10 * year_s + 86_400)
    assert await breaks.of("OLDUSDT") == before
    # Neither do imports of what is left lose them, nor of late hours before.
    await store.write_candles("OLDUSDT", False, old.at(np.arange(300) >= 199)[:3], ConflictRule.REPLACE)
    await store.write_candles("OLDUSDT", False, old[:3])
    assert [each.place.after_s for each in await breaks.of("OLDUSDT")] == [
        each.place.after_s for each in before
    ]
    # What is said of a break whose candles are gone counts.
    await breaks.update("OLDUSDT", before[0].place.after_s, REMOVED)
    assert [each.state for each in await breaks.of("OLDUSDT")] == [REMOVED, DETECTED]
