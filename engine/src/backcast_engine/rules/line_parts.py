"""Parts of a line of text: expressions with their places, and errors that point at a place."""

from dataclasses import dataclass

from lark import Token

from backcast_engine.rules.nodes import Expression
from backcast_engine.rules.signature import ValueKind

# How much of a long line an error shows around what is wrong: with an indent and two ellipses it has to fit
# into the 80 characters of a terminal, or the mark is not below it.
_SHOWN = 76


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
class LinePart:
    """An expression, and its place in the line."""

    node: Expression
    kind: ValueKind
    start: int
    end: int
    depth: int = 1
    size: int = 1
    # Written as digits only: a minus before it makes a negative number, not an operation.
    is_literal: bool = False
    # The arguments of a call, also those that were left out.
    parts: tuple["LinePart", ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """An argument with its name, which is at the place of `token`."""

    token: Token
    part: LinePart


Given = LinePart | Named


def span(token: Token) -> tuple[int, int]:
    """Return where a token begins and ends."""
    assert token.start_pos is not None
    return token.start_pos, token.start_pos + len(token)
