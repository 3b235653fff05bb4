"""Lines of text become the expressions that they say, or an error that points at what is wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import InvalidInput
from backcast_engine.rules.check import MAX_DEPTH, MAX_NODES
from backcast_engine.rules.functions import FUNCTIONS, LIBRARY
from backcast_engine.rules.nodes import CLOSE, HIGH, LOW, OPEN, VOLUME, call
from backcast_engine.rules.parse import MAX_LENGTH, LineFault, parse, parse_line
from backcast_engine.rules.signature import ValueKind
from backcast_engine.rules.text import CALLABLE


@pytest.mark.parametrize(
    ("line", "expression"),
    [
        (
            "rsi(14) < 30 and close > sma(200)",
            call(
                "and",
                call("less", call("rsi", CLOSE, 14), 30),
                call("greater", CLOSE, call("sma", CLOSE, 200)),
            ),
        ),
        (
            "crosses_below(ema(12), ema(26))",
            call("crosses_below", call("ema", CLOSE, 12), call("ema", CLOSE, 26)),
        ),
        (
            "close > shift(highest(high, 20), 1)",
            call("greater", CLOSE, call("shift", call("highest", HIGH, 20), 1)),
        ),
        (
            "not (rsi(close, 14) >= 70) or volume / sma(volume, 20) > 2",
            call(
                "or",
                call("not", call("greater_equal", call("rsi", CLOSE, 14), 70)),
                call("greater", call("divide", VOLUME, call("sma", VOLUME, 20)), 2),
            ),
        ),
        ("not close > open", call("not", call("greater", CLOSE, OPEN))),
        ("\tNOT\n(Close>OPEN)  ", call("not", call("greater", CLOSE, OPEN))),
        ("(((close))) <= .5e-3", call("less_equal", CLOSE, 0.0005)),
        ("close > 1.", call("greater", CLOSE, 1)),
        ("close == open", call("equal", CLOSE, OPEN)),
        ("close != 3", call("not_equal", CLOSE, 3)),
        (
            "30 < rsi(14) <= 70",
            call(
                "and",
                call("less", 30, call("rsi", CLOSE, 14)),
                call("less_equal", call("rsi", CLOSE, 14), 70),
            ),
        ),
        (
            "1 < close < 3 < open",
            call("and", call("and", call("less", 1, CLOSE), call("less", CLOSE, 3)), call("less", 3, OPEN)),
        ),
        ("Hour == 3", call("equal", call("hour"), 3)),
        ("weekday() < 6", call("less", call("weekday"), 6)),
        ("count(close > open, 5) > 2", call("greater", call("count", CLOSE > OPEN, 5), 2)),
        ("cdlengulfing() > 0", call("greater", call("cdlengulfing", OPEN, HIGH, LOW, CLOSE), 0)),
        ("close >= highest(high, 20)", call("greater_equal", CLOSE, call("highest", HIGH, 20))),
    ],
)
def test_the_text_of_a_condition_is_read(line, expression):
    assert parse(line, "it") == expression


@pytest.mark.parametrize(
    ("line", "expression"),
    [
        ("1 + 2 * 3 - 4", call("subtract", call("add", 1, call("multiply", 2, 3)), 4)),
        ("8 / 4 / 2", call("divide", call("divide", 8, 4), 2)),
        ("-close * 2", call("multiply", call("negate", CLOSE), 2)),
        ("-2 * close", call("multiply", -2, CLOSE)),
        ("close -2", call("subtract", CLOSE, 2)),
        ("close - -2", call("subtract", CLOSE, -2)),
        ("-(2)", call("negate", 2)),
        ("--2", call("negate", -2)),
        ("sma(-close, 3)", call("sma", call("negate", CLOSE), 3)),
        ("rsi()", call("rsi", CLOSE, 14)),
        ("rsi(7)", call("rsi", CLOSE, 7)),
        ("rsi(close)", call("rsi", CLOSE, 14)),
        ("rsi(volume, 7)", call("rsi", VOLUME, 7)),
        ("macd()", call("macd", CLOSE, 12, 26, 9)),
        ("macd(5, 35)", call("macd", CLOSE, 5, 35, 9)),
        ("macd(open, 5, 35)", call("macd", OPEN, 5, 35, 9)),
        ("atr()", call("atr", HIGH, LOW, CLOSE, 14)),
        ("atr(high, low, open)", call("atr", HIGH, LOW, OPEN, 14)),
        ("bollinger_upper(10)", call("bollinger_upper", CLOSE, 10, 2)),
        ("true_range()", call("true_range", HIGH, LOW, CLOSE)),
        ("close[1]", call("shift", CLOSE, 1)),
        ("-rsi(14)[2 * 3]", call("negate", call("shift", call("rsi", CLOSE, 14), 6))),
        ("sma(10 + 10)", call("sma", CLOSE, 20)),
        ("sma(close, 5 * 24)", call("sma", CLOSE, 120)),
        ("bollinger_upper(20, 0.1 * 3)", call("bollinger_upper", CLOSE, 20, 0.3)),
        ("close * (2 + 3)", call("multiply", CLOSE, call("add", 2, 3))),
        ("rsi(period=7)", call("rsi", CLOSE, 7)),
        ("rsi(PERIOD = 7, series = open)", call("rsi", OPEN, 7)),
        ("macd(signal=5)", call("macd", CLOSE, 12, 26, 5)),
        ("macd(5, signal=3)", call("macd", CLOSE, 5, 26, 3)),
        ("atr(close=open)", call("atr", HIGH, LOW, OPEN, 14)),
        ("adx()", call("adx", HIGH, LOW, CLOSE, 14)),
        ("obv()", call("obv", CLOSE, VOLUME)),
        ("bbands_upper(10)", call("bbands_upper", CLOSE, 10, 2, 2, 0)),
        ("mavp(close, open)", call("mavp", CLOSE, OPEN, 2, 30, 0)),
    ],
)
def test_the_text_of_a_series_is_read(line, expression):
    assert parse(line, "it", ValueKind.SERIES) == expression


# A line, the mark below it from the first character that is wrong, and a part of the reason.
WRONG = [
    ("close > $", "        ^", "at character 9: '$' means nothing here"),
    ("close = 3", "      ^", "compare with ==; only the arguments of a function are named with ="),
    ("not close ! 3", "          ^", "'!' means nothing here: write not, or != for unequal"),
    ("ta.rsi(14) > 3", "  ^", "'.' means nothing here: names have no dots: write rsi(14), not ta.rsi(14)"),
    ("close > tenkan_sen()", "        ^^^^^^^^^^", "there is no tenkan_sen: write tenkan()"),
    (
        "close > chikou()",
        "        ^^^^^^",
        "there is no chikou: write close > close[26], as the lagging line",
    ),
    ("crossover(close, open)", "^" * 9, "there is no crossover: write crosses_above(a, b)"),
    ("mom(10) > 0", "^^^", "there is no mom: write momentum(10)"),
    ("bbands(20) > 1", "^" * 6, "there is no bbands: did you mean bbands_upper or"),
    (
        "close > highest(high, 20)",
        "^" * 25,
        "close is never above highest(high, 20), which includes this candle: compare with highest",
    ),
    ("lowest(3) > close", "^" * 17, "close is never below lowest(3), which includes this candle"),
    ("crosses_above(close, highest(20))", "^" * 33, "close is never above highest(20)"),
    ("rsi(n=14) > 1", "    ^", "rsi has no argument n: it has series, period"),
    ("rsi(close, 3, period=14) > 1", " " * 14 + "^" * 6, "period of rsi is given twice"),
    ("macd(3, signal=5, 4) > 0", " " * 18 + "^", "arguments without a name come first"),
    ("close[0] > 1", "      ^", "candles of shift must be from 1 to 10000, not 0"),
    ("close[open] > 1", "      ^^^^", "candles of shift must be a number"),
    ("close[1 close > 1", " " * 8 + "^" * 5, "expected an operator or ']', not 'close'"),
    ("hour(3) > 1", "^^^^", "hour cannot be called with 1 argument"),
    ("mavp(3) > 1", "^^^^", "cannot be called with 1 argument"),
    ("max(20) > 1", "^^^", "1 argument; the greatest of the last values is highest(high, 20)"),
    ("sma(1 / 0) > 1", "    ^^^^^", "series of sma must read a column"),
    ("close > 1 && open > 1", "          ^", "'&' means nothing here: write and"),
    ("close\x1b", "     ^", "'\\x1b' means nothing here"),
    ("close > ", "       ^", "expected a number, a column, a function or a parenthesis, not the end"),
    ("rsi(14", "      ^", "expected an operator or ',' or ')', not the end"),
    ("close > 1)", "         ^", "expected an operator or the end, not ')'"),
    ("close 5", "      ^", "expected an operator or the end, not '5'"),
    ("close > and", "        ^^^", "expected a number, a column, a function or a parenthesis, not 'and'"),
    ("rsi(,) > 1", "    ^", "expected a number, a column, a function or a parenthesis or ')', not ','"),
    ("clsoe > 1", "^^^^^", "there is no clsoe: did you mean close?"),
    ("1 < bolinger_uper(3)", "    ^^^^^^^^^^^^^", "did you mean bollinger_upper"),
    (
        "xyz > 1",
        "^^^",
        "there is no xyz: there are the columns open, high, low, close, volume, the functions",
    ),
    ("add(close, 1) > 1", "^^^", "there is no add"),
    ("1 < rsi", "    ^^^", "rsi is a function: write rsi(series = close, period = 14)"),
    ("1 < close(3)", "    ^^^^^", "close is a column, not a function"),
    (
        "rsi(close, 14, 3) > 1",
        "^^^",
        "rsi(series = close, period = 14) cannot be called with 3 arguments",
    ),
    ("crosses_above(close)", "^" * 13, "crosses_above(left, right) cannot be called with 1 argument"),
    ("atr(high, low) > 1", "^^^", "2 arguments; high, low, close can only be left out together"),
    ("rsi(1) > 2", "    ^", "period of rsi must be from 2 to 10000, not 1"),
    ("rsi(-14) > 2", "    ^^^", "period of rsi must be from 2 to 10000, not -14"),
    ("rsi(14.5) > 2", "    ^^^^", "period of rsi must be a whole number, not 14.5"),
    ("rsi(close, open) > 2", "           ^^^^", "period of rsi must be a number"),
    (
        "bollinger_lower(20, 0) > 2",
        " " * 20 + "^",
        "width of bollinger_lower must be from 0.01 to 100, not 0",
    ),
    ("sma(20, 5) > 1", "    ^^", "this is the same at every candle (a period is one written number)"),
    ("stochastic_k(close, 14, 3) < 20", " " * 20 + "^^", "low of stochastic_k must read a column"),
    ("close > 1e999", "        ^^^^^", "must be a number up to 1e+300, not inf"),
    ("close + 1", "^^^^^^^^^", "expected a condition, not a number"),
    ("open > 1 and (close)", " " * 13 + "^^^^^^^", "expected a condition, not a number"),
    ("not close", "    ^^^^^", "expected a condition, not a number"),
    ("close > (open > 1)", "        ^^^^^^^^^^", "expected a number, not a condition"),
    ("sma(close > 1, 3) > 2", "    ^^^^^^^^^", "expected a number, not a condition"),
]


@pytest.mark.parametrize(("line", "mark", "reason"), WRONG)
def test_errors_point_at_what_is_wrong(line, mark, reason):
    with pytest.raises(InvalidInput) as caught:
        parse(line, "--entry")
    (violation,) = caught.value.violations
    assert violation.field == "--entry"
    first, shown, marks = violation.reason.split("\n")
    assert reason in first
    assert first.startswith(f"at character {len(mark) - len(mark.lstrip()) + 1}: ")
    assert (shown, marks) == ("  " + line.replace("\x1b", " "), "  " + mark)


@pytest.mark.parametrize(("line", "mark", "reason"), WRONG)
def test_a_fault_has_the_place_of_its_mark(line, mark, reason):
    with pytest.raises(LineFault) as caught:
        parse_line(line)
    assert reason.removeprefix(f"at character {caught.value.start + 1}: ") in caught.value.reason
    assert (caught.value.start, caught.value.end) == (mark.index("^"), len(mark))


@pytest.mark.parametrize("line", ["", " ", "close > 1".ljust(MAX_LENGTH + 1)])
def test_a_fault_of_the_whole_line_has_no_place(line):
    with pytest.raises(LineFault) as caught:
        parse_line(line)
    assert (caught.value.start, caught.value.end) == (0, 0)


def test_places_count_characters_and_not_bytes():
    with pytest.raises(LineFault) as caught:
        parse_line("close > 1\u2003and \N{GRINNING FACE}")
    assert (caught.value.start, caught.value.end) == (14, 15)


def test_a_number_may_be_what_is_needed():
    with pytest.raises(InvalidInput, match="expected a number, not a condition"):
        parse("close > 1", "it", ValueKind.SERIES)


@pytest.mark.parametrize("line", ["", " \t\n"])
def test_an_empty_line_is_refused(line):
    with pytest.raises(InvalidInput, match=r"^--entry: is empty: expected a condition$"):
        parse(line, "--entry")


@pytest.mark.parametrize("before", [0, 3, 20])
@pytest.mark.parametrize("after", [0, 3, 20])
def test_a_long_line_is_shown_in_part(before, after):
    line = "close > 1 and " * before + "close > zzz" + " and close > 1" * after
    with pytest.raises(InvalidInput) as caught:
        parse(line, "it")
    _, shown, marks = str(caught.value).split("\n")
    # Of a terminal: where the line breaks, the mark is not below what it marks.
    assert len(shown) <= 80
    assert shown.startswith("  …") is (len(line) > 76 and before > 0)
    assert shown.endswith("…") is (len(line) > 76 and after > 0)
    assert shown[marks.index("^") :].startswith("zzz")


def test_every_name_of_ours_is_listed():
    with pytest.raises(InvalidInput) as caught:
        parse("xyz > 1", "it")
    for name in (*VALUE_COLUMNS, *(name for name in CALLABLE if name not in LIBRARY)):
        assert name in str(caught.value)
    assert "those of TA-Lib" in str(caught.value)


HOSTILE = {
    "parentheses": "(" * (MAX_LENGTH - 10) + "close > 1",
    "too long": "(" * 100_000,
    "not": "not " * 900 + "close > 1",
    "minus": "-" * 3_900 + "close > 1",
    "calls": "sma(" * 900 + "close" + ")" * 300,
    "sums": "1 < close" + "+1" * 1_900,
    "comparisons": "1" + "<1" * 1_900,
    "arguments": "sma(" + "1," * 1_900 + "1) > 1",
    "digits": "close > " + "9" * 3_900,
    "name": "x" * 3_900,
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_lines_are_refused_shortly(line):
    with pytest.raises(InvalidInput) as caught:
        parse(line, "it")
    assert len(str(caught.value)) < 800


def test_parentheses_alone_are_no_depth():
    assert parse("close > " + "(" * 1_900 + "1" + ")" * 1_900, "it") == call("greater", CLOSE, 1)


def test_the_limits_are_those_of_a_check():
    deepest = "not " * (MAX_DEPTH - 2) + "close > 1"
    assert parse(deepest, "it")
    with pytest.raises(InvalidInput, match=f"nested deeper than the {MAX_DEPTH} levels"):
        parse("not " + deepest, "it")

    def tree(leaves: int) -> str:
        half = leaves // 2
        return "close > 1" if leaves == 1 else f"({tree(half)} and {tree(leaves - half)})"

    # Of three parts each, with one less `and` between them.
    most = (MAX_NODES + 1) // 4
    assert parse(tree(most), "it")
    with pytest.raises(InvalidInput, match=f"more than the {MAX_NODES} parts"):
        parse(tree(most + 1), "it")


def test_a_line_may_be_as_long_as_the_limit():
    assert parse("close > 1".ljust(MAX_LENGTH), "it")
    with pytest.raises(InvalidInput, match=r"is 4,001 characters long, at most 4,000 are allowed"):
        parse("close > 1".ljust(MAX_LENGTH + 1), "it")


WORDS = st.sampled_from(
    [
        *FUNCTIONS,
        "close",
        "high",
        "(",
        ")",
        "(",
        ")",
        ",",
        "<",
        ">=",
        "==",
        "=",
        "[",
        "]",
        "+",
        "-",
        "*",
        "/",
        "1",
        "0.5",
        "1e3",
        " ",
    ]
)


@settings(max_examples=300)
@given(st.lists(WORDS | st.characters(), max_size=40).map(" ".join))
def test_any_line_is_an_expression_or_refused(line):
    try:
        parse(line, "it")
    except InvalidInput as error:
        assert [violation.field for violation in error.violations] == ["it"]
