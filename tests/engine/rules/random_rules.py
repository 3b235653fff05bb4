"""Random expressions, drawn by hypothesis: valid ones, with every function, and divisions by zero."""

from hypothesis import strategies as st

from backcast_engine.rules import Call, Expression
from backcast_engine.rules.check import columns_of_expression, condition_violations
from backcast_engine.rules.functions import FUNCTIONS, LIBRARY
from backcast_engine.rules.nodes import CLOSE, HIGH, LOW, OPEN, VOLUME, Number, call
from backcast_engine.rules.signature import Constant, Function, ValueKind
from backcast_engine.strategies.custom_rules import CustomRules

# They have tests of their own: test_library.py and test_events.py.
_WITHOUT_REFERENCE = LIBRARY | {
    *("log", "sqrt", "exp", "round", "sign", "zscore", "vwap", "hour", "weekday", "day_of_month"),
    *("bars_since", "value_when", "count", "vwap_session", "vwap_since"),
}
_FUNCTIONS = [function for name, function in FUNCTIONS.items() if name not in _WITHOUT_REFERENCE]

_LEAVES = st.one_of(
    st.sampled_from([OPEN, HIGH, LOW, CLOSE, CLOSE, VOLUME]),
    st.sampled_from([0.0, 1.0, -2.0, 30.0, 50.0]).map(Number),
    # Zero where the price stands still, and at every candle.
    st.sampled_from([call("subtract", CLOSE, OPEN), call("subtract", CLOSE, CLOSE)]),
)


def _constant(constant: Constant) -> st.SearchStrategy[Number]:
    if constant.whole:
        return st.integers(int(constant.minimum), int(constant.minimum) + 6).map(lambda n: Number(float(n)))
    return st.sampled_from([0.5, 1.0, 2.0]).map(Number)


def _call(function: Function, depth: int) -> st.SearchStrategy[Expression]:
    of_kind = {ValueKind.SERIES: series, ValueKind.CONDITION: conditions}
    arguments = [of_kind[argument.kind](depth - 1) for argument in function.inputs]
    if function.is_indicator:
        # An indicator of what is the same at every candle is refused.
        arguments = [argument.filter(columns_of_expression) for argument in arguments]
    arguments += [_constant(constant) for constant in function.constants]
    return st.tuples(*arguments).map(lambda drawn: Call(function.name, drawn))


def _giving(kind: ValueKind, depth: int) -> st.SearchStrategy[Expression]:
    functions = [function for function in _FUNCTIONS if function.gives is kind]
    if depth == 1:
        functions = [
            function for function in functions if all(i.kind is ValueKind.SERIES for i in function.inputs)
        ]
    return st.sampled_from(functions).flatmap(lambda function: _call(function, depth))


def series(depth: int) -> st.SearchStrategy[Expression]:
    """Draw an expression that gives a number at every candle, at most `depth` calls deep."""
    return _LEAVES if depth == 0 else st.one_of(_LEAVES, _giving(ValueKind.SERIES, depth))


def conditions(depth: int) -> st.SearchStrategy[Expression]:
    """Draw a condition, at most `depth` >= 1 calls deep."""
    return _giving(ValueKind.CONDITION, max(depth, 1))


def _valid(condition: Expression) -> bool:
    return not condition_violations(condition, "entry")


@st.composite
def custom_rules(draw) -> CustomRules:
    """Draw rules of a user's own, with an exit or without."""
    checked = conditions(3).filter(_valid)
    return CustomRules(draw(checked), draw(st.one_of(checked, checked, st.none())))
