"""Parts of rules on other candles: how they are written, read, checked and named."""

import pickle

import pytest

from backcast_engine.interval import Interval
from backcast_engine.rules.check import (
    MAX_OTHER_CANDLES,
    columns_of_expression,
    condition_violations,
    lookback,
    rules_violations,
    warmup,
)
from backcast_engine.rules.compared import compared_series
from backcast_engine.rules.nodes import CLOSE, OPEN, On, OtherCandles, Rules, call
from backcast_engine.rules.parse import LineFault, fault_at, parse_line
from backcast_engine.rules.signature import ValueKind
from backcast_engine.rules.text import text
from backcast_engine.strategies.custom_rules import CustomRules

DAY, BTC = OtherCandles(interval=Interval.DAY_1), OtherCandles("BTCUSDT")
BTC_DAY = OtherCandles("BTCUSDT", Interval.DAY_1)
SMA = call("sma", CLOSE, 200)


@pytest.mark.parametrize(
    ("line", "expression", "canonical"),
    [
        ("sma(200)@1d", On(SMA, DAY), "sma(200)@1d"),
        ("sma(200) @ 1D", On(SMA, DAY), "sma(200)@1d"),
        ("close@btcusdt", On(CLOSE, BTC), "close@BTCUSDT"),
        ("sma(200)@BTCUSDT@1d", On(SMA, BTC_DAY), "sma(200)@BTCUSDT@1d"),
        ("sma(200)@1d@BTCUSDT", On(SMA, BTC_DAY), "sma(200)@BTCUSDT@1d"),
        ("(sma(200)@1d)@BTCUSDT", On(SMA, BTC_DAY), "sma(200)@BTCUSDT@1d"),
        ("close@BTCUSDT.P", On(CLOSE, OtherCandles("BTCUSDT.P")), "close@BTCUSDT.P"),
        ("close@1INCHUSDT", On(CLOSE, OtherCandles("1INCHUSDT")), "close@1INCHUSDT"),
        ("-close@1d * 2", call("multiply", call("negate", On(CLOSE, DAY)), 2), "-close@1d * 2"),
        ("close[1]@1d", On(call("shift", CLOSE, 1), DAY), "shift(1)@1d"),
        ("close@1d[1]", call("shift", On(CLOSE, DAY), 1), "shift(close@1d, 1)"),
        ("(close - open)@1d", On(call("subtract", CLOSE, OPEN), DAY), "(close - open)@1d"),
        ("ema(close@1d, 5)", call("ema", On(CLOSE, DAY), 5), "ema(close@1d, 5)"),
        ("hour@1d", On(call("hour"), DAY), "hour@1d"),
    ],
)
def test_a_part_on_other_candles_is_read_and_written(line, expression, canonical):
    assert parse_line(line, ValueKind.SERIES) == expression
    assert text(expression) == canonical
    assert parse_line(canonical, ValueKind.SERIES) == expression


def test_a_condition_can_be_on_other_candles():
    expression = On(call("greater", CLOSE, OPEN), DAY)
    assert parse_line("(close > open)@1d") == expression
    assert text(expression) == "(close > open)@1d"


@pytest.mark.parametrize(
    ("line", "reason", "marked"),
    [
        ("close@1m > 1", "there are no candles of 1m: choose 1h, 4h, 1d, 1w", "@1m"),
        ("close@1d@4h > 1", "this has a length of candles already", "@4h"),
        ("close@BTCUSDT@ETHUSDT > 1", "this is of BTCUSDT already", "@ETHUSDT"),
        (
            "sma(close@1d, 5)@4h > 1",
            "a part on other candles cannot have further parts on other candles: write each by itself",
            "sma(close@1d, 5)@4h",
        ),
        ("close > 5@1d", "what is the same at every candle cannot be on other candles", "5@1d"),
        (
            "close@ > 1",
            "'@' means nothing here: write a length of candles or a crypto behind it, as close@1d or "
            "close@BTCUSDT",
            "@",
        ),
        (
            "(close > highest(high, 20))@1d",
            "close is never above highest(high, 20), which includes this candle: compare with "
            "highest(high, 20)[1], which ends at the last one",
            "close > highest(high, 20)",
        ),
        (
            "close@1d > highest(high, 20)@1d",
            "close@1d is never above highest(high, 20)@1d, which includes this candle: compare with "
            "highest(high, 20)[1]@1d, which ends at the last one",
            "close@1d > highest(high, 20)@1d",
        ),
        ("security(1) > 1", "there is no security: write close@1d, of daily candles", "security"),
    ],
)
def test_what_is_wrong_is_marked(line, reason, marked):
    with pytest.raises(LineFault) as caught:
        parse_line(line)
    fault = caught.value
    assert (fault.reason, line[fault.start : fault.end]) == (reason, marked)


