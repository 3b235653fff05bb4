"""The changes that an import would make to stored candles, and whether the conflict rule allows them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.errors import Refused
from backcast_engine.times import utc
from services.domain.conflict_rule import ConflictRule
from services.ingest.quality.contradictions import (
    LARGEST_FACTOR,
    LARGEST_SHARE,
    candles_differ,
    price_factors,
)

BoolColumn = NDArray[np.bool_]


def changes(stored: Candles, candles: Candles) -> tuple[BoolColumn, BoolColumn]:
    """Return which of `candles` are not stored, and which are stored with other values.

    Both are of the shape of `candles`.
    """
    is_new, is_different = np.ones(len(candles), np.bool_), np.zeros(len(candles), np.bool_)
    if not len(stored):
        return is_new, is_different
    _, there, place = np.intersect1d(
        candles.open_time_s, stored.open_time_s, assume_unique=True, return_indices=True
    )
    is_new[there] = False
    for column, stored_column in zip(candles.columns(), stored.columns(), strict=True):
        is_different[there] |= column[there] != stored_column[place]
    return is_new, is_different


def check_overwriting(
    symbol: str,
    stored: Candles,
    candles: Candles,
    is_new: BoolColumn,
    is_different: BoolColumn,
    rule: ConflictRule,
) -> None:
    """Raise Refused if `rule` does not allow the changes; the bool columns are those of `changes`."""
    if not is_different.any():
        return
    imported = candles.at(is_different)
    there = stored.at(np.isin(stored.open_time_s, imported.open_time_s))
    if rule is ConflictRule.FAIL:
        raise Refused(_conflict(symbol, there, imported))
    if rule is ConflictRule.GUARDED:
        differ = candles_differ(there, imported)
        there, imported = there.at(differ), imported.at(differ)
        overlapping = int((~is_new).sum())
        factors = price_factors(there, imported)
        if len(imported) > LARGEST_SHARE * overlapping or (factors > LARGEST_FACTOR).any():
            raise Refused(_too_much(symbol, there, imported, overlapping, factors))


def most_different_field(values: Sequence[float], others: Sequence[float]) -> int:
    """Return the field of two different candles to show, by its position in VALUE_COLUMNS.

    It is the price that differs by the largest factor, or the volume if no price differs.
    """
    prices = zip(values[:-1], others[:-1], strict=True)
    factors = [max(pair) / min(pair) for pair in prices]
    largest = max(factors)
    return factors.index(largest) if largest > 1 else len(factors)


def _conflict(symbol: str, stored: Candles, imported: Candles) -> str:
    """Return a sentence about candles that are stored with other values."""
    what = "1 candle" if len(imported) == 1 else f"{len(imported):,} candles"
    first = (
        _values(stored, imported, 0)
        if price_factors(stored, imported).max() > 1
        else f"{utc(int(imported.open_time_s[0]))}: only volumes differ"
    )
    return f"{symbol} has other values stored for {what}, the first at {first}"


def _too_much(
    symbol: str, stored: Candles, imported: Candles, overlapping: int, factors: NDArray[np.float64]
) -> str:
    """Return a sentence about an import that changes too much."""
    worst = int(np.argmax(factors))
    hours = "hour" if overlapping == 1 else "hours"
    by = (
        f"prices by a factor of up to {factors[worst]:,.4g}, at {_values(stored, imported, worst)}"
        if factors[worst] > 1
        else f"only their volumes, the first at {utc(int(imported.open_time_s[0]))}"
    )
    return (
        f"{symbol}: {len(imported):,} of {overlapping:,} stored {hours} would change, {by}: "
        "if that is right, CONFLICT_RULE_REPLACE writes it"
    )


def _values(stored: Candles, imported: Candles, position: int) -> str:
    """Return the time of a candle, and the field that differs most, with both values."""
    old, new = (
        [float(column[position]) for column in candles.columns()[1:]] for candles in (stored, imported)
    )
    field = most_different_field(old, new)
    return (
        f"{utc(int(imported.open_time_s[position]))}: "
        f"{VALUE_COLUMNS[field]} {old[field]} is stored, {new[field]} is imported"
    )
