"""A made-up market: 211 cryptos, one year of hourly candles, the same every time."""

from collections.abc import Iterator

import numpy as np

from backcast_engine.candles import Candles, PriceColumn

CRYPTO_COUNT = 211
START_S = 1_735_689_600  # 2025-01-01T00:00:00Z
HOURS = 365 * 24
_SEED = 211


def sample_market(hours: int = HOURS, start_s: int = START_S) -> Iterator[tuple[str, Candles]]:
    """Yield symbol and hourly candles of each crypto: SYN001USDT to SYN211USDT.

    Each follows the market by its own beta, and has moves of its own, with fat tails and clustered
    volatility, as cryptos do. Prices are rounded to five significant digits of the first price, like an
    exchange's tick.
    """
    market = np.random.default_rng(_SEED).standard_t(4, hours) * 0.003
    open_time_s = start_s + 3600 * np.arange(hours, dtype=np.int64)
    for number in range(1, CRYPTO_COUNT + 1):
        yield f"SYN{number:03}USDT", _candles(np.random.default_rng([_SEED, number]), market, open_time_s)


def _candles(random: np.random.Generator, market: PriceColumn, open_time_s: np.ndarray) -> Candles:
    hours = len(open_time_s)
    waves = np.exp(
        0.5 * np.sin(np.arange(hours) * 2 * np.pi / random.uniform(200, 900) + random.uniform(0, 6))
    )
    own = random.standard_t(4, hours) * random.uniform(0.002, 0.006) * waves
    change = random.uniform(0.4, 1.6) * market + own + random.normal(0, 0.00003)
    change += change.var() / 2  # otherwise nearly all would fall: a gain must exceed a loss to make up for it
    first_price = 10 ** random.uniform(-4, 4.5)
    decimals = max(0, 4 - int(np.floor(np.log10(first_price))))
    close = first_price * np.exp(np.cumsum(change))
    # Each candle opens at the last close; its wicks reach beyond open and close.
    open_ = np.concatenate(([first_price], close[:-1]))
    reach = np.abs(random.normal(0, 0.003, (2, hours)))
    tick = 10.0**-decimals

    def on_tick(price: PriceColumn) -> PriceColumn:
        return np.asarray(np.round(np.maximum(price, tick), decimals), np.float64)

    open_, close = on_tick(open_), on_tick(close)
    return Candles(
        open_time_s=open_time_s,
        open=open_,
        high=np.maximum.reduce((on_tick(np.maximum(open_, close) * (1 + reach[0])), open_, close)),
        low=np.minimum.reduce((on_tick(np.minimum(open_, close) * (1 - reach[1])), open_, close)),
        close=close,
        volume=np.round(random.lognormal(10, 1, hours) / first_price, 2),
    )
