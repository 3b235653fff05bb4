"""Rows of six values without names: the values decide the order of the columns, or the file is refused."""

import csv
import gzip
import json
from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput
from services.ingest.columns.column_order import order_of
from tests.candle_making import random_candles
from tests.ingest.conftest import START_S, Read, Row, refusal, rejected, rows_of
from tests.ingest.written_candles import candles

USUAL = (0, 1, 2, 3)


def in_order(rows: list[Row], order: tuple[int, ...]) -> list[list[float]]:
    """Return rows whose prices are written in an order of open, high, low and close."""
    return [[row[0], *(row[1 + place] for place in order), row[5]] for row in rows]


@given(st.sampled_from(list(permutations(range(4)))), st.integers(0, 2**32), st.booleans(), st.booleans())
def test_any_order_is_detected_by_the_values(
    read: Read, order: tuple[int, ...], seed: int, newest_first: bool, is_json: bool
) -> None:
    # Volumes far from the prices: where they are alike, the file is refused.
    expected = [(*row[:5], row[5] / 4096) for row in candles(60, START_S, seed)]
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
    prices = [(11, 12, 13, 14), (14, 13, 12, 11), (12, 14, 11, 13), (13, 11, 14, 12)] * 5
    rows = [[START_S + 3600 * hour, *row, 1] for hour, row in enumerate(prices)]
    reason = refusal(read, json.dumps(rows))
    assert "no two of them are the highest and the lowest price of every row" in reason
    assert "tried in all orders of open, high, low, close" in reason


@pytest.mark.parametrize("order", [USUAL, (2, 1, 0, 3)])
def test_a_broken_row_is_reported_and_changes_no_order(read: Read, order: tuple[int, ...]) -> None:
    rows = in_order(candles(60, START_S), order)
    rows[7][1:5] = [9, 1, 5, 2]
    rows[8][2] = "x"  # type: ignore[call-overload]
    reading = read(json.dumps(rows))
    assert [line for line, _ in rejected(reading)] == [8, 9]
    assert rows_of(reading) == [row for hour, row in enumerate(candles(60, START_S)) if hour not in (7, 8)]


def test_candles_without_a_move_have_the_usual_order(read: Read) -> None:
    rows = [[START_S + 3600 * hour, 5, 5, 5, 5, 1] for hour in range(20)]
    assert rows_of(read(json.dumps(rows))) == [tuple(row) for row in rows]


# --- the volume


def outcomes(candles: Candles, orders: list[tuple[int, ...]]) -> Counter[str]:
    """Count how candles are read whose columns are written in these orders."""
    times, *values = candles.columns()
    found: Counter[str] = Counter()
    for order in orders:
        written = [values[place] for place in order]
        try:
            read_as = [written[place] for place in order_of(times, written)]
        except InvalidInput:
            found["refused"] += 1
        else:
            is_right = all(map(np.array_equal, read_as, values))
            found["right" if is_right else f"wrong: {order} of {len(candles)} from {times[0]}"] += 1
    return found


ALL_ORDERS = list(permutations(range(5)))


def test_random_candles_are_never_read_in_a_wrong_order() -> None:
    found: Counter[str] = Counter()
    for seed in range(8):
        for count in (2, 3, 5, 11, 24, 200):
            found += outcomes(random_candles(seed, count), ALL_ORDERS)
    assert set(found) == {"right", "refused"}
    assert outcomes(random_candles(1, 744), ALL_ORDERS) == {"right": len(ALL_ORDERS)}


@pytest.mark.slow
def test_real_candles_are_never_read_in_a_wrong_order(market_data: Path) -> None:
    for symbol in ("BTCUSDT", "DOGEUSDT", "ADAUSDT"):
        with gzip.open(market_data / "csv-1h" / f"{symbol}.csv.gz", "rt") as file:
            rows = list(csv.reader(file))[1:]
        times = np.array([row[0][:19] for row in rows], "datetime64[s]").astype(np.int64)
        everything = Candles(times, *np.array([row[1:6] for row in rows], float).T)
        random = np.random.default_rng(1)
        found: Counter[str] = Counter()
        for count in (2, 3, 5, 11, 24, 200, 744):
            for start in random.integers(0, len(times) - count, 30).tolist():
                orders = [ALL_ORDERS[place] for place in random.integers(0, 120, 10)]
                swapped = [(3, 1, 2, 0, 4), (4, 3, 1, 2, 0), (0, 1, 2, 3, 4)]
                found += outcomes(everything.at(np.arange(start, start + count)), [*orders, *swapped])
        assert set(found) == {"right", "refused"}, symbol
        assert found["right"] > found["refused"] / 2


def test_a_volume_in_front_is_no_price(read: Read) -> None:
    expected = candles(24, START_S)
    rows = [[row[0], row[5] / 100, *(row[1 + place] for place in (3, 1, 2, 0))] for row in expected]
    for content in (json.dumps(rows), "".join(f"{','.join(map(str, row))}\n" for row in rows)):
        assert rows_of(read(content)) == [(*row[:5], row[5] / 100) for row in expected]


def test_a_volume_that_is_like_a_price_is_refused(read: Read) -> None:
    rows = [[*row[:5], round((row[1] + row[4]) / 2, 3)] for row in candles(24, START_S)]
    assert "more than one of them may be the volume" in refusal(read, json.dumps(rows))


@pytest.mark.parametrize("count", range(1, 11))
def test_a_few_rows_with_the_close_first_are_not_read_as_opens(read: Read, count: int) -> None:
    rows = in_order(candles(count, START_S), (3, 1, 2, 0))
    assert "the order of its columns is unknown" in refusal(read, json.dumps(rows))


# --- seven columns


def seven(*behind: int) -> str:
    """Return lines whose last two columns are these of volume, trades, VWAP, turnover, both whole."""
    lines = []
    for hour, row in enumerate(candles(24, START_S)):
        average = round((row[2] + row[3]) / 2, 2)
        columns = (row[5], 7 + hour, average, average * row[5], round(average * row[5]), round(row[5]))
        lines.append(f"{','.join(map(str, (*row[:5], *(columns[place] for place in behind))))}\n")
    return "".join(lines)


def test_seven_columns_are_krakens_in_any_order_of_prices(read: Read) -> None:
    reading = read(seven(0, 1))
    assert (reading.format, rows_of(reading)) == ("kraken-csv", candles(24, START_S))
    rows = in_order(candles(24, START_S), (0, 3, 1, 2))
    assert rows_of(read("".join(f"{','.join(map(str, row))},7\n" for row in rows))) == candles(24, START_S)


@pytest.mark.parametrize(
    ("behind", "reason"),
    [
        ((0, 2), "the last is not whole, and so is no number of trades"),
        ((0, 3), "the last is not whole, and so is no number of trades"),
        ((0, 4), "two are the volume, in the crypto and in the currency"),
        ((2, 1), "more than one of them may be the volume"),
        ((2, 5), "more than one of them may be the volume"),
        ((2, 0), "the last is not whole, and so is no number of trades"),
    ],
)
def test_seven_other_columns_are_refused(read: Read, behind: tuple[int, int], reason: str) -> None:
    assert reason in refusal(read, seven(*behind))
