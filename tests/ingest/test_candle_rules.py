"""Each rule refuses what breaks it, and nothing else."""

import math
from collections.abc import AsyncIterator

import numpy as np
import pytest

from backcast_engine.candle_rules import broken_rules
from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.domain.candle_rules import checked_blocks
from tests.candle_making import START_S, random_candles

HOUR_S = 3600
GOOD = random_candles(1, 10)
CLOSED_S = START_S + 10 * HOUR_S


def _with(**values: float) -> Candles:
    """Return good candles, of which the fifth has other values."""
    columns = {name: getattr(GOOD, name).copy() for name in Candles.__dataclass_fields__}
    for name, value in values.items():
        columns[name][4] = value
    return Candles(**columns)


async def _blocks(*blocks: Candles) -> AsyncIterator[Candles]:
    for block in blocks:
        yield block


async def _refusal(now_s: int, *blocks: Candles) -> str:
    with pytest.raises(InvalidInput) as caught:
        _ = [block async for block in checked_blocks(_blocks(*blocks), Interval.HOUR_1, now_s)]
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"open": math.nan}, "open is not a finite number"),
        ({"volume": math.inf}, "volume is not a finite number"),
        ({"close": -math.inf}, "close is not a finite number"),
        ({"high": 1.1e300}, "high is too large"),
        ({"volume": 1.1e300}, "volume is too large"),
        ({"low": 0.0}, "low is not positive"),
        ({"open": -1.0}, "open is not positive"),
        ({"volume": -1e-300}, "volume is negative"),
        ({"high": 1.0}, "high is below low"),
        ({"close": 1e6}, "close is not between low and high"),
        ({"open_time_s": -HOUR_S}, "the time is before 1970"),
        ({"open_time_s": START_S + 61}, "the time is not on the 1h grid"),
    ],
)
async def test_a_broken_rule_names_the_candle(values: dict[str, float], reason: str) -> None:
    candles = _with(**values)
    broken = [(why, np.flatnonzero(where).tolist()) for why, where in broken_rules(candles, Interval.HOUR_1)]
    assert (reason, [4]) in broken
    assert next(why for why, where in broken if where) == reason
    assert await _refusal(CLOSED_S, GOOD[:0], candles) == f"columns[4]: {reason}"


@pytest.mark.parametrize("values", [{}, {"high": 1e300, "volume": 1e300}, {"volume": 0.0}, {"low": 1e-300}])
async def test_what_is_odd_but_possible_is_taken(values: dict[str, float]) -> None:
    blocks = checked_blocks(_blocks(_with(**values)), Interval.HOUR_1, CLOSED_S)
    assert [len(block) async for block in blocks] == [10]


async def test_a_candle_that_is_not_closed_is_refused() -> None:
    reason = "columns[9]: the candle is not closed yet"
    assert await _refusal(CLOSED_S - 1, GOOD[:6], GOOD[6:]) == reason


async def test_times_ascend_over_blocks() -> None:
    reason = "columns[6]: the time is not after the one before"
    assert await _refusal(CLOSED_S, GOOD[:6], GOOD[5:]) == reason
