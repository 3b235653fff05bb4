"""What people write out of habit from elsewhere, and what to write instead."""

from backcast_engine.rules.nodes import CLOSE, HIGH, LOW, OPEN, Call, Expression, On
from backcast_engine.rules.text import place_text, text

# By names that are none here.
ELSEWHERE = {
    **dict.fromkeys(
        ("crossover", "cross_over", "cross_above", "crossed_above", "crossabove"), "crosses_above(a, b)"
    ),
    **dict.fromkeys(
        ("crossunder", "cross_under", "cross_below", "crossed_below", "crossbelow"), "crosses_below(a, b)"
    ),
    **dict.fromkeys(("cross", "crosses"), "crosses_above(a, b) or crosses_below(a, b)"),
    **dict.fromkeys(("mom", "diff"), "momentum(10)"),
    "change": "momentum(1)",
    **dict.fromkeys(("trange", "tr"), "true_range()"),
    **dict.fromkeys(("stdev", "std"), "stddev(20)"),
    **dict.fromkeys(("mean", "avg", "average", "rolling_mean"), "sma(20)"),
    "rolling_max": "highest(high, 20)",
    "rolling_min": "lowest(low, 20)",
    "minmax": "lowest(low, 20) and highest(high, 20)",
    "minmaxindex": "minindex(30) and maxindex(30)",
    **dict.fromkeys(("ref", "lag", "prev", "previous"), "shift(close, 1) or close[1]"),
    **dict.fromkeys(("add", "sub"), "a + b or a - b"),
    **dict.fromkeys(("mult", "div"), "a * b or a / b"),
    **dict.fromkeys(("pow", "power", "square"), "a product, as close * close"),
    **dict.fromkeys(("psar", "parabolic_sar"), "sar()"),
    "bollinger": "bollinger_upper(20, 2) or bollinger_lower(20, 2)",
    "keltner": "keltner_upper() or keltner_lower()",
    "barssince": "bars_since(condition)",
    "valuewhen": "value_when(condition, series)",
    "iff": "conditions with and, or and not",
    "dayofweek": "weekday",
    "dayofmonth": "day_of_month",
    **dict.fromkeys(("price", "last"), "close"),
    "hl2": "medprice()",
    "hlc3": "typprice()",
    "ohlc4": "avgprice()",
    **dict.fromkeys(
        ("security", "request_security", "timeframe", "resample", "htf"), "close@1d, of daily candles"
    ),
    **dict.fromkeys(("benchmark", "btc", "btcusdt"), "close@BTCUSDT, of another crypto"),
}

# By names of functions of two values, which elsewhere are of a period.
WINDOWED = {
    "max": "the greatest of the last values is highest(high, 20)",
    "min": "the smallest of the last values is lowest(low, 20)",
}

_PRICES = (OPEN, HIGH, LOW, CLOSE)
# A comparison that asks for a price above the highest, and one below the lowest.
_ABOVE = frozenset(("greater", "crosses_above"))
_BELOW = frozenset(("less", "crosses_below"))


def impossible(comparison: Call) -> str | None:
    """Return why a comparison can never hold, and what to write: a price is never above the highest high.

    None for all others. The highest of the last candles is one of them, and this candle is among them.
    """
    if comparison.function not in _ABOVE | _BELOW:
        return None
    left, right = comparison.arguments
    suffix = ""
    if isinstance(left, On) and isinstance(right, On) and left.candles == right.candles:
        suffix = place_text(left.candles)
        left, right = left.part, right.part
    for price, extreme, above in ((left, right, _ABOVE), (right, left, _BELOW)):
        name, widest = ("highest", HIGH) if comparison.function in above else ("lowest", LOW)
        if (
            price in _PRICES
            and isinstance(extreme, Call)
            and extreme.function == name
            and extreme.arguments[0] in (price, widest)
        ):
            return _advice(price, extreme, suffix)
    return None


def _advice(price: Expression, extreme: Call, suffix: str) -> str:
    written, side = text(extreme), "above" if extreme.function == "highest" else "below"
    return (
        f"{text(price)}{suffix} is never {side} {written}{suffix}, which includes this candle: compare with "
        f"{written}[1]{suffix}, which ends at the last one"
    )
