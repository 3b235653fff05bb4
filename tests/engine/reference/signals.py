"""What each strategy wants at each close, from its description alone."""

from dataclasses import dataclass

from . import indicators as ind

# Two numbers that are closer, relative to what they are made of, may compare otherwise after rounding.
CLOSE_CALL = 1e-9
# The tests' own strategy counts its hours from 2024-01-01.
SCRIPT_START_S = 1_704_067_200


@dataclass
class Decision:
    """What the strategy wants at a close; `clear` where no rounding can make it want something else."""

    buy: bool
    sell: bool
    clear: bool = True


@dataclass
class Comparison:
    """Whether one number is above another: not where one is undefined."""

    holds: bool
    clear: bool = True

    def __and__(self, other):
        return Comparison(self.holds and other.holds, self.clear and other.clear)


def above(left, right, scale, exact=False):
    """Compare numbers made of others as large as `scale`; `exact` says that nothing was rounded."""
    if left is None or right is None:
        return Comparison(holds=False)
    return Comparison(left > right, exact or abs(left - right) > CLOSE_CALL * scale)


def decisions(strategy, candles):
    """Return a decision for each of the candles (an object with lists open, high, low, close)."""
    signals = _STRATEGIES[strategy.name](strategy, candles)
    return [Decision(buy.holds, sell.holds, buy.clear and sell.clear) for buy, sell in signals]


def lookback(strategy):
    """Return how many candles come before the first that can have a signal of every kind."""
    return _LOOKBACKS[strategy.name](strategy)


def warmup(strategy):
    """Return how many candles come before the window: 20 time constants where the past fades away."""
    return _WARMUPS[strategy.name](strategy)


# Wilder's smoothing of a period forgets with a time constant of that period, an EMA in half of it.
_LOOKBACKS = {
    "bollinger": lambda s: s.period - 1,
    "buy_and_hold": lambda s: 0,
    "donchian": lambda s: max(s.entry, s.exit),
    "keltner": lambda s: max(s.period - 1, s.atr_period),
    "ma_cross": lambda s: s.slow - 1,
    "macd": lambda s: s.slow - 1 + s.signal - 1,
    "roc_momentum": lambda s: s.period,
    "rsi": lambda s: s.period,
    "rsi_trend": lambda s: max(s.period, s.trend - 1),
    "stochastic": lambda s: s.period - 1 + s.smoothing - 1 + s.signal - 1 + 1,
    "scripted": lambda s: 0,
    "supertrend": lambda s: s.period,
}
_WARMUPS = {
    **_LOOKBACKS,
    "keltner": lambda s: max(10 * s.period, 20 * s.atr_period),
    "ma_cross": lambda s: s.slow - 1 if s.kind == "SMA" else 10 * s.slow,
    "macd": lambda s: 10 * s.slow + 10 * s.signal,
    "rsi": lambda s: 20 * s.period,
    "rsi_trend": lambda s: max(20 * s.period, s.trend - 1),
    "scripted": lambda s: s.warmup,
    "supertrend": lambda s: 20 * s.period,
}


def _scales(candles):
    """Return the largest price until each candle, and whether no price so far differed from another."""
    largest, smallest = 0.0, float("inf")
    for high, low in zip(candles.high, candles.low, strict=True):
        largest, smallest = max(largest, high), min(smallest, low)
        yield largest, largest == smallest


def _against(line, closes, scales):
    """Return where the closes are above the line, and where below it."""
    return [
        (above(close, value, scale, still), above(value, close, scale, still))
        for close, value, (scale, still) in zip(closes, line, scales, strict=True)
    ]


def _rsi(strategy, candles):
    signals, rises, falls = [], False, False
    closes = candles.close
    for t, value in enumerate(ind.rsi(closes, strategy.period)):
        rises = rises or (t > 0 and closes[t] > closes[t - 1])
        falls = falls or (t > 0 and closes[t] < closes[t - 1])
        # 0, 50 and 100 are exact when there was nothing to round.
        exact = not (rises and falls)
        signals.append(
            (above(strategy.oversold, value, 100, exact), above(value, strategy.overbought, 100, exact))
        )
    return signals


def _rsi_trend(strategy, candles):
    average = ind.sma(candles.close, strategy.trend)
    trend = _against(average, candles.close, list(_scales(candles)))
    return [
        (buy & rising, sell) for (buy, sell), (rising, _) in zip(_rsi(strategy, candles), trend, strict=True)
    ]


def _ma_cross(strategy, candles):
    average = ind.sma if strategy.kind == "SMA" else ind.ema
    fast, slow = average(candles.close, strategy.fast), average(candles.close, strategy.slow)
    return _against(
        slow,
        [None if b is None else a for a, b in zip(fast, slow, strict=True)],
        _still(candles, strategy.slow),
    )


