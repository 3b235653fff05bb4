"""Rules with Python's operators are the rules of their text."""

from typing import Any

import numpy as np
import pytest

import backcast
from backcast import engine
from backcast.engine import close, crosses_above, high, hour, low, macd, macd_signal, rsi, sma, volume
from backcast.errors import InvalidRequestError
from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.rules.text import CALLABLE
from tests.clients.python.test_engine_frames import columns


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (lambda: close > sma(200), "close > sma(200)"),
        (lambda: rsi(14) > 30, "rsi(14) > 30"),
        (lambda: rsi(14) <= np.float64(30.5), "rsi(14) <= 30.5"),
        (lambda: np.float64(30.5) >= rsi(), "rsi(14) <= 30.5"),
        (lambda: (close > sma(200)) & (rsi(14) < 30), "close > sma(200) and rsi(14) < 30"),
        (
            lambda: (close > 1) & ((close > 2) | ~(close > 3)),
            "close > 1 and (close > 2 or not close > 3)",
        ),
        (lambda: (close - 1) * 2 / close + 3 > -close, "(close - 1) * 2 / close + 3 > -close"),
        (lambda: 1 - close > 2 / (3 * (4 + close)), "1 - close > 2 / (3 * (4 + close))"),
        (lambda: close > -5, "close > -5"),
        (lambda: close == high, "close == high"),
        (lambda: hour != 3, "hour != 3"),
        (lambda: close > close[1], "close > shift(1)"),
        (lambda: (close - 1)[2] > 0, "shift(close - 1, 2) > 0"),
        (lambda: close > sma(200) @ "1d", "close > sma(200)@1d"),
        (lambda: close @ "btcusdt" @ "1d" > 1, "close@BTCUSDT@1d > 1"),
        (lambda: (close > close[1]) @ "1d", "(close > shift(1))@1d"),
        (lambda: rsi(period=7) > 1, "rsi(7) > 1"),
        (lambda: macd(close, signal=5) > 1, "macd(12, 26, 5) > 1"),
        (lambda: sma((high + low) / 2, 20) > sma(volume, 5), "sma((high + low) / 2, 20) > sma(volume, 5)"),
        (
            lambda: crosses_above(macd(), macd_signal(5, 35, 5)),
            "crosses_above(macd(12, 26, 9), macd_signal(5, 35, 5))",
        ),
    ],
)  # fmt: skip
def test_operators_are_written_as_text(written: Any, text: str) -> None:
    assert str(written()) == text


def test_rules_take_them_and_give_the_result_of_the_text() -> None:
    written = backcast.rules((close > sma(50)) & (rsi(14) < 60), rsi(14) > 70)
    text = backcast.rules("close > sma(50) and rsi(14) < 60", "rsi(14) > 70")
    assert written == text
    assert engine.backtest(columns(), written).metrics == engine.backtest(columns(), text).metrics


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (lambda: close > sma(200) & (rsi(14) < 30), "put comparisons into parentheses"),
        (lambda: (close > 1) & (close), "close is no condition"),
        (lambda: 5 & (close > 1), "5 is no condition"),
        (lambda: close > 1 and close > 2, "write & for and"),
        (lambda: 1 < close < 2, "write & for and"),
        (lambda: not close > 1, "write & for and"),
        (lambda: (close > 1) == (close > 2), "== and != compare numbers"),
        (lambda: (close > 1) != (close > 2), "== and != compare numbers"),
        (lambda: close[0.5], "periods? of shift|whole"),
        (lambda: close @ "1m", "there are no candles of 1m"),
        (lambda: close @ close, 'write close @ "1d" or close @ "BTCUSDT"'),
        (lambda: (close @ "1d") @ "4h", "has a length of candles already"),
        (lambda: rsi(periods=5) > 1, "periods"),
        (lambda: close > "sma(200)", "'sma\\(200\\)' is not a number"),
        (lambda: close > float("inf"), "inf is not a finite number"),
        (lambda: sma(0) > 1, "period of sma"),
        (lambda: sma(close, 5, 6) > 1, "cannot be called with 3 arguments"),
        (lambda: crosses_above(close > 1, 2), "expected a number, not a condition"),
    ],
)
def test_what_python_reads_otherwise_is_refused(written: Any, reason: str) -> None:
    with pytest.raises(InvalidRequestError, match=reason):
        written()


def test_every_column_and_function_is_a_name_of_the_package() -> None:
    assert {*VALUE_COLUMNS, *CALLABLE} <= {*dir(engine)}
    assert all(getattr(engine, name) is not None for name in (*VALUE_COLUMNS, *CALLABLE))
    assert "period = 14" in engine.rsi.__doc__
    with pytest.raises(AttributeError, match="no attribute 'rsy': did you mean rsi"):
        _ = engine.rsy
