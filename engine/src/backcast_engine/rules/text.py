"""Writes expressions as one line of text that `parse` reads: `rsi(14) < 30 and close > sma(200)`."""

from backcast_engine.rules.functions import FUNCTIONS
from backcast_engine.rules.nodes import Call, Column, Expression, Number, OtherCandles, Placeholder
from backcast_engine.rules.signature import Argument, Constant, Function

# The weakest operators come first. Binary operators are left-associative; comparisons are written as pairs.
_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _SIGN, _ATOM = range(8)
_OPERATORS = {
    "or": ("or", _OR),
    "and": ("and", _AND),
    "less": ("<", _COMPARISON),
    "less_equal": ("<=", _COMPARISON),
    "greater": (">", _COMPARISON),
    "greater_equal": (">=", _COMPARISON),
    "equal": ("==", _COMPARISON),
    "not_equal": ("!=", _COMPARISON),
    "add": ("+", _SUM),
    "subtract": ("-", _SUM),
    "multiply": ("*", _PRODUCT),
    "divide": ("/", _PRODUCT),
}
_PREFIXES = {"not": ("not ", _NOT), "negate": ("-", _SIGN)}

# Binary operators of functions; other functions are written as calls.
BINARY = {symbol: name for name, (symbol, _) in _OPERATORS.items()}
CALLABLE = {
    name: function for name, function in FUNCTIONS.items() if name not in _OPERATORS and name not in _PREFIXES
}


def text(expression: Expression) -> str:
    """Return a checked expression as a line of text, which `parse` converts back to an equal expression.

    It has only the necessary parentheses. Series that are the defaults of a function are omitted.
    """
    return _write(expression)[0]


def signature(function: Function) -> str:
    """Return the signature of a function, with its defaults: rsi(series = close, period = 14)."""
    if not function.arguments:
        return function.name
    return f"{function.name}({', '.join(map(_declared, function.arguments))})"


def _declared(argument: Argument) -> str:
    default = _number(argument.default) if isinstance(argument, Constant) else argument.default
    return argument.name if default in (None, argument.name) else f"{argument.name} = {default}"


def _write(node: Expression) -> tuple[str, int]:
    """Return the text of `node`, and how strongly it binds."""
    if isinstance(node, Call):
        return _write_call(node)
    if isinstance(node, Number):
        written = _number(node.value)
        return written, _SIGN if written.startswith("-") else _ATOM
    if isinstance(node, Column | Placeholder):
        return node.name if isinstance(node, Column) else f"{{{node.label}}}", _ATOM
    return f"{_within(node.part, _ATOM)}{place_text(node.candles)}", _ATOM


def _write_call(node: Call) -> tuple[str, int]:
    if node.function in _OPERATORS:
        symbol, level = _OPERATORS[node.function]
        left, right = node.arguments
        lean = level + 1 if level == _COMPARISON else level
        return f"{_within(left, lean)} {symbol} {_within(right, level + 1)}", level
    if node.function in _PREFIXES:
        symbol, level = _PREFIXES[node.function]
        (value,) = node.arguments
        # The minus of a number belongs to the number; that of any other expression is an operator.
        tightest = isinstance(value, Number) and node.function == "negate"
        return f"{symbol}{_within(value, _ATOM + 1 if tightest else level)}", level
    if not node.arguments:
        return node.function, _ATOM
    function = FUNCTIONS[node.function]
    usual = tuple(Column(declared.default) for declared in function.inputs if declared.default)
    required, series = function.required, len(function.inputs)
    arguments = node.arguments
    if arguments[required:series] == usual:
        arguments = arguments[:required] + arguments[series:]
    return f"{node.function}({', '.join(_write(argument)[0] for argument in arguments)})", _ATOM


def place_text(candles: OtherCandles) -> str:
    """Return what an expression on other candles ends with: @BTCUSDT@1d."""
    names = candles.symbol, candles.interval and candles.interval.value
    return "".join(f"@{name}" for name in names if name)


def _within(node: Expression, level: int) -> str:
    written, binds = _write(node)
    return written if binds >= level else f"({written})"


def _number(value: float) -> str:
    # The shortest digits that read back as the same number.
    return repr(float(value)).removesuffix(".0")
