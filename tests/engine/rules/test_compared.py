"""What a chart shows of rules: their series, in which pane, at which levels, and under which name."""

import pytest

from backcast_engine.rules import compared
from backcast_engine.rules.compared import compared_series
from backcast_engine.rules.evaluation import Evaluation
from backcast_engine.rules.functions import LIBRARY
from backcast_engine.rules.nodes import Call, Column, Number, Rules
from backcast_engine.rules.parse import parse
from backcast_engine.rules.text import CALLABLE, text
from backcast_engine.strategies import STRATEGIES


def shown(entry, exit_=None):
    """Return expression, pane and levels of each series of two lines."""
    rules = Rules(parse(entry, "entry"), parse(exit_, "exit") if exit_ else None)
    return shown_of(rules)


def shown_of(rules):
    return [(text(each.expression), each.pane, each.levels) for each in compared_series(rules)]


def label(series):
    (only,) = compared_series(Rules(parse(f"{series} > 1", "it")))
    return only.label


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("bollinger", [("bollinger_lower(20, 2)", 0, ()), ("bollinger_upper(20, 2)", 0, ())]),
        ("buy_and_hold", []),
        (
            "donchian",
            [("shift(highest(high, 20), 1)", 0, ()), ("shift(lowest(low, 10), 1)", 0, ())],
        ),
        ("keltner", [("keltner_upper(20, 10, 2)", 0, ()), ("ema(20)", 0, ())]),
        ("ma_cross", [("sma(20)", 0, ()), ("sma(50)", 0, ())]),
        ("macd", [("macd(12, 26, 9)", 1, ()), ("macd_signal(12, 26, 9)", 1, ())]),
        ("roc_momentum", [("roc(20)", 1, (0,))]),
        ("rsi", [("rsi(14)", 1, (30, 70))]),
        ("rsi_trend", [("rsi(14)", 1, (30, 70)), ("sma(200)", 0, ())]),
        ("stochastic", [("stochastic_k(14, 3)", 1, ()), ("stochastic_d(14, 3, 3)", 1, (20, 80))]),
        ("supertrend", [("supertrend(10, 3)", 0, ())]),
    ],
)
def test_the_series_of_a_strategy_are_those_that_its_rules_compare(name, series):
    assert shown_of(STRATEGIES[name]().rules()) == series


def test_every_built_in_strategy_is_in_the_test_above():
    (listed,) = test_the_series_of_a_strategy_are_those_that_its_rules_compare.pytestmark
    assert {name for name, _ in listed.args[1]} == STRATEGIES.keys() - {"rules"}


def test_series_are_in_the_order_of_the_text_and_each_once():
    entry = "rsi(14) < 30 and (close > sma(20) or not open < ema(5)) and crosses_above(sma(20), wma(9))"
    assert [name for name, _, _ in shown(entry, "rsi(14) > 70 or roc(3) > 2")] == [
        *("rsi(14)", "sma(20)", "ema(5)", "wma(9)", "roc(3)")
    ]


def test_prices_are_no_series_and_the_volume_is_one():
    assert shown("close > open and high > 10") == []
    assert shown("volume > sma(volume, 20)") == [("volume", 1, ()), ("sma(volume, 20)", 1, ())]


@pytest.mark.parametrize(
    "series",
    [
        "sma(close, 200) * 1.02",
        "close * 0.99",
        "(high + low) / 2",
        "lowest(low, 5) - 3 * atr(14)",
        "sma(20) + 100",
        "sma(close * volume, 20) / sma(volume, 20)",
        "close * (1 + roc(5) / 100)",
        "shift(close, 10000)",
        "ema(ema(highest(close, 10000), 10000), 10000)",
        "-(-close)",
    ],
)
def test_what_follows_the_price_is_over_the_candles(series):
    assert [pane for _, pane, _ in shown(f"{series} > open")] == [0]


@pytest.mark.parametrize(
    "series",
    [
        "close - open",
        "close / sma(20)",
        "-close",
        "close * volume",
        "close * 3",
        "sma(close * close, 20)",
        "ema(rsi(14), 5)",
        "highest(volume, 5)",
        "high - low",
        "close / (close - close)",
        "bollinger_upper() - bollinger_lower()",
    ],
)
def test_what_does_not_follow_the_price_has_a_pane_of_its_own(series):
    assert [pane for _, pane, _ in shown(f"{series} < open")] == [1]