def _still(candles, period):
    """Return scales as `_scales` does, with stillness being that of the last `period` closes."""
    scales = []
    for t, (scale, still) in enumerate(_scales(candles)):
        scales.append((scale, still or len(set(candles.close[max(0, t - period + 1) : t + 1])) == 1))
    return scales


def _bollinger(strategy, candles):
    middle = ind.sma(candles.close, strategy.period)
    deviations = ind.stddev(candles.close, strategy.period)
    signals = []
    for close, mean, deviation, (scale, still) in zip(
        candles.close, middle, deviations, _still(candles, strategy.period), strict=True
    ):
        if mean is None:
            signals.append((Comparison(holds=False), Comparison(holds=False)))
            continue
        reach = strategy.width * deviation
        level = mean + reach if strategy.exit_band == "UPPER" else mean
        size = max(scale, reach)
        signals.append((above(mean - reach, close, size, still), above(close, level, size, still)))
    return signals


def _buy_and_hold(strategy, candles):
    return [(Comparison(holds=True), Comparison(holds=False)) for _ in candles.close]


def _macd(strategy, candles):
    line = ind.macd(candles.close, strategy.fast, strategy.slow)
    signal = ind.ema(line, strategy.signal)
    return _against(signal, line, list(_scales(candles)))


def _stochastic(strategy, candles):
    raw = ind.stochastic_raw(candles.high, candles.low, candles.close, strategy.period)
    k = ind.sma(raw, strategy.smoothing)
    d = ind.sma(k, strategy.signal)
    reach = strategy.smoothing + strategy.signal
    nothing = Comparison(holds=False)
    signals = []
    for t in range(len(raw)):
        if t == 0 or d[t - 1] is None:
            signals.append((nothing, nothing))
            continue
        exact = len(set(raw[max(0, t - reach + 1) : t + 1])) == 1
        was_above, was_below = above(k[t - 1], d[t - 1], 100, exact), above(d[t - 1], k[t - 1], 100, exact)
        up = above(k[t], d[t], 100, exact) & Comparison(not was_above.holds, was_above.clear)
        down = above(d[t], k[t], 100, exact) & Comparison(not was_below.holds, was_below.clear)
        signals.append(
            (
                up & above(strategy.oversold, d[t], 100, exact),
                down & above(d[t], strategy.overbought, 100, exact),
            )
        )
    return signals


def _donchian(strategy, candles):
    nothing = Comparison(holds=False)
    signals = []
    for t, close in enumerate(candles.close):
        buy = sell = nothing
        if t >= strategy.entry:
            buy = Comparison(close > max(candles.high[t - strategy.entry : t]))
        if t >= strategy.exit:
            sell = Comparison(close < min(candles.low[t - strategy.exit : t]))
        signals.append((buy, sell))
    return signals


def _roc_momentum(strategy, candles):
    return [
        (above(roc, strategy.buy_above, 100, roc == 0), above(strategy.sell_below, roc, 100, roc == 0))
        for roc in ind.roc(candles.close, strategy.period)
    ]


def _supertrend(strategy, candles):
    line, clear = ind.supertrend(candles.high, candles.low, candles.close, strategy.period, strategy.multiple)
    scales = list(_scales(candles))
    sure = [Comparison(holds=True, clear=c or still) for c, (_, still) in zip(clear, scales, strict=True)]
    signals = _against(line, candles.close, scales)
    return [(buy & turns, sell & turns) for (buy, sell), turns in zip(signals, sure, strict=True)]


def _keltner(strategy, candles):
    middle = ind.ema(candles.close, strategy.period)
    ranges = ind.atr(candles.high, candles.low, candles.close, strategy.atr_period)
    signals = []
    for close, mean, reach, (scale, still) in zip(
        candles.close, middle, ranges, _scales(candles), strict=True
    ):
        upper = None if mean is None or reach is None else mean + strategy.multiple * reach
        size = max(scale, upper or 0)
        signals.append((above(close, upper, size, still), above(mean, close, size, still)))
    return signals


def _scripted(strategy, candles):
    hours = [(time_s - SCRIPT_START_S) // 3_600 for time_s in candles.time_s]
    return [(Comparison(hour in strategy.buy_at), Comparison(hour in strategy.sell_at)) for hour in hours]


_STRATEGIES = {
    "bollinger": _bollinger,
    "buy_and_hold": _buy_and_hold,
    "donchian": _donchian,
    "keltner": _keltner,
    "ma_cross": _ma_cross,
    "macd": _macd,
    "roc_momentum": _roc_momentum,
    "rsi": _rsi,
    "rsi_trend": _rsi_trend,
    "scripted": _scripted,
    "stochastic": _stochastic,
    "supertrend": _supertrend,
}
