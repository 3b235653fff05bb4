"""The rules that every candle must obey, whatever its source."""

from collections.abc import AsyncIterator, Iterator

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles, TimeColumn
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval

# A double ends at 1.8e308: above this, sums over a history, and prices times volumes, could overflow.
_LARGEST = 1e300


def broken_rules(candles: Candles, interval: Interval) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield for each rule its message and a bool column of shape (n,), true for candles that break it.

    The candles may be in any order. The rules do not include that times ascend and that candles are closed.
    """
    yield from broken_values(candles)
    yield off_grid_reason(interval), off_grid(candles.open_time_s, interval)


def broken_values(candles: Candles) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the rules for candles of any length; otherwise like `broken_rules`."""
    prices = (("open", candles.open), ("high", candles.high), ("low", candles.low), ("close", candles.close))
    values = (*prices, ("volume", candles.volume))
    for name, column in values:
        yield f"{name} is not a finite number", ~np.isfinite(column)
    for name, column in values:
        yield f"{name} is too large", column > _LARGEST
    for name, column in prices:
        yield f"{name} is not positive", column <= 0
    yield "volume is negative", candles.volume < 0
    yield "high is below low", candles.high < candles.low
    for name, column in (("open", candles.open), ("close", candles.close)):
        yield f"{name} is not between low and high", (column < candles.low) | (column > candles.high)
    yield "the time is before 1970", candles.open_time_s < 0


def off_grid(open_time_s: TimeColumn, interval: Interval) -> NDArray[np.bool_]:
    """Return which times, shape (n,), are not openings of the interval's candles."""
    is_off: NDArray[np.bool_] = (open_time_s - interval.opening(0)) % interval.seconds != 0
    return is_off


def off_grid_reason(interval: Interval) -> str:
    """Return the message for a candle whose time is not on the grid."""
    return f"the time is not on the {interval.value} grid"


async def checked_blocks(
    blocks: AsyncIterator[Candles], interval: Interval, now_s: int
) -> AsyncIterator[Candles]:
    """Yield the blocks; raise InvalidInput at the first candle that breaks a rule or is out of order.

    A candle that is not closed at `now_s` (Unix seconds) is refused too, because its values are not final.
    """
    seen, last_s = 0, -(2**62)
    async for block in blocks:
        for reason, broken in broken_rules(block, interval):
            if broken.any():
                raise InvalidInput.of(f"columns[{seen + int(np.argmax(broken))}]", reason)
        still_open = block.open_time_s > now_s - interval.seconds
        if still_open.any():
            raise InvalidInput.of(
                f"columns[{seen + int(np.argmax(still_open))}]", "the candle is not closed yet"
            )
        if len(block):
            descends = np.diff(block.open_time_s, prepend=last_s) <= 0
            if descends.any():
                raise InvalidInput.of(
                    f"columns[{seen + int(np.argmax(descends))}]", "the time is not after the one before"
                )
            last_s = int(block.open_time_s[-1])
        seen += len(block)
        yield block
