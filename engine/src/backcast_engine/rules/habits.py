"""What people write out of habit from elsewhere, and what to write instead."""

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
    **dict.fromkeys(("ichimoku_conversion", "conversion_line", "tenkan_sen"), "tenkan()"),
    **dict.fromkeys(("ichimoku_base", "base_line", "kijun_sen"), "kijun()"),
    **dict.fromkeys(("senkou_span_a", "ichimoku_a", "span_a"), "senkou_a()"),
    **dict.fromkeys(("senkou_span_b", "ichimoku_b", "span_b"), "senkou_b()"),
    **dict.fromkeys(("chikou", "chikou_span"), "close > close[26], as the lagging line would look ahead"),
    **dict.fromkeys(("ichimoku", "kumo", "ichimoku_cloud"), "tenkan(), kijun(), senkou_a() or senkou_b()"),
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
