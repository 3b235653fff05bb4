"""Spans of hours: what is wanted without what was asked."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.feed.spans import Span, joined, without

SPANS = st.builds(Span, st.integers(0, 30), st.integers(0, 30))


def points(spans: list[Span]) -> set[int]:
    return {each for span in spans for each in range(span.start_s, span.end_s)}


@given(st.lists(SPANS))
def test_joined_spans_are_the_same_hours_in_order(spans: list[Span]) -> None:
    result = joined(spans)
    assert points(result) == points(spans)
    assert all(first.end_s < second.start_s for first, second in pairwise(result))


@given(SPANS, st.lists(SPANS))
def test_what_is_without_is_the_rest(wanted: Span, spans: list[Span]) -> None:
    result = without(wanted, spans)
    assert points(result) == points([wanted]) - points(spans)
    assert all(result)
    assert result == sorted(result)
