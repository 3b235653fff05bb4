"""The functions of expressions, by name."""

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from backcast_engine import indicators
from backcast_engine.indicators.library import LibraryFunction, Memory
from backcast_engine.rules.library import Described, described_functions
from backcast_engine.rules.signature import MAX_PERIOD, Constant, Function, Input, ValueKind

# Time constants of the warm-up of a recursive average: the weight of earlier candles is then e^-20, 2e-9.
_TIME_CONSTANTS = 20


def _arithmetic(name: str, of: Callable[..., Any], count: int, help_text: str) -> Function:
    def compute(*values: Any) -> Any:
        # What is beyond a float64 is undefined, and no more worth a warning than what was never defined.
        with np.errstate(all="ignore"):
            result = of(*values)
        if isinstance(result, np.ndarray):
            finite = np.isfinite(result)
            return result if finite.all() else np.where(finite, result, np.nan)
        return float(result) if np.isfinite(result) else np.nan

    names = ("series",) if count == 1 else ("left", "right")
    inputs = tuple(Input(name, ValueKind.SERIES) for name in names)
    return Function(name, inputs, ValueKind.SERIES, help_text, compute, is_indicator=False)


def _condition(name: str, kind: ValueKind, count: int, help_text: str, *, lookback: int = 0) -> Function:
    inputs = tuple(Input(name, kind) for name in ("left", "right")[:count])
    return Function(
        name, inputs, ValueKind.CONDITION, help_text, lookback=lambda: lookback, is_indicator=False
    )


_SERIES = Input("series", ValueKind.SERIES, "close")
_CONDITION = Input("condition", ValueKind.CONDITION)
_HIGH_LOW = (Input("high", ValueKind.SERIES, "high"), Input("low", ValueKind.SERIES, "low"))
_HIGH_LOW_CLOSE = (*_HIGH_LOW, Input("close", ValueKind.SERIES, "close"))


def _period(default: int, name: str = "period", minimum: int = 1) -> Constant:
    return Constant(name, whole=True, minimum=minimum, maximum=MAX_PERIOD, default=default)


def _factor(name: str, default: float) -> Constant:
    return Constant(name, whole=False, minimum=0.01, maximum=100.0, default=default)


def _window(period: int, *_: float) -> int:
    return period - 1


def _wilder(period: int, *_: float) -> int:
    return _TIME_CONSTANTS * period


def _exponential(period: int, *_: float) -> int:
    # Its time constant is half its period.
    return _TIME_CONSTANTS // 2 * period


_MACD = (_period(12, "fast"), _period(26, "slow", 2), _period(9, "signal"))
_STOCHASTIC = (_period(14), _period(3, "smoothing"))
_PRICE_VOLUME = (*_HIGH_LOW_CLOSE, Input("volume", ValueKind.SERIES, "volume"))
_BOLLINGER = (_period(20), _factor("width", 2.0))
_KELTNER = (_period(20), _period(10, "atr_period"), _factor("multiple", 2.0))


def _stochastic_lookback(period: int, smoothing: int, signal: int = 1) -> int:
    return period + smoothing + signal - 3


def _keltner_lookback(period: int, atr_period: int, _multiple: float) -> int:
    return max(period - 1, atr_period)


def _keltner_warmup(period: int, atr_period: int, _multiple: float) -> int:
    return max(_exponential(period), _wilder(atr_period))


