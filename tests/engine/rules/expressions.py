"""Random expressions without violations, over all columns and functions."""

from hypothesis import strategies as st

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.interval import Interval
from backcast_engine.rules.check import columns_of_expression, part_fault
from backcast_engine.rules.functions import FUNCTIONS
from backcast_engine.rules.impossible import impossible
from backcast_engine.rules.nodes import Call, Column, Expression, Number, On, OtherCandles, walk
from backcast_engine.rules.signature import Constant, Input, ValueKind

NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -5.0, 0.5, 1e-3, 1e16, -1e-300, 5e-324, 1e300]),
    st.integers(-1000, 1000).map(float),
    st.floats(-1e300, 1e300),
).map(Number)
COLUMNS = st.sampled_from(VALUE_COLUMNS).map(Column)


def constants(constant: Constant) -> st.SearchStrategy[Number]:
    """Draw a value in a constant's range."""
    if constant.whole:
        return st.integers(int(constant.minimum), int(constant.maximum)).map(
            lambda value: Number(float(value))
        )
    return st.floats(constant.minimum, constant.maximum).map(Number)


@st.composite
def _calls(draw, kind: ValueKind, parts: int) -> Expression:
    function = draw(st.sampled_from([function for function in FUNCTIONS.values() if function.gives is kind]))
    shares = max((parts - 1) // max(len(function.inputs), 1), 0)
    usual = draw(st.booleans()) and all(argument.default for argument in function.inputs)
    return Call(
        function.name,
        tuple(_argument(draw, one, shares, usual, function.is_indicator) for one in function.arguments),
    )


def _argument(draw, argument, parts: int, usual: bool, of_indicator: bool) -> Expression:
    if isinstance(argument, Constant):
        return draw(constants(argument))
    assert isinstance(argument, Input)
    if usual:
        return Column(argument.default)
    drawn = expressions(argument.kind, parts)
    # An indicator of what is the same at every candle is refused.
    return draw(drawn.filter(columns_of_expression) if of_indicator else drawn)


OTHERS = st.sampled_from(
    [
        OtherCandles(symbol, interval)
        for symbol in ("", "BTCUSDT", "BTCUSDT.P", "1INCHUSDT", "BTCUSDT_240329", "币安人生USDT")
        for interval in (None, Interval.HOUR_1, Interval.DAY_1, Interval.WEEK_1)
        if symbol or interval
    ][:8]
)


def expressions(kind: ValueKind = ValueKind.CONDITION, parts: int = 40) -> st.SearchStrategy[Expression]:
    """Draw a series or a condition of some `parts` at most; parts of it are on other candles."""
    here = _expressions(kind, parts)
    elsewhere = st.builds(On, here.filter(lambda drawn: part_fault(drawn) is None), OTHERS)
    return st.one_of(here, here, here, elsewhere)


def _expressions(kind: ValueKind, parts: int) -> st.SearchStrategy[Expression]:
    leaves = NUMBERS | COLUMNS
    if kind is ValueKind.SERIES:
        return leaves if parts < 4 else st.one_of(leaves, _calls(kind, parts))
    if parts < 4:
        comparisons = st.sampled_from(["less", "less_equal", "greater", "greater_equal", "crosses_above"])
        return st.builds(lambda name, *sides: Call(name, sides), comparisons, leaves, leaves)
    # The text of what can never hold is refused.
    return _calls(kind, parts).filter(may_hold)


def may_hold(condition: Expression) -> bool:
    """Return whether no part of a condition is one that is refused because it never holds."""
    return not any(isinstance(node, Call) and impossible(node) for node in walk(condition))
