"""Spans of time: ranges of hours, each from a start up to, and without, an end in Unix seconds."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The hours that open at or after `start_s` and before `end_s`."""

    start_s: int
    end_s: int

    def __bool__(self) -> bool:
        return self.start_s < self.end_s

    @property
    def hours(self) -> int:
        """The number of hours."""
        return max(self.end_s - self.start_s, 0) // 3600


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return the same hours in as few spans as possible, in ascending order."""
    result: list[Span] = []
    for span in sorted(filter(None, spans)):
        if result and span.start_s <= result[-1].end_s:
            result[-1] = Span(result[-1].start_s, max(result[-1].end_s, span.end_s))
        else:
            result.append(span)
    return result


def without(wanted: Span, spans: Iterable[Span]) -> list[Span]:
    """Return the hours of `wanted` that are in none of the `spans`, in ascending order."""
    result, start_s = [], wanted.start_s
    for span in joined(spans):
        if span.start_s >= wanted.end_s:
            break
        if span.start_s > start_s:
            result.append(Span(start_s, span.start_s))
        start_s = max(start_s, span.end_s)
    rest = Span(start_s, wanted.end_s)
    return [*result, rest] if rest else result
