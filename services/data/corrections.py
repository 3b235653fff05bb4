"""Log of corrections: an exchange has changed candles that were fetched from it before."""

import structlog

from backcast_engine.candles import Candles
from backcast_engine.times import utc

_log = structlog.get_logger()

# Of one import. A follower asks for two days again each hour; more are corrected when a history is replaced.
_MOST_LOGGED = 48


def log_corrections(symbol: str, source: str, replaced: Candles, replacing: Candles) -> None:
    """Log the stored candles that were replaced, with their old and new values.

    The values are open, high, low, close and volume. Both have the same opening times.
    """
    old, new = ([*zip(*candles.columns(), strict=True)] for candles in (replaced, replacing))
    for (time_s, *old_values), (_, *new_values) in list(zip(old, new, strict=True))[:_MOST_LOGGED]:
        _log.info(
            "candle corrected",
            symbol=symbol,
            source=source,
            time=utc(int(time_s)),
            old=[float(value) for value in old_values],
            new=[float(value) for value in new_values],
        )
    if len(replaced) > _MOST_LOGGED:
        _log.info("more candles corrected", symbol=symbol, source=source, count=len(replaced) - _MOST_LOGGED)
