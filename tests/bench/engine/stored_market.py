"""The market in column files, as compute keeps it and its workers map it."""

from pathlib import Path

from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from services.compute.candles.location import DataVersion
from services.compute.candles.stored import StoredCandles

_COLUMNS = ("open", "close")


def store_market(market: list[Candles], folder: Path) -> list[StoredCandles]:
    """Write each crypto's candles, and return where they are."""
    stored = [
        StoredCandles(folder, DataVersion(f"CRYPTO{number}", "1"), Interval.HOUR_1, _COLUMNS)
        for number in range(len(market))
    ]
    for each, candles in zip(stored, market, strict=True):
        each.write([candles])
    return stored
