"""A history as it comes from the data service.

Apart from `source`, which needs gRPC: column files do not.
"""

from dataclasses import dataclass, field

from backcast_engine.breaks import Break
from backcast_engine.candles import Candles
from backcast_engine.history import PartialCandles
from backcast_engine.times import EARLIEST_S


@dataclass(frozen=True, slots=True)
class FetchedHistory:
    """A crypto's candles in consecutive blocks, and the fingerprint of their version.

    Where `unchanged_before_s` (Unix seconds) is set, the blocks begin there, and earlier candles are those of
    the known version. `breaks` and `partial` are always those of the whole history, which may have candles
    before `since_s` that were not asked for.
    """

    symbol: str
    fingerprint: str
    unchanged_before_s: int | None
    blocks: list[Candles]
    breaks: tuple[Break, ...] = ()
    partial: PartialCandles = field(default_factory=PartialCandles.none)
    since_s: int = EARLIEST_S
