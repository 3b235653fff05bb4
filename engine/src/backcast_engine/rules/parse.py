"""Parses a line of text to an expression: `rsi(14) < 30 and close > sma(200)`. Nothing in it is executed.

From weakest to strongest: `or`, `and`, `not`, comparisons (`<` `<=` `>` `>=` `==` `!=`; `1 < a < 2` is
`1 < a and a < 2`), `+` and `-`, `*` and `/`, unary `-`, and `close[1]`, which is `shift(close, 1)`. Names are
those of the candles' columns and of `functions.FUNCTIONS`, in small letters or capitals. A call may leave out
all of a function's series together, which are its usual columns then, and its last numbers: `rsi(14)` is
`rsi(close, 14)`, `atr()` is `atr(high, low, close, 14)`. Where it could be read both ways, a call that starts
with a number leaves out its series: `macd(5, 35)`. Arguments may be named, after those that are not:
`macd(signal=5)`. The numbers of a function may be computed from numbers: `sma(5 * 24)`. Where a number can
stand, a name in braces can too: `rsi({n}) < {low}`; a sweep fills it in.

`@` binds as `[ ]` does: `sma(200)@1d` is evaluated on daily candles, `close@BTCUSDT` on those of BTCUSDT, and
`sma(200)@BTCUSDT@1d` on the daily ones of BTCUSDT.
"""

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import NoReturn

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.near_names import did_you_mean
from backcast_engine.rules.check import (
    MAX_DEPTH,
    MAX_NODES,
    constant_fault,
    input_fault,
    number_fault,
    other_candles_fault,
    part_fault,
)
from backcast_engine.rules.functions import FUNCTIONS, LIBRARY, Constant, Function, Input, Kind
from backcast_engine.rules.habits import ELSEWHERE, WINDOWED
from backcast_engine.rules.impossible import impossible
from backcast_engine.rules.nodes import (
    Column,
    Expression,
    Number,
    On,
    OtherCandles,
    Placeholder,
    constant_value,
    is_number_of_sweep,
    on_other_candles,
    shared_call,
)
from backcast_engine.rules.text import BINARY, CALLABLE, signature

MAX_LENGTH = 4_000
# How much of a long line an error shows around what is wrong: with an indent and two ellipses it has to fit
# into the 80 characters of a terminal, or the mark is not below it.
_SHOWN = 76

_GRAMMAR = r"""
?start: or
?or: and | or OR and -> binary
?and: not | and AND not -> binary
?not: comparison | NOT not -> inverted
?comparison: sum | sum (COMPARE sum)+ -> compared
?sum: product | sum (PLUS | MINUS) product -> binary
?product: sign | product (TIMES | OVER) sign -> binary
?sign: item | MINUS sign -> negated
?item: atom | item FROM or UNTIL -> shifted | item AT -> elsewhere
?atom: NUMBER -> number
     | PLACEHOLDER -> placeholder
     | NAME -> column
     | NAME OPEN [argument (COMMA argument)*] CLOSE -> called
     | OPEN or CLOSE -> grouped
?argument: or | NAME ASSIGN or -> named

OR.2: /or\b/i
AND.2: /and\b/i
NOT.2: /not\b/i
NAME: /[a-z_][a-z_0-9]*/i
NUMBER: /([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?/i
PLACEHOLDER: /\{[a-z_][a-z_0-9]{0,39}\}/i
COMPARE.2: /[<>]=?|[=!]=/
ASSIGN: "="
PLUS: "+"
MINUS: "-"
TIMES: "*"
OVER: "/"
OPEN: "("
CLOSE: ")"
FROM: "["
UNTIL: "]"
AT: /@\s*\w+(\.\w+)?/
COMMA: ","
%ignore /\s+/
"""

_OPERAND = "a number, a column, a function or a parenthesis"
_EXPECTED = {"COMMA": "','", "CLOSE": "')'", "UNTIL": "']'", "$END": "the end"}
_HINTS = {
    "!": "write not, or != for unequal",
    ".": "names have no dots: write rsi(14), not ta.rsi(14)",
    "&": "write and",
    "|": "write or",
    "^": "write a product",
    "%": "write a fraction, as 0.05",
    "{": "a placeholder is a name in braces, as {n}",
    "}": "a placeholder is a name in braces, as {n}",
    "'": "names are written without quotes",
    '"': "names are written without quotes",
    "@": "write a length of candles or a crypto behind it, as close@1d or close@BTCUSDT",
}
# What looks like a length of candles; symbols of cryptos have more letters.
_INTERVAL = re.compile(r"[0-9]+ ?(?:s|m|min|h|d|w|mo|y)", re.IGNORECASE)
_ARGUMENT = re.compile(r"\barguments\[([0-9]+)\]")
_INTERVALS = {interval.value: interval for interval in Interval}