def _ichimoku() -> Iterator[Function]:
    """Yield the lines of Ichimoku that do not look ahead; they are evaluated as what they say.

    Source: Goichi Hosoda, 1969.
    """
    displacement = _period(26, "displacement")
    lines: tuple[tuple[str, tuple[Constant, ...], str, Callable[..., int]], ...] = (
        (
            "tenkan",
            (_period(9),),
            "Ichimoku's conversion line: halfway from lowest low to highest high.",
            _window,
        ),
        ("kijun", (_period(26),), "Ichimoku's base line: halfway from lowest low to highest high.", _window),
        (
            "senkou_a",
            (_period(9, "conversion"), _period(26, "base"), displacement),
            "Ichimoku's leading span A at this candle: between the two lines, `displacement` candles ago.",
            lambda conversion, base, displacement: max(conversion, base) - 1 + displacement,
        ),
        (
            "senkou_b",
            (_period(52), displacement),
            "Ichimoku's leading span B at this candle: a longer base line, `displacement` candles ago.",
            lambda period, displacement: period - 1 + displacement,
        ),
    )
    for name, constants, help_text, lookback in lines:
        yield Function(name, (*_HIGH_LOW, *constants), ValueKind.SERIES, help_text, lookback=lookback)


def _of_library(described: Described) -> Iterator[Function]:
    """Yield a function of TA-Lib, or where it has several results, a function for each."""
    inputs = tuple(Input(name, ValueKind.SERIES, default) for name, default in described.inputs)
    constants = tuple(
        Constant(one.name, one.whole, one.minimum, one.maximum or MAX_PERIOD, one.default)
        for one in described.constants
    )
    compute = described.compute
    since = ", from the first candle of the warm-up on" if compute.memory is Memory.SUMS else ""
    for index, part in enumerate(described.parts):
        yield Function(
            "_".join(filter(None, (described.name, part))),
            (*inputs, *constants),
            ValueKind.SERIES,
            f"{described.help}{part and ', '}{part}{since}.",
            compute,
            compute.lookback,
            compute.warmup,
            part=index if len(described.parts) > 1 else None,
        )


