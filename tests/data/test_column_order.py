"""Rows of six that nothing names: the order of their prices is told by their values, or refused."""

import json
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.conftest import START_S, Read, Row, refusal, rejected, rows_of
from tests.data.test_ways_of_writing import candles

USUAL = (0, 1, 2, 3)


def in_order(rows: list[Row], order: tuple[int, ...]) -> list[list[float]]:
    """Return rows whose prices are written in an order of open, high, low and close."""
    return [[row[0], *(row[1 + place] for place in order), row[5]] for row in rows]


@given(st.sampled_from(list(permutations(range(4)))), st.integers(0, 2**32), st.booleans(), st.booleans())
def test_any_order_is_told_by_the_values(
    read: Read, order: tuple[int, ...], seed: int, newest_first: bool, is_json: bool
) -> None:
    expected = candles(60, START_S, seed)
    written = in_order(expected, order)[:: -1 if newest_first else 1]
    content = json.dumps(written) if is_json else "".join(f"{','.join(map(str, row))}\n" for row in written)
    reading = read(content)
    assert (reading.rejections, rows_of(reading)) == ((), expected)


@pytest.mark.parametrize("order", [USUAL, (2, 1, 0, 3), (0, 3, 1, 2)], ids=["usual", "Coinbase", "Bitfinex"])
def test_a_few_rows_are_read_in_the_orders_of_exchanges(read: Read, order: tuple[int, ...]) -> None:
    expected = candles(4, START_S)
    assert rows_of(read(json.dumps(in_order(expected, order)))) == expected


def test_few_rows_of_other_orders_are_refused_with_what_was_tried(read: Read) -> None:
    reason = refusal(read, json.dumps(in_order(candles(4, START_S), (1, 0, 3, 2))))
    assert reason.startswith("the order of its columns is unknown: several fit")
    assert "Coinbase's low, high, open, close" in reason


def test_rows_that_fit_no_order_are_refused_with_what_was_tried(read: Read) -> None:
    prices = [(1, 2, 3, 4), (4, 3, 2, 1), (2, 4, 1, 3), (3, 1, 4, 2)] * 5
    rows = [[START_S + 3600 * hour, *row, 1] for hour, row in enumerate(prices)]
    reason = refusal(read, json.dumps(rows))
    assert "no two of them are the highest and the lowest price of every row" in reason
    assert "tried in all orders of open, high, low, close" in reason


@pytest.mark.parametrize("order", [USUAL, (2, 1, 0, 3)])
def test_a_broken_row_is_told_and_changes_no_order(read: Read, order: tuple[int, ...]) -> None:
    rows = in_order(candles(60, START_S), order)
    rows[7][1:5] = [9, 1, 5, 2]
    rows[8][2] = "x"  # type: ignore[call-overload]
    reading = read(json.dumps(rows))
    assert [line for line, _ in rejected(reading)] == [8, 9]
    assert rows_of(reading) == [row for hour, row in enumerate(candles(60, START_S)) if hour not in (7, 8)]


def test_candles_without_a_move_have_the_usual_order(read: Read) -> None:
    rows = [[START_S + 3600 * hour, 5, 5, 5, 5, 1] for hour in range(20)]
    assert rows_of(read(json.dumps(rows))) == [tuple(row) for row in rows]
