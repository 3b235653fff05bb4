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
from dataclasses import replace
from functools import cache
from typing import NoReturn

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.near_names import did_you_mean
from backcast_engine.rules.calls import checked_call, completed, require
from backcast_engine.rules.check import number_fault, other_candles_fault, part_fault
from backcast_engine.rules.functions import LIBRARY
from backcast_engine.rules.habits import ELSEWHERE
from backcast_engine.rules.line_parts import Given, LineFault, LinePart, Named, span
from backcast_engine.rules.nodes import (
    Column,
    Expression,
    Number,
    On,
    OtherCandles,
    Placeholder,
    on_other_candles,
)
from backcast_engine.rules.signature import ValueKind
from backcast_engine.rules.text import BINARY, CALLABLE, signature

__all__ = ["MAX_LENGTH", "LineFault", "fault_at", "parse", "parse_line"]

MAX_LENGTH = 4_000
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


def parse(line: str, field: str, wanted: ValueKind = ValueKind.CONDITION) -> Expression:
    """Parse and check `line`.

    Raises InvalidInput of `field`, with the reason, the character, and the line with a mark under the error.
    """
    try:
        return parse_line(line, wanted)
    except LineFault as fault:
        raise InvalidInput.of(field, fault.shown_in(line)) from None


def parse_line(line: str, wanted: ValueKind = ValueKind.CONDITION) -> Expression:
    """Parse and check `line`; raise LineFault for the first error."""
    if len(line) > MAX_LENGTH:
        raise LineFault(f"is {len(line):,} characters long, at most {MAX_LENGTH:,} are allowed")
    if not line.strip():
        raise LineFault(f"is empty: expected {wanted.value}")
    try:
        # The result of the transformer.
        part: LinePart = _parser().parse(line)  # type: ignore[assignment]
    except UnexpectedCharacters as error:
        _refuse_character(line, error.pos_in_stream)  # type: ignore[arg-type]  # lark declares it as None
    except UnexpectedToken as error:
        _refuse_token(line, error)
    require(part, wanted)
    if fault := other_candles_fault({node.candles for node in on_other_candles(part.node)}):
        raise LineFault(fault)
    return part.node


def fault_at(line: str, path: str, reason: str) -> "LineFault":
    """Return an error in a right line, at the part that a path leads to: entry.arguments[1].arguments[0]."""
    # As above.
    part: LinePart = _parser().parse(line)  # type: ignore[assignment]
    for index in _ARGUMENT.findall(path):
        part = part.parts[int(index)]
    return LineFault(reason, part.start, part.end)


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="basic", transformer=_Builder(), maybe_placeholders=False)


@v_args(inline=True)
class _Builder(Transformer[Token, LinePart]):
    """Builds an expression for each rule of the grammar as soon as it is complete, the innermost first.

    So no step is recursive, and an expression that gets too deep or too large is refused early.
    """

    def number(self, token: Token) -> LinePart:
        node = Number(float(token))
        if fault := number_fault(node.value):
            raise LineFault(fault, *span(token))
        return LinePart(node, ValueKind.SERIES, *span(token), is_literal=True)

    def placeholder(self, token: Token) -> LinePart:
        return LinePart(Placeholder(token[1:-1]), ValueKind.SERIES, *span(token))

    def column(self, token: Token) -> LinePart:
        name = token.lower()
        if name in CALLABLE and not CALLABLE[name].arguments:
            return checked_call(name, [], *span(token), span(token)[1])
        if name in CALLABLE:
            raise LineFault(f"{name} is a function: write {signature(CALLABLE[name])}", *span(token))
        if name not in VALUE_COLUMNS:
            raise LineFault(_unknown(name), *span(token))
        return LinePart(Column(name), ValueKind.SERIES, *span(token))

    def grouped(self, opening: Token, part: LinePart, closing: Token) -> LinePart:
        start, end = span(opening)[0], span(closing)[1]
        return LinePart(part.node, part.kind, start, end, part.depth, part.size, parts=part.parts)

    def inverted(self, operator: Token, part: LinePart) -> LinePart:
        return checked_call("not", [part], *span(operator), part.end)

    def negated(self, operator: Token, part: LinePart) -> LinePart:
        if part.is_literal and isinstance(part.node, Number):
            return LinePart(Number(-part.node.value), ValueKind.SERIES, span(operator)[0], part.end)
        return checked_call("negate", [part], *span(operator), part.end)

    def binary(self, left: LinePart, operator: Token, right: LinePart) -> LinePart:
        return checked_call(BINARY[operator.lower()], [left, right], left.start, left.end, right.end)

    def compared(self, *parts: Token | LinePart) -> LinePart:
        # Operands and operators in turn; neighbours are compared, and all of that must hold.
        operands = [part for part in parts if isinstance(part, LinePart)]
        operators = [part for part in parts if isinstance(part, Token)]
        whole, *more = map(self.binary, operands, operators, operands[1:])
        for part in more:
            whole = checked_call("and", [whole, part], whole.start, part.end, part.end)
        return whole

    def shifted(self, part: LinePart, opening: Token, candles: LinePart, closing: Token) -> LinePart:
        return checked_call("shift", [part, candles], part.start, *[span(closing)[1]] * 2)

    def elsewhere(self, part: LinePart, token: Token) -> LinePart:
        start, end = part.start, span(token)[1]
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
                raise LineFault(f"there are no candles of {name}: choose {known}", *span(token))
            if candles.interval:
                raise LineFault("this has a length of candles already", *span(token))
            candles = replace(candles, interval=_INTERVALS[name.lower()])
        else:
            if candles.symbol:
                raise LineFault(f"this is of {candles.symbol} already", *span(token))
            candles = replace(candles, symbol=name.upper())
        return replace(part, node=On(node, candles), start=start, end=end)

    def named(self, token: Token, _assign: Token, part: LinePart) -> Named:
        return Named(token, part)

    def called(self, token: Token, *rest: Token | Given) -> LinePart:
        name = token.lower()
        start, end = span(token)
        if name in VALUE_COLUMNS:
            raise LineFault(f"{name} is a column, not a function", start, end)
        if name not in CALLABLE:
            raise LineFault(_unknown(name), start, end)
        given = [part for part in rest if not isinstance(part, Token)]
        closing = rest[-1]
        assert isinstance(closing, Token)
        return checked_call(name, completed(CALLABLE[name], given, start, end), start, end, span(closing)[1])


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
        raise LineFault("compare with ==; only the arguments of a function are named with =", *span(token))
    if token.type == "$END":
        end = len(line.rstrip())
        raise LineFault(f"{reason}the end", end, end + 1)
    raise LineFault(f"{reason}{str(token)[:40]!r}", *span(token))
