"""What a candle must be, whoever brings it."""

from collections.abc import AsyncIterator, Iterator

import numpy as np
from numpy.typing import NDArray

from services.shared.candles import Candles
from services.shared.errors import InvalidInput
from services.shared.interval import Interval

# Of the years 1 to 9999: what a protobuf Timestamp can say, and Python's datetime.
_MIN_TIME_S, _MAX_TIME_S = -62_135_596_800, 253_402_300_799


def broken_rules(candles: Candles, interval: Interval) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each rule's reason with a bool column of shape (n,): the candles that break it.

    The candles may be in any order; that their times ascend is not among these rules.
    """
    prices = (("open", candles.open), ("high", candles.high), ("low", candles.low), ("close", candles.close))
    for name, column in (*prices, ("volume", candles.volume)):
        yield f"{name} is not a finite number", ~np.isfinite(column)
    for name, column in prices:
        yield f"{name} is not positive", column <= 0
    yield "volume is negative", candles.volume < 0
    yield "high is below low", candles.high < candles.low
    for name, column in (("open", candles.open), ("close", candles.close)):
        yield f"{name} is not between low and high", (column < candles.low) | (column > candles.high)
    yield (
        "the time is not in the years 1 to 9999",
        (candles.open_time_s < _MIN_TIME_S) | (candles.open_time_s > _MAX_TIME_S),
    )
    grid_offset = interval.opening(0)
    yield (
        off_grid_reason(interval),
        (candles.open_time_s - grid_offset) % interval.seconds != 0,
    )


def off_grid_reason(interval: Interval) -> str:
    """Return what is said of a candle whose time is not on the grid."""
    return f"the time is not on the {interval.value} grid"


async def checked_blocks(blocks: AsyncIterator[Candles], interval: Interval) -> AsyncIterator[Candles]:
    """Pass blocks on; raise InvalidInput at the first candle that breaks a rule or does not ascend."""
    seen, last_s = 0, -(2**62)
    async for block in blocks:
        for reason, broken in broken_rules(block, interval):
            if broken.any():
                raise InvalidInput.of(f"columns[{seen + int(np.argmax(broken))}]", reason)
        if len(block):
            descends = np.diff(block.open_time_s, prepend=last_s) <= 0
            if descends.any():
                raise InvalidInput.of(
                    f"columns[{seen + int(np.argmax(descends))}]", "the time is not after the one before"
                )
            last_s = int(block.open_time_s[-1])
        seen += len(block)
        yield block