_FUNCTIONS = (
    _arithmetic("add", operator.add, 2, "The sum."),
    _arithmetic("subtract", operator.sub, 2, "The difference."),
    _arithmetic("multiply", operator.mul, 2, "The product."),
    _arithmetic("divide", np.divide, 2, "The ratio; undefined over zero."),
    _arithmetic("negate", operator.neg, 1, "The opposite."),
    _arithmetic("abs", np.abs, 1, "The value without its sign."),
    _arithmetic("min", np.minimum, 2, "The smaller one of two values."),
    _arithmetic("max", np.maximum, 2, "The greater one of two values."),
    _arithmetic("log", np.log, 1, "Natural logarithm; undefined at zero and below."),
    _arithmetic("sqrt", np.sqrt, 1, "Square root; undefined below zero."),
    _arithmetic("exp", np.exp, 1, "Exponential function."),
    _arithmetic("round", np.rint, 1, "The nearest whole number; of two that are equally near, the even one."),
    _arithmetic("sign", np.sign, 1, "1 above zero, -1 below, 0 at zero."),
    _condition("less", ValueKind.SERIES, 2, "Left is below right."),
    _condition("less_equal", ValueKind.SERIES, 2, "Left is below right, or equal."),
    _condition("greater", ValueKind.SERIES, 2, "Left is above right."),
    _condition("greater_equal", ValueKind.SERIES, 2, "Left is above right, or equal."),
    _condition("equal", ValueKind.SERIES, 2, "Left is right."),
    _condition("not_equal", ValueKind.SERIES, 2, "Left is not right."),
    _condition("and", ValueKind.CONDITION, 2, "Both hold."),
    _condition("or", ValueKind.CONDITION, 2, "One holds, or both."),
    _condition("not", ValueKind.CONDITION, 1, "It does not hold; undefined where it is."),
    _condition(
        "crosses_above",
        ValueKind.SERIES,
        2,
        "Left is above right, and was not at the last candle.",
        lookback=1,
    ),
    _condition(
        "crosses_below",
        ValueKind.SERIES,
        2,
        "Left is below right, and was not at the last candle.",
        lookback=1,
    ),
    Function(
        "shift",
        (_SERIES, _period(1, "candles")),
        ValueKind.SERIES,
        "The value that many candles ago.",
        indicators.shift,
        lookback=lambda candles: candles,
    ),
    Function(
        "highest",
        (_SERIES, _period(20)),
        ValueKind.SERIES,
        "The greatest of the last values, this one included.",
        indicators.highest,
        _window,
    ),
    Function(
        "lowest",
        (_SERIES, _period(20)),
        ValueKind.SERIES,
        "The smallest of the last values, this one included.",
        indicators.lowest,
        _window,
    ),
    Function(
        "sma", (_SERIES, _period(20)), ValueKind.SERIES, "Simple moving average.", indicators.sma, _window
    ),
    Function(
        "ema",
        (_SERIES, _period(20)),
        ValueKind.SERIES,
        "Exponential moving average.",
        indicators.ema,
        _window,
        _exponential,
    ),
    Function(
        "wma", (_SERIES, _period(20)), ValueKind.SERIES, "Linearly weighted average.", indicators.wma, _window
    ),
    Function(
        "stddev",
        (_SERIES, _period(20, minimum=2)),
        ValueKind.SERIES,
        "Population standard deviation of the last values.",
        indicators.stddev,
        _window,
    ),
    Function(
        "momentum",
        (_SERIES, _period(10)),
        ValueKind.SERIES,
        "Change over that many candles.",
        indicators.momentum,
        lookback=lambda period: period,
    ),
    Function(
        "roc",
        (_SERIES, _period(10)),
        ValueKind.SERIES,
        "Rate of change over that many candles, in percent.",
        indicators.roc,
        lookback=lambda period: period,
    ),
    Function(
        "rsi",
        (_SERIES, _period(14, minimum=2)),
        ValueKind.SERIES,
        "Wilder's relative strength index, 0 to 100.",
        indicators.rsi,
        lookback=lambda period: period,
        warmup=_wilder,
    ),
    Function(
        "true_range",
        _HIGH_LOW_CLOSE,
        ValueKind.SERIES,
        "Wilder's true range.",
        indicators.true_range,
        lookback=lambda: 1,
    ),
    Function(
        "atr",
        (*_HIGH_LOW_CLOSE, _period(14)),
        ValueKind.SERIES,
        "Wilder's average true range.",
        indicators.atr,
        lookback=lambda period: period,
        warmup=_wilder,
    ),
    Function(
        "bollinger_lower",
        (_SERIES, *_BOLLINGER),
        ValueKind.SERIES,
        "Lower Bollinger band.",
        # It is evaluated from the SMA and the standard deviation.
        lookback=_window,
    ),
    Function(
        "bollinger_upper",
        (_SERIES, *_BOLLINGER),
        ValueKind.SERIES,
        "Upper Bollinger band.",
        # It is evaluated from the SMA and the standard deviation.
        lookback=_window,
    ),
    Function(
        "keltner_lower",
        (*_HIGH_LOW_CLOSE, *_KELTNER),
        ValueKind.SERIES,
        "Lower Keltner channel: EMA less a multiple of the ATR.",
        indicators.keltner_channel,
        _keltner_lookback,
        _keltner_warmup,
        part=0,
    ),
    Function(
        "keltner_upper",
        (*_HIGH_LOW_CLOSE, *_KELTNER),
        ValueKind.SERIES,
        "Upper Keltner channel: EMA plus a multiple of the ATR.",
        indicators.keltner_channel,
        _keltner_lookback,
        _keltner_warmup,
        part=2,
    ),
    *(
        Function(
            name,
            (_SERIES, *_MACD),
            ValueKind.SERIES,
            help_text,
            indicators.macd,
            lookback=lambda fast, slow, signal: max(fast, slow) + signal - 2,
            warmup=lambda fast, slow, signal: _exponential(max(fast, slow)) + _exponential(signal),
            part=part,
        )
        for part, (name, help_text) in enumerate(
            (
                ("macd", "Fast less slow exponential average."),
                ("macd_signal", "Exponential average of the MACD."),
                ("macd_histogram", "MACD less its signal."),
            )
        )
    ),
    Function(
        "stochastic_k",
        (*_HIGH_LOW_CLOSE, *_STOCHASTIC),
        ValueKind.SERIES,
        "Slow stochastic %K, 0 to 100.",
        indicators.stochastic_k,
        _stochastic_lookback,
    ),
    Function(
        "stochastic_d",
        (*_HIGH_LOW_CLOSE, *_STOCHASTIC, _period(3, "signal")),
        ValueKind.SERIES,
        "Slow stochastic %D, the average of %K.",
        # It is evaluated as what it says: the SMA of %K.
        lookback=_stochastic_lookback,
    ),
    Function(
        "supertrend",
        (*_HIGH_LOW_CLOSE, _period(10), _factor("multiple", 3.0)),
        ValueKind.SERIES,
        "Supertrend line: below the price in a rise, above it in a fall.",
        indicators.supertrend,
        lookback=lambda period, _multiple: period,
        warmup=_wilder,
    ),
    *_ichimoku(),
    Function(
        "zscore",
        (_SERIES, _period(20, minimum=2)),
        ValueKind.SERIES,
        "Distance from the simple average, in standard deviations.",
        # It is evaluated as what it says.
        lookback=_window,
    ),
    Function(
        "vwap",
        (*_PRICE_VOLUME, _period(20)),
        ValueKind.SERIES,
        "Average of (high + low + close) / 3 over the last candles, weighted by volume.",
        indicators.vwap,
        _window,
    ),
    Function(
        "vwap_session",
        _PRICE_VOLUME,
        ValueKind.SERIES,
        "Average of (high + low + close) / 3 since 00:00 UTC, weighted by volume.",
        indicators.vwap_session,
        # The other candles of a day, of the shortest ones.
        warmup=lambda: 23,
        reads_time=True,
    ),
    Function(
        "vwap_since",
        (_CONDITION, *_PRICE_VOLUME),
        ValueKind.SERIES,
        "Average of (high + low + close) / 3 since the condition held last, weighted by volume; looks back "
        "as far as the warm-up.",
        indicators.vwap_since,
    ),
    Function(
        "bars_since",
        (_CONDITION,),
        ValueKind.SERIES,
        "Candles since the condition held last, 0 where it holds; looks back as far as the warm-up.",
        indicators.bars_since,
        is_indicator=False,
    ),
    Function(
        "value_when",
        (_CONDITION, Input("series", ValueKind.SERIES)),
        ValueKind.SERIES,
        "The value where the condition held last; looks back as far as the warm-up.",
        indicators.value_when,
    ),
    Function(
        "count",
        (_CONDITION, _period(20)),
        ValueKind.SERIES,
        "At how many of the last candles the condition held, this one included.",
        indicators.count,
        _window,
        is_indicator=False,
    ),
    Function(
        "hour",
        (),
        ValueKind.SERIES,
        "Hour at which the candle opens, UTC, 0 to 23.",
        indicators.hour,
        reads_time=True,
    ),
    Function(
        "weekday",
        (),
        ValueKind.SERIES,
        "Day on which the candle opens, UTC, Monday 1 to Sunday 7.",
        indicators.weekday,
        reads_time=True,
    ),
    Function(
        "day_of_month",
        (),
        ValueKind.SERIES,
        "Day of the month on which the candle opens, UTC, 1 to 31.",
        indicators.day_of_month,
        reads_time=True,
    ),
    *(function for described in described_functions() for function in _of_library(described)),
)

# By name, which is also the name in texts and, in capitals, of the API's enum value.
FUNCTIONS: dict[str, Function] = {function.name: function for function in _FUNCTIONS}

# The names of TA-Lib's functions among them.
LIBRARY = frozenset(
    name for name, function in FUNCTIONS.items() if isinstance(function.compute, LibraryFunction)
)


def parts_of(compute: Callable[..., Any]) -> dict[str, int]:
    """Return the names of the functions that are parts of what `compute` returns, and which parts."""
    return {
        function.name: function.part
        for function in _FUNCTIONS
        if function.compute is compute and function.part is not None
    }
