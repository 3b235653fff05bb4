"""Expressions travel as they are, and one that says nothing is refused by its place."""

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings

from backcast.backtest.v1 import expression_pb2 as pb
from backcast.marketdata.v1 import interval_pb2
from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.rules.check import MAX_DEPTH, MAX_NODES
from backcast_engine.rules.functions import FUNCTIONS
from backcast_engine.rules.nodes import CLOSE, HIGH, Number, On, OtherCandles, Placeholder, call
from services.wire.enum_names import names_of
from services.wire.expressions import expression_from, expression_to
from tests.engine.rules.expressions import expressions


@pytest.mark.slow
@settings(max_examples=100)
@given(expressions())
def test_every_expression_comes_back(expression):
    raw = expression_to(expression).SerializeToString()
    assert expression_from(pb.Expression.FromString(raw), "it") == expression


def test_a_placeholder_comes_back():
    expression = call("less", call("rsi", CLOSE, Placeholder("N_1")), Placeholder("low"))
    message = expression_to(expression)
    assert message.arguments[1].placeholder == "low"
    assert expression_from(message, "it") == expression


def test_the_enums_know_all_functions_and_columns_and_no_others():
    assert {name.lower() for name in names_of(pb.Function.DESCRIPTOR).values()} == FUNCTIONS.keys()
    assert {name.lower() for name in names_of(pb.Column.DESCRIPTOR).values()} == set(VALUE_COLUMNS)


def test_enum_values_have_the_names_of_functions_and_columns():
    message = expression_to(call("rsi", HIGH, 14))
    assert message.function == pb.FUNCTION_RSI
    assert message.arguments[0].column == pb.COLUMN_HIGH
    assert message.arguments[1].number == 14


def test_a_part_on_other_candles_is_the_message_of_the_part_with_two_more_fields():
    message = expression_to(On(call("rsi", HIGH, 14), OtherCandles("BTCUSDT", Interval.DAY_1)))
    assert message == pb.Expression(
        function=pb.FUNCTION_RSI,
        arguments=[pb.Expression(column=pb.COLUMN_HIGH), pb.Expression(number=14)],
        symbol="BTCUSDT",
        interval=interval_pb2.INTERVAL_1D,
    )
    message.symbol = "btc-usdt"
    assert expression_from(message, "it").candles == OtherCandles("BTCUSDT", Interval.DAY_1)


NOTHING = pb.Expression()
EMPTY = "needs a number, a column, a function or a placeholder"
LABEL = "a placeholder has 1 to 40 letters, digits and underscores, and begins with no digit"


@pytest.mark.parametrize(
    ("message", "place", "reason"),
    [
        (NOTHING, "it", EMPTY),
        (pb.Expression(placeholder=""), "it", LABEL),
        (pb.Expression(placeholder="1a"), "it", LABEL),
        (pb.Expression(placeholder="a b"), "it", LABEL),
        (pb.Expression(placeholder="a" * 41), "it", LABEL),
        (
            pb.Expression(placeholder="n", arguments=[expression_to(CLOSE)]),
            "it",
            "a placeholder takes no arguments",
        ),
        (pb.Expression(column=pb.COLUMN_UNSPECIFIED), "it", "there is no column 0"),
        (pb.Expression(column=77), "it", "there is no column 77"),  # type: ignore[arg-type]
        (pb.Expression(function=pb.FUNCTION_UNSPECIFIED), "it", "there is no function 0"),
        (pb.Expression(function=999, arguments=[expression_to(CLOSE)]), "it", "there is no function 999"),  # type: ignore[arg-type]
        (pb.Expression(number=1, arguments=[expression_to(CLOSE)]), "it", "a number takes no arguments"),
        (pb.Expression(arguments=[expression_to(CLOSE)]), "it", EMPTY),
        (
            pb.Expression(function=pb.FUNCTION_LESS, arguments=[expression_to(CLOSE), NOTHING]),
            "it.arguments[1]",
            EMPTY,
        ),
        (
            pb.Expression(
                function=pb.FUNCTION_NOT,
                arguments=[pb.Expression(function=pb.FUNCTION_LESS, arguments=[pb.Expression(column=6)])],  # type: ignore[arg-type]
            ),
            "it.arguments[0].arguments[0]",
            "there is no column 6",
        ),
        (
            pb.Expression(
                function=pb.FUNCTION_NOT,
                arguments=[pb.Expression(column=pb.COLUMN_CLOSE, interval=77)],  # type: ignore[arg-type]
            ),
            "it.arguments[0].interval",
            "there is no interval 77",
        ),
        (
            pb.Expression(column=pb.COLUMN_CLOSE, symbol="?"),
            "it.symbol",
            "'?' is not a symbol: 1 to 32 letters and digits, like BTCUSDT, BTCUSDT.P or BTCUSDT_240329",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_part_that_cannot_be_read_is_named(message, place, reason):
    with pytest.raises(InvalidInput) as caught:
        expression_from(message, "it")
    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == (place, reason)


def _nested(depth: int) -> pb.Expression:
    message = expression_to(CLOSE)
    for _ in range(depth - 1):
        message = pb.Expression(function=pb.FUNCTION_NEGATE, arguments=[message])
    return message


def test_what_is_nested_too_deeply_is_refused():
    assert expression_from(_nested(MAX_DEPTH), "it")
    for depth in (MAX_DEPTH + 1, 90):
        with pytest.raises(InvalidInput, match=r"^it: is nested deeper than the 32 levels"):
            expression_from(_nested(depth), "it")


def test_protobuf_itself_refuses_what_is_far_too_deep():
    raw = b""
    for _ in range(200):
        raw = b"\x22" + _varint(len(raw)) + raw
    with pytest.raises(DecodeError):
        pb.Expression.FromString(raw)


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number % 128 + 128, number // 128])


def test_what_has_too_many_parts_is_refused():
    ones = [expression_to(Number(1.0))] * (MAX_NODES - 1)
    assert expression_from(pb.Expression(function=pb.FUNCTION_ADD, arguments=ones), "it")
    ones.append(ones[0])
    with pytest.raises(InvalidInput, match=r"^it: has more than the 200 parts"):
        expression_from(pb.Expression(function=pb.FUNCTION_ADD, arguments=ones), "it")


def test_all_unreadable_parts_are_reported_at_once() -> None:
    unread = pb.Expression(function=pb.FUNCTION_LESS, arguments=[pb.Expression(column=77), pb.Expression()])
    with pytest.raises(InvalidInput) as caught:
        expression_from(unread, "entry")
    assert [violation.field for violation in caught.value.violations] == [
        *("entry.arguments[0]", "entry.arguments[1]")
    ]
