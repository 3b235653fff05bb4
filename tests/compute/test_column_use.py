"""A backtest reads no columns but those that its strategy declares."""

from dataclasses import replace

import numpy as np
import pytest

from backcast_engine import STRATEGIES, Backtest, Detail, Execution, Window, columns_of, run_backtest
from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.rules.nodes import VOLUME, call
from backcast_engine.strategies.custom_rules import CustomRules
from tests.candle_making import START_S, random_candles

CANDLES = random_candles(5, 2000)
WINDOW = Window(START_S + 3600 * 500, START_S + 3600 * 1900)


EXAMPLES = {
    **{name: kind() for name, kind in STRATEGIES.items() if kind is not CustomRules},
    "rules": CustomRules(call("greater", call("sma", VOLUME, 5), call("sma", VOLUME, 20)), None),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_backtest_needs_no_other_columns(name: str) -> None:
    strategy = EXAMPLES[name]
    read = columns_of(strategy, Execution(), Detail.EQUITY)
    assert read == tuple(column for column in VALUE_COLUMNS if column in read)
    only = replace(CANDLES, **{column: np.empty(0) for column in VALUE_COLUMNS if column not in read})
    whole, lean = (
        run_backtest(
            History(candles), Backtest(strategy, Interval.HOUR_1, WINDOW, Execution(), Detail.EQUITY)
        )
        for candles in (CANDLES, only)
    )
    assert (lean.metrics, lean.coverage, lean.trades) == (whole.metrics, whole.coverage, whole.trades)
    assert whole.equity_curve is not None
    assert lean.equity_curve is not None
    np.testing.assert_array_equal(lean.equity_curve.equity, whole.equity_curve.equity)