def parse(line: str, field: str, wanted: Kind = Kind.CONDITION) -> Expression:
    """Parse and check `line`.

    Raises InvalidInput of `field`, with the reason, the character, and the line with a mark under the error.
    """
    try:
        return parse_line(line, wanted)
    except LineFault as fault:
        raise InvalidInput.of(field, fault.shown_in(line)) from None


def parse_line(line: str, wanted: Kind = Kind.CONDITION) -> Expression:
    """Parse and check `line`; raise LineFault for the first error."""
    if len(line) > MAX_LENGTH:
        raise LineFault(f"is {len(line):,} characters long, at most {MAX_LENGTH:,} are allowed")
    if not line.strip():
        raise LineFault(f"is empty: expected {wanted.value}")
    try:
        # The result of the transformer.
        part: _Part = _parser().parse(line)  # type: ignore[assignment]
    except UnexpectedCharacters as error:
        _refuse_character(line, error.pos_in_stream)  # type: ignore[arg-type]  # lark declares it as None
    except UnexpectedToken as error:
        _refuse_token(line, error)
    _require(part, wanted)
    if fault := other_candles_fault({node.candles for node in on_other_candles(part.node)}):
        raise LineFault(fault)
    return part.node


def fault_at(line: str, path: str, reason: str) -> "LineFault":
    """Return an error in a right line, at the part that a path leads to: entry.arguments[1].arguments[0]."""
    # As above.
    part: _Part = _parser().parse(line)  # type: ignore[assignment]
    for index in _ARGUMENT.findall(path):
        part = part.parts[int(index)]
    return LineFault(reason, part.start, part.end)


