"""Candles are imported in any order: the candles of every interval follow from the last values."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.errors import Refused
from backcast_engine.interval import Interval
from services.data.store.database import Database
from services.data.store.writer import CandleStore, ImportCounts
from services.domain.conflict_rule import ConflictRule
from tests.candle_making import START_S, random_candles
from tests.data.conftest import bits, blocks_of, candles_of, history_of, listed, rows
from tests.data.store.test_aggregates import aggregated

HOUR_S = 3600
HOURS = 24 * 21
RULES = [ConflictRule.REPLACE, ConflictRule.KEEP]

_numbers = count()


@st.composite
def _imports(draw: st.DrawFn) -> list[tuple[Candles, ConflictRule]]:
    """Pieces of histories over each other, of few decimals or of many."""
    imports = []
    for seed in range(draw(st.integers(1, 5))):
        candles = random_candles(seed, HOURS)
        decimals = draw(st.sampled_from([0, 2, 5, None]))
        if decimals is not None:
            candles = Candles(
                candles.open_time_s, *(np.round(column, decimals) for column in candles.columns()[1:])
            )
        start = draw(st.integers(0, HOURS - 1))
        piece = candles[start : start + draw(st.integers(1, HOURS))]
        if draw(st.booleans()):
            piece = piece.at(np.random.default_rng(seed).random(len(piece)) < 0.3)
        if len(piece):
            imports.append((piece, draw(st.sampled_from(RULES))))
    return imports


@settings(max_examples=60)
@given(imports=_imports())
async def test_imports_in_any_order_store_the_last_values(module_database, imports):
    store, symbol = CandleStore(module_database), f"L{next(_numbers)}USDT"
    truth: dict[int, tuple[int, float, float, float, float, float]] = {}
    for candles, rule in imports:
        counts = await store.write(symbol, False, blocks_of(candles), rule)
        expected = {"inserted": 0, "corrected": 0, "unchanged": 0, "kept": 0}
        for row in rows(candles):
            stored = truth.get(row[0])
            if stored is None:
                expected["inserted"] += 1
            elif stored == row:
                expected["unchanged"] += 1
            else:
                expected["corrected" if rule is ConflictRule.REPLACE else "kept"] += 1
            if stored is None or rule is ConflictRule.REPLACE:
                truth[row[0]] = row
        assert counts == ImportCounts(**expected)

        hourly = candles_of(sorted(truth.values()))
        for interval in Interval:
            history = await history_of(module_database, symbol, interval)
            assert rows(history.candles) == aggregated(hourly, interval)


async def test_a_conflict_can_fail_the_import(store, cryptos, database):
    candles = random_candles(1, 48)
    await store.write("AUSDT", False, blocks_of(candles))
    before = await listed(cryptos)
    other = random_candles(2, 72)
    with pytest.raises(
        Refused,
        match=r"AUSDT has other values stored for 47 candles, the first at 2024-01-01 01:00 UTC: close",
    ):
        await store.write(
            "AUSDT",
            False,
            blocks_of(
                Candles(
                    *(
                        np.append(a[:1], b[1:])
                        for a, b in zip(candles.columns(), other.columns(), strict=True)
                    )
                )
            ),
            ConflictRule.FAIL,
        )
    assert await listed(cryptos) == before
    assert bits((await history_of(database, "AUSDT")).candles) == bits(candles)
    agreeing = await store.write("AUSDT", False, blocks_of(candles), ConflictRule.FAIL)
    assert agreeing == ImportCounts(0, 0, 48)


@pytest.mark.parametrize("interval", Interval)
async def test_more_decimals_widen_what_is_stored_without_loss(store, database, interval):
    coarse = Candles(*(np.round(column, 1) for column in random_candles(1, 200).columns()))
    await store.write("AUSDT", False, blocks_of(coarse))
    before = await _scales(database)
    longer = (await history_of(database, "AUSDT", interval)).candles
    last = Interval.WEEK_1.opening(START_S + 200 * HOUR_S) + Interval.WEEK_1.seconds
    fine = candles_of([(last + HOUR_S * hour, 100.123456, 100.2, 100.1, 100.15, 7.5) for hour in range(168)])
    await store.write("AUSDT", False, blocks_of(fine))
    assert before == (1, 1)
    assert await _scales(database) == (6, 1)
    after = (await history_of(database, "AUSDT", interval)).candles
    assert bits(after[: len(longer)]) == bits(longer)
    assert rows(after)[-1][1] == 100.123456


async def _scales(database: Database) -> tuple[int, ...]:
    async with database.connection() as connection:
        return tuple(await connection.fetchrow("SELECT price_scale, volume_scale FROM cryptos"))


async def test_views_show_the_numbers(store, database):
    numbers = [0.0, 5e-324, 2.2250738585072014e-308, 0.17600000000000002, 1e300, 123.45, 1 / 3]
    values = [(START_S + HOUR_S * hour, 1.5, 1.5, 1.5, 1.5, volume) for hour, volume in enumerate(numbers)]
    await store.write("AUSDT", False, blocks_of(candles_of(values)))
    async with database.connection() as connection:
        shown = await connection.fetch(
            f"SELECT {', '.join(VALUE_COLUMNS)} FROM readable_candles_1h WHERE symbol = 'AUSDT' ORDER BY ts"
        )
        weekly = await connection.fetchval("SELECT close FROM readable_candles_1w WHERE symbol = 'AUSDT'")
    assert [tuple(row) for row in shown] == [row[1:] for row in values]
    assert weekly == 1.5
