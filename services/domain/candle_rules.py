"""Checks the candles that the data service gets."""

from collections.abc import AsyncIterator

import numpy as np

from backcast_engine.candle_rules import broken_rules
from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval


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
