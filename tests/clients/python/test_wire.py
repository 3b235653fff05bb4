"""Columns of the Python client are the numbers that the messages of the API have."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast import wire
from backcast.backtest.v1.result_pb2 import BacktestResult, EquityCurve

INT64 = st.integers(-(2**63), 2**63 - 1)
TIMES = st.integers(2**28, 2**35 - 1)


def view_of(curve: EquityCurve) -> Any:
    return wire.message_class("backcast.backtest.v1.EquityCurve").FromString(curve.SerializeToString())


@given(st.lists(INT64) | st.lists(TIMES) | st.lists(st.sampled_from([2**28 - 1, 2**28, 2**35 - 1, 2**35])))
def test_integers_are_those_of_the_message(numbers: list[int]) -> None:
    view = view_of(EquityCurve(open_time_s=numbers))
    assert wire.integers(view.open_time_s).tolist() == numbers


@given(st.lists(st.floats()))
def test_doubles_are_those_of_the_message_to_the_bit(numbers: list[float]) -> None:
    view = view_of(EquityCurve(equity=numbers))
    assert wire.doubles(view.equity).tobytes() == np.array(numbers, np.float64).tobytes()


def test_a_column_in_one_piece_is_not_copied() -> None:
    view = view_of(EquityCurve(equity=[1.0, 2.0]))
    (piece,) = view.equity
    assert np.shares_memory(wire.doubles([piece]), np.frombuffer(piece, np.uint8))


def test_merged_parts_are_one_column() -> None:
    view = view_of(EquityCurve(equity=[1.0, 2.0], open_time_s=[10, 20]))
    view.MergeFrom(view_of(EquityCurve(equity=[3.0], open_time_s=[30])))
    assert wire.doubles(view.equity).tolist() == [1.0, 2.0, 3.0]
    assert wire.integers(view.open_time_s).tolist() == [10, 20, 30]


def test_serialized_the_view_is_the_message() -> None:
    result = BacktestResult(symbol="AUSDT", equity_curve=EquityCurve(open_time_s=[1, 2], equity=[3.0, 4.0]))
    result.metrics.total_return = 0.5
    view = wire.message_class("backcast.backtest.v1.BacktestResult").FromString(result.SerializeToString())
    assert BacktestResult.FromString(view.SerializeToString()) == result


def test_equal_columns_one_after_the_other_share_their_numbers_which_nobody_can_change() -> None:
    hours, days = range(0, 9 * 3600, 3600), range(0, 9 * 86_400, 86_400)
    first, again, other = (
        wire.integers(view_of(EquityCurve(open_time_s=times)).open_time_s) for times in (hours, hours, days)
    )
    assert again is first
    assert (first.tolist(), other.tolist()) == (list(hours), list(days))
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1