def test_it_is_known_of_each_function_whether_it_follows_the_price():
    over_the_candles = set()
    for name, function in CALLABLE.items():
        if name not in LIBRARY and function.inputs and all(one.default for one in function.inputs):
            arguments = [
                *(Column(one.default) for one in function.inputs),
                *(Number(one.default) for one in function.constants),
            ]
            condition = Call("greater", (Call(function.name, tuple(arguments)), Column("close")))
            (series,) = compared_series(Rules(condition))
            if series.pane == 0:
                over_the_candles.add(function.name)
    averages = {"sma", "ema", "wma", "shift", "highest", "lowest", "supertrend", "vwap", "vwap_session"}
    bands = {"bollinger_lower", "bollinger_upper", "keltner_lower", "keltner_upper"}
    ichimoku = {"tenkan", "kijun", "senkou_a", "senkou_b"}
    assert over_the_candles == averages | bands | ichimoku


@pytest.mark.parametrize(
    ("series", "pane"),
    [
        *((name, 0) for name in ("kama(10)", "sar()", "bbands_middle(20)", "ha_close()", "linearreg(5)")),
        *((name, 1) for name in ("adx()", "obv()", "cumsum()", "sum(3)", "cdlengulfing()", "natr()", "hour")),
    ],
)
def test_functions_of_the_library_that_follow_the_price_are_drawn_over_it(series, pane):
    assert [found for _, found, _ in shown(f"{series} > 1")] == [pane]


def test_series_that_are_compared_share_a_pane_also_through_a_third_one():
    entry = "rsi(5) > 50 and roc(3) > 1 and rsi(9) > rsi(5) and atr(14) > 1 and rsi(20) > rsi(9)"
    assert {name: pane for name, pane, _ in shown(entry)} == {
        **{"rsi(5)": 1, "rsi(9)": 1, "rsi(20)": 1},
        "roc(3)": 2,
        "atr(14)": 3,
    }


def test_a_pane_does_not_join_what_is_compared_with_the_same_average_of_prices():
    assert shown("rsi(5) > sma(20) and roc(3) > sma(20)") == [
        ("rsi(5)", 1, ()),
        ("sma(20)", 0, ()),
        ("roc(3)", 2, ()),
    ]


def test_levels_are_the_numbers_that_a_series_is_compared_with():
    entry = "rsi(14) < 30 and 20 < rsi(14) and crosses_below(rsi(14), -5 * -(2 + 3)) and sma(5) > 7"
    assert shown(entry, "rsi(14) > 70") == [("rsi(14)", 1, (20, 25, 30, 70)), ("sma(5)", 0, (7,))]


def test_an_undefined_number_is_no_level_and_numbers_alone_are_no_series():
    assert shown("rsi(14) > 1 / 0 or 1 < 2") == [("rsi(14)", 1, ())]


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ("sma(20)", "SMA 20"),
        ("rsi(volume, 7)", "RSI 7 of volume"),
        ("ema(rsi(14), 5)", "EMA 5 of RSI 14"),
        ("macd_signal()", "MACD signal 12, 26, 9"),
        ("bollinger_upper(20, 2.5)", "Bollinger upper 20, 2.5"),
        ("stochastic_k()", "Stochastic %K 14, 3"),
        ("stochastic_d()", "Stochastic %D 14, 3, 3"),
        ("stddev()", "Standard deviation 20"),
        ("true_range()", "True range"),
        ("atr(high, low, open, 9)", "ATR 9 of high, low, open"),
        ("shift(highest(high, 20), 1)", "Highest 20 of high, 1 candle ago"),
        ("shift(close, 3)", "Close, 3 candles ago"),
        ("sma(high - low, 3)", "SMA 3 of high - low"),
        ("sma(20) * 1.02", "sma(20) * 1.02"),
        ("volume", "Volume"),
        ("adx(14)", "ADX 14"),
        ("plus_di(14)", "PLUS DI 14"),
        ("bbands_upper(20)", "BBANDS upper 20, 2, 2, 0"),
        ("zscore(20)", "Z-score 20"),
        ("vwap(5)", "VWAP 5"),
        ("senkou_b(52)", "Senkou B 52, 26"),
        ("value_when(close > open, high)", "value_when(close > open, high)"),
        ("day_of_month", "Day of month"),
    ],
)
def test_a_label_says_what_is_drawn(series, words):
    assert label(series) == words


def test_it_takes_few_candles_to_see_whether_a_series_follows_the_price(monkeypatch):
    lengths = []

    class Counting(Evaluation):
        def __init__(self, candles):
            lengths.append(len(candles))
            super().__init__(candles)

    monkeypatch.setattr(compared, "Evaluation", Counting)
    series = "close"
    for _ in range(20):
        series = f"ema({series}, 10000)"
    assert shown(f"{series} < close") == [(series.replace("ema(close, 10000)", "ema(10000)"), 0, ())]
    assert max(lengths) <= 32