def test_the_highest_of_days_is_below_the_present_price_at_times():
    parse_line("close > highest(high, 20)@1d")


def test_the_number_of_other_candles_is_limited():
    within, beyond = (
        " and ".join(f"close@A{number}USDT > 1" for number in range(count))
        for count in (MAX_OTHER_CANDLES, MAX_OTHER_CANDLES + 1)
    )
    repeated = f"({within}) and open@A0USDT > 1"
    assert condition_violations(parse_line(repeated), "it") == []
    with pytest.raises(LineFault, match="looks at 9 series of other candles, at most 8 are allowed"):
        parse_line(beyond)
    rules = Rules(parse_line(within), parse_line("close@1d > 1"))
    (violation,) = rules_violations(rules, "rules")
    assert str(violation) == (
        "rules.exit: together with the entry, it looks at 9 series of other candles, at most 8 are allowed"
    )


def test_expressions_that_no_text_makes_are_refused():
    nested = On(call("greater", On(CLOSE, DAY), 1), BTC)
    same = On(call("greater", 2, 1), DAY)
    for expression in (nested, same):
        (violation,) = condition_violations(call("and", expression, call("greater", CLOSE, 1)), "it")
        assert violation.field == "it.arguments[0]"
    (violation,) = condition_violations(On(CLOSE, DAY), "it")
    assert str(violation) == "it: must be a condition, not a number"


def test_only_candles_that_are_longer_than_the_runs_can_be_looked_at():
    rules = CustomRules(
        parse_line("close > sma(9)@4h and close@BTCUSDT@1d > close@1w"), parse_line("close@ETHUSDT > 1")
    )
    assert rules.interval_violations(Interval.HOUR_1) == []
    assert [*map(str, rules.interval_violations(Interval.DAY_1))] == [
        "strategy.rules.entry.arguments[0].arguments[1].interval: candles of 4h are shorter than those of "
        "the run, which are of 1d: only longer ones can be looked at",
        "strategy.rules.entry.arguments[1].arguments[0].interval: candles of 1d are as long as those of "
        "the run, which are of 1d: leave @1d out",
    ]


@pytest.mark.parametrize(
    ("line", "path", "marked"),
    [
        ("close > sma(20)@1d", "entry.arguments[1].interval", "sma(20)@1d"),
        ("open > 1 and (30 < rsi(14)@1d < 70)", "entry.arguments[1].arguments[1].arguments[0]", "rsi(14)@1d"),
        ("not crosses_above(close@A, 5)", "entry.arguments[0].arguments[0].symbol", "close@A"),
        ("(close > open)@1d", "entry.interval", "(close > open)@1d"),
        ("(close > open)@1d", "entry.arguments[1]", "open"),
    ],
)
def test_a_path_leads_to_its_place_in_the_text(line, path, marked):
    fault = fault_at(line, path, "because")
    assert line[fault.start : fault.end] == marked


def test_a_part_on_other_candles_needs_columns_and_no_candles_of_the_run():
    expression = parse_line("sma(high, 200)@1d > close and rsi(volume, 14)@BTCUSDT < 30")
    assert columns_of_expression(expression) == {"high", "close", "volume"}
    assert (lookback(expression), warmup(expression)) == (0, 0)
    assert lookback(parse_line("sma(close@1d, 5) > 1")) == 4


def test_a_part_on_other_candles_survives_the_way_to_a_worker():
    expression = parse_line("sma(200)@BTCUSDT@1d > close")
    assert pickle.loads(pickle.dumps(expression)) == expression


def test_charts_show_other_candles_on_the_scale_that_they_have():
    rules = Rules(
        parse_line("close > sma(200)@1d and (rsi(14) < 30)@4h and close@BTCUSDT > sma(50)@BTCUSDT@1d"),
        parse_line("close@1d < 5 or volume@1d > sma(volume, 3)@1d or roc(24)@BTCUSDT > 0"),
    )
    assert [
        (text(each.expression), each.label, each.pane, each.levels) for each in compared_series(rules)
    ] == [
        ("sma(200)@1d", "SMA 200, 1d", 0, ()),
        ("rsi(14)@4h", "RSI 14, 4h", 1, (30,)),
        ("close@BTCUSDT", "Close, BTCUSDT", 2, ()),
        ("sma(50)@BTCUSDT@1d", "SMA 50, BTCUSDT 1d", 2, ()),
        ("close@1d", "Close, 1d", 0, (5,)),
        ("volume@1d", "Volume, 1d", 3, ()),
        ("sma(volume, 3)@1d", "SMA 3 of volume, 1d", 3, ()),
        ("roc(24)@BTCUSDT", "ROC 24, BTCUSDT", 4, (0,)),
    ]