class LineFault(Exception):
    """An error in the characters of a line from `start` to before `end`; where both are 0, in the whole line.

    Where something is missing at the end of the line, the place is the character behind it.
    """

    def __init__(self, reason: str, start: int = 0, end: int = 0) -> None:
        self.reason, self.start, self.end = reason, start, end

    def shown_in(self, line: str) -> str:
        """Return the reason, and under it the line with a mark below the error."""
        if not self.end:
            return self.reason
        first = max(min(self.start - _SHOWN // 2, len(line) - _SHOWN), 0)
        last = min(first + _SHOWN, len(line))
        before, after = "…" if first else "", "…" if last < len(line) else ""
        shown = "".join(character if character.isprintable() else " " for character in line[first:last])
        indent = " " * (len(before) + self.start - first)
        marks = "^" * max(min(self.end, last) - self.start, 1)
        return f"at character {self.start + 1}: {self.reason}\n  {before}{shown}{after}\n  {indent}{marks}"


@dataclass(frozen=True, slots=True)
class _Part:
    """An expression, and its place in the line."""

    node: Expression
    kind: Kind
    start: int
    end: int
    depth: int = 1
    size: int = 1
    # Written as digits only: a minus before it makes a negative number, not an operation.
    is_literal: bool = False
    # The arguments of a call, also those that were left out.
    parts: tuple["_Part", ...] = ()


@dataclass(frozen=True, slots=True)
class _Named:
    """An argument with its name, which is at the place of `token`."""

    token: Token
    part: _Part


_Given = _Part | _Named


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="basic", transformer=_Builder(), maybe_placeholders=False)


@v_args(inline=True)
class _Builder(Transformer[Token, _Part]):
    """Builds an expression for each rule of the grammar as soon as it is complete, the innermost first.

    So no step is recursive, and an expression that gets too deep or too large is refused early.
    """

    def number(self, token: Token) -> _Part:
        node = Number(float(token))
        if fault := number_fault(node.value):
            raise LineFault(fault, *_span(token))
        return _Part(node, Kind.SERIES, *_span(token), is_literal=True)

    def placeholder(self, token: Token) -> _Part:
        return _Part(Placeholder(token[1:-1]), Kind.SERIES, *_span(token))

    def column(self, token: Token) -> _Part:
        name = token.lower()
        if name in CALLABLE and not CALLABLE[name].arguments:
            return _call(name, [], *_span(token), _span(token)[1])
        if name in CALLABLE:
            raise LineFault(f"{name} is a function: write {signature(CALLABLE[name])}", *_span(token))
        if name not in VALUE_COLUMNS:
            raise LineFault(_unknown(name), *_span(token))
        return _Part(Column(name), Kind.SERIES, *_span(token))

    def grouped(self, opening: Token, part: _Part, closing: Token) -> _Part:
        start, end = _span(opening)[0], _span(closing)[1]
        return _Part(part.node, part.kind, start, end, part.depth, part.size, parts=part.parts)

    def inverted(self, operator: Token, part: _Part) -> _Part:
        return _call("not", [part], *_span(operator), part.end)

    def negated(self, operator: Token, part: _Part) -> _Part:
        if part.is_literal and isinstance(part.node, Number):
            return _Part(Number(-part.node.value), Kind.SERIES, _span(operator)[0], part.end)
        return _call("negate", [part], *_span(operator), part.end)

    def binary(self, left: _Part, operator: Token, right: _Part) -> _Part:
        return _call(BINARY[operator.lower()], [left, right], left.start, left.end, right.end)

    def compared(self, *parts: Token | _Part) -> _Part:
        # Operands and operators in turn; neighbours are compared, and all of that must hold.
        operands = [part for part in parts if isinstance(part, _Part)]
        operators = [part for part in parts if isinstance(part, Token)]
        whole, *more = map(self.binary, operands, operators, operands[1:])
        for part in more:
            whole = _call("and", [whole, part], whole.start, part.end, part.end)
        return whole

    def shifted(self, part: _Part, opening: Token, candles: _Part, closing: Token) -> _Part:
        return _call("shift", [part, candles], part.start, *[_span(closing)[1]] * 2)

    def elsewhere(self, part: _Part, token: Token) -> _Part:
        start, end = part.start, _span(token)[1]
        candles, node = OtherCandles(), part.node
        if isinstance(node, On):
            # Of two in a row, one is the crypto, and one the length of its candles.
            candles, node = node.candles, node.part
        elif fault := part_fault(node):
            raise LineFault(fault, start, end)
        name = token[1:].strip()
        if _INTERVAL.fullmatch(name):
            if name.lower() not in _INTERVALS:
                known = ", ".join(_INTERVALS)
                raise LineFault(f"there are no candles of {name}: choose {known}", *_span(token))
            if candles.interval:
                raise LineFault("this has a length of candles already", *_span(token))
            candles = replace(candles, interval=_INTERVALS[name.lower()])
        else:
            if candles.symbol:
                raise LineFault(f"this is of {candles.symbol} already", *_span(token))
            candles = replace(candles, symbol=name.upper())
        return replace(part, node=On(node, candles), start=start, end=end)

    def named(self, token: Token, _assign: Token, part: _Part) -> _Named:
        return _Named(token, part)

    def called(self, token: Token, *rest: Token | _Given) -> _Part:
        name = token.lower()
        start, end = _span(token)
        if name in VALUE_COLUMNS:
            raise LineFault(f"{name} is a column, not a function", start, end)
        if name not in CALLABLE:
            raise LineFault(_unknown(name), start, end)
        given = [part for part in rest if not isinstance(part, Token)]
        closing = rest[-1]
        assert isinstance(closing, Token)
        return _call(name, _completed(CALLABLE[name], given, start, end), start, end, _span(closing)[1])


def _span(token: Token) -> tuple[int, int]:
    assert token.start_pos is not None
    return token.start_pos, token.start_pos + len(token)


def _completed(function: Function, given: list[_Given], start: int, end: int) -> list[_Part]:
    """Return the arguments of a call, with defaults for omitted ones, which have no place in the line."""
    inputs, constants = function.inputs, function.constants
    usual = bool(inputs) and all(one.default for one in inputs)
    unnamed = [part for part in given if isinstance(part, _Part)]
    names_numbers = not unnamed or (_is_number(unnamed[0].node) and len(unnamed) <= len(constants))
    first = len(inputs) if usual and names_numbers else 0
    found: list[_Part | None] = [*[None] * first, *unnamed]
    most = len(function.arguments)
    if len(found) > most or (len(found) < len(inputs) and unnamed):
        _refuse_count(function, given, start, end)
    found += [None] * (most - len(found))
    _set_named(function, found, given)
    completed = []
    for argument, part in zip(function.arguments, found, strict=True):
        if part is None:
            if argument.default is None:
                _refuse_count(function, given, start, end)
            missing = Column(argument.default) if isinstance(argument, Input) else Number(argument.default)
            completed.append(_Part(missing, Kind.SERIES, start, end))
        else:
            completed.append(part)
    return completed


def _is_number(node: Expression) -> bool:
    return constant_value(node) is not None or is_number_of_sweep(node)


def _set_named(function: Function, found: list[_Part | None], given: list[_Given]) -> None:
    """Put the named arguments of a call into their places in `found`."""
    names = [argument.name for argument in function.arguments]
    named = False
    for one in given:
        if isinstance(one, _Part):
            if named:
                raise LineFault("arguments without a name come first", one.start, one.end)
            continue
        named, name = True, one.token.lower()
        if name not in names:
            hint = did_you_mean(name, names, f"it has {', '.join(names) or 'none'}")
            raise LineFault(f"{function.name} has no argument {name[:40]}: {hint}", *_span(one.token))
        if found[names.index(name)] is not None:
            raise LineFault(f"{name} of {function.name} is given twice", *_span(one.token))
        found[names.index(name)] = one.part


def _refuse_count(function: Function, given: list[_Given], start: int, end: int) -> NoReturn:
    inputs = function.inputs
    many = "1 argument" if len(given) == 1 else f"{len(given)} arguments"
    together = (
        f"; {', '.join(one.name for one in inputs)} can only be left out together"
        if len(inputs) > 1 and all(one.default for one in inputs) and len(given) < len(inputs)
        else ""
    )
    instead = f"; {WINDOWED[function.name]}" if function.name in WINDOWED else ""
    raise LineFault(f"{signature(function)} cannot be called with {many}{together}{instead}", start, end)


def _call(name: str, parts: list[_Part], start: int, start_end: int, end: int) -> _Part:
    """Return the call of a function with all of its arguments.

    Errors of the call as a whole are marked from `start` to `start_end`.
    """
    function = FUNCTIONS[name]
    parts = [
        part if isinstance(argument, Input) else _computed(part)
        for argument, part in zip(function.arguments, parts, strict=True)
    ]
    for argument, part in zip(function.arguments, parts, strict=True):
        if isinstance(argument, Input):
            _require(part, argument.kind)
            if fault := input_fault(function, argument, part.node):
                raise LineFault(fault, part.start, part.end)
        else:
            _require_constant(function, argument, part)
    depth = 1 + max((part.depth for part in parts), default=0)
    size = 1 + sum(part.size for part in parts)
    if depth > MAX_DEPTH:
        raise LineFault(
            f"this is nested deeper than the {MAX_DEPTH} levels that are allowed", start, start_end
        )
    if size > MAX_NODES:
        raise LineFault(f"this has more than the {MAX_NODES} parts that are allowed", start, start_end)
    node = shared_call(name, tuple(part.node for part in parts))
    if fault := impossible(node):
        raise LineFault(fault, start, end)
    return _Part(node, function.gives, start, end, depth, size, parts=tuple(parts))


def _require(part: _Part, wanted: Kind) -> None:
    if part.kind is not wanted:
        raise LineFault(f"expected {wanted.value}, not {part.kind.value}", part.start, part.end)


def _require_constant(function: Function, constant: Constant, part: _Part) -> None:
    if is_number_of_sweep(part.node):
        return
    if fault := constant_fault(constant, part.node):
        raise LineFault(f"{constant.name} of {function.name} {fault}", part.start, part.end)


def _computed(part: _Part) -> _Part:
    """Return a part that is computed from numbers only as the number that it is."""
    value = constant_value(part.node)
    return part if value is None else _Part(Number(value), Kind.SERIES, part.start, part.end)


def _unknown(name: str) -> str:
    if name in ELSEWHERE:
        return f"there is no {name}: write {ELSEWHERE[name]}"
    ours = ", ".join(each for each in CALLABLE if each not in LIBRARY)
    every = f"there are the columns {', '.join(VALUE_COLUMNS)}, the functions {ours}, and those of TA-Lib"
    # Among so many names, some are always a little like any other.
    hint = did_you_mean(name, [*VALUE_COLUMNS, *CALLABLE], every, likeness=0.7)
    return f"there is no {name[:40]}: {hint}"


def _refuse_character(line: str, position: int) -> NoReturn:
    character = line[position]
    hint = f": {_HINTS[character]}" if character in _HINTS else ""
    raise LineFault(f"{character!r} means nothing here{hint}", position, position + 1)


def _refuse_token(line: str, error: UnexpectedToken) -> NoReturn:
    token: Token = error.token
    accepted = error.accepts or set()
    expected = [_OPERAND if "NUMBER" in accepted else "an operator"]
    expected += [words for name, words in _EXPECTED.items() if name in accepted]
    reason = f"expected {' or '.join(expected)}, not "
    if token.type == "ASSIGN":
        raise LineFault("compare with ==; only the arguments of a function are named with =", *_span(token))
    if token.type == "$END":
        end = len(line.rstrip())
        raise LineFault(f"{reason}the end", end, end + 1)
    raise LineFault(f"{reason}{str(token)[:40]!r}", *_span(token))
