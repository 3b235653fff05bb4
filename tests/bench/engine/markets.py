"""The made-up market in memory, as compute has it: only the columns that these backtests read."""

from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.progress import track

from backcast_engine import Window
from backcast_engine.candles import Candles
from services.local import sample_market
from tests.bench.candles import market as big

BIG_WINDOW = Window(big.START_S, big.END_S)
YEAR_WINDOW = Window(sample_market.START_S, sample_market.START_S + sample_market.HOURS * 3600)
CRYPTO_COUNT = sample_market.CRYPTO_COUNT

_EMPTY = np.empty(0)


def big_market(console: Console) -> list[Candles]:
    """Return the hours of five years."""
    return _in_memory(big.big_market(), "making 9.2 million candles", console)


def year_market(console: Console) -> list[Candles]:
    """Return the hours of one year."""
    return _in_memory(sample_market.sample_market(), "making 1.8 million candles", console)


def _in_memory(market: Iterator[tuple[str, Candles]], doing: str, console: Console) -> list[Candles]:
    made = track(market, doing, total=CRYPTO_COUNT, console=console, transient=True)
    return [
        Candles(candles.open_time_s, candles.open, _EMPTY, _EMPTY, candles.close, _EMPTY)
        for _, candles in made
    ]
