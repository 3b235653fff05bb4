"""An import that changes much of what is stored is refused, unless the conflict rule allows it."""

import numpy as np
import pytest

from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.errors import Refused
from services.data.store.writer import ImportCounts
from services.domain.conflict_rule import ConflictRule
from tests.candle_making import random_candles
from tests.data.conftest import bits, history_of, listed

CANDLES = random_candles(1, 1000)


def changed(hours: int, column: str, factor: float) -> Candles:
    """The first hours with another value in a column; the highs and lows go along."""
    values = {name: getattr(CANDLES, name).copy() for name in VALUE_COLUMNS}
    values[column][:hours] *= factor
    values["high"] = np.maximum.reduce([values[name] for name in ("open", "high", "low", "close")])
    values["low"] = np.minimum.reduce([values[name] for name in ("open", "high", "low", "close")])
    return Candles(CANDLES.open_time_s, **values)


@pytest.mark.parametrize(
    ("import_", "reason"),
    [
        (changed(11, "volume", 2), "11 of 1,000 stored hours would change, only their volumes, the first at"),
        (changed(11, "close", 1.0001), "11 of 1,000 stored hours would change, prices by a factor of up to"),
        (changed(1, "close", 1.6), "1 of 1,000 stored hours would change, prices by a factor of up to 1.6"),
        (
            changed(1, "close", 1 / 1.6),
            "1 of 1,000 stored hours would change, prices by a factor of up to 1.6",
        ),
        (
            changed(1, "high", 2),
            f"factor of up to 2, at 2024-01-01 00:00 UTC: high {CANDLES.high[0]} is stored",
        ),
        (
            changed(1, "low", 0.5),
            f"factor of up to 2, at 2024-01-01 00:00 UTC: low {CANDLES.low[0]} is stored",
        ),
        # Of the hours that are imported, not of all.
        (changed(2, "close", 1.0001)[:100], "2 of 100 stored hours"),
        (changed(1, "close", 1.0001)[:1], "1 of 1 stored hour would change"),
    ],
)
async def test_an_import_that_changes_much_is_refused(store, cryptos, database, import_, reason):
    await store.write_candles("AUSDT", False, CANDLES)
    before = await listed(cryptos)
    with pytest.raises(Refused, match=reason) as caught:
        await store.write_candles("AUSDT", False, import_, ConflictRule.GUARDED)
    assert str(caught.value).startswith("AUSDT: ")
    assert str(caught.value).endswith(": if that is right, CONFLICT_RULE_REPLACE writes it")
    assert await listed(cryptos) == before
    assert bits((await history_of(database, "AUSDT")).candles) == bits(CANDLES)

    counts = await store.write_candles("AUSDT", False, import_, ConflictRule.REPLACE)
    assert counts.corrected > 0
    assert bits((await history_of(database, "AUSDT")).candles[: len(import_)]) == bits(import_)


@pytest.mark.parametrize(
    ("import_", "reason"),
    [
        (
            changed(1, "close", 1.1),
            f"1 candle, the first at 2024-01-01 00:00 UTC: close {CANDLES.close[0]} is stored, "
            f"{CANDLES.close[0] * 1.1} is imported",
        ),
        (changed(2, "volume", 2), "2 candles, the first at 2024-01-01 00:00 UTC: only volumes differ"),
    ],
)
async def test_the_first_difference_is_reported(store, import_, reason):
    await store.write_candles("AUSDT", False, CANDLES)
    with pytest.raises(Refused) as caught:
        await store.write_candles("AUSDT", False, import_, ConflictRule.FAIL)
    assert str(caught.value) == f"AUSDT has other values stored for {reason}"


@pytest.mark.parametrize(
    "import_", [changed(10, "close", 1.0001), changed(10, "volume", 9), changed(10, "close", 1.45)]
)
async def test_an_import_that_changes_little_replaces(store, database, import_):
    await store.write_candles("AUSDT", False, CANDLES)
    counts = await store.write_candles("AUSDT", False, import_, ConflictRule.GUARDED)
    assert counts == ImportCounts(0, 10, 990)
    assert bits((await history_of(database, "AUSDT")).candles) == bits(import_)


async def test_the_same_values_with_fewer_digits_are_no_other_market(store, database):
    await store.write_candles("AUSDT", False, CANDLES)
    time, *values = CANDLES.columns()
    single = Candles(time, *(column.astype(np.float32).astype(np.float64) for column in values))
    counts = await store.write_candles("AUSDT", False, single, ConflictRule.GUARDED)
    assert counts.corrected > 900
    assert bits((await history_of(database, "AUSDT")).candles) == bits(single)
    with pytest.raises(Refused, match="would change"):
        await store.write_candles("AUSDT", False, changed(11, "close", 1.00001), ConflictRule.GUARDED)


async def test_new_hours_are_no_change(store):
    await store.write_candles("AUSDT", False, CANDLES[:100])
    counts = await store.write_candles("AUSDT", False, CANDLES, ConflictRule.GUARDED)
    assert counts == ImportCounts(900, 0, 100)


async def test_prices_of_any_size_are_compared(store):
    def candle(price: float) -> Candles:
        column = np.array([price])
        return Candles(CANDLES.open_time_s[:1], column, column, column, column, column)

    await store.write_candles("AUSDT", False, candle(1e-300))
    with pytest.raises(Refused, match="1 of 1 stored hour would change, prices by a factor of up to inf"):
        await store.write_candles("AUSDT", False, candle(1e300), ConflictRule.GUARDED)
