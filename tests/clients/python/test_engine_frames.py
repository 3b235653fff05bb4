"""Frames of candles for `backcast.engine`: what they may look like, and how each wrong one is refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import backcast
from backcast.engine import backtest, backtest_signals
from backcast.errors import InvalidRequestError
from tests.candle_making import START_S, random_candles

CANDLES = random_candles(77, 500)
RSI = backcast.Rsi(period=7)
Columns = dict[str, Any]


def columns(**changed: Any) -> Columns:
    """Return a dict of arrays that is right, but for what is changed; a column that is None is left out."""
    right = {
        "time": CANDLES.open_time_s.view("datetime64[s]"),
        "open": CANDLES.open,
        "high": CANDLES.high,
        "low": CANDLES.low,
        "close": CANDLES.close,
        "volume": CANDLES.volume,
    }
    return {name: column for name, column in (right | changed).items() if column is not None}


def with_value(name: str, row: int, value: Any) -> Columns:
    column = columns()[name].copy()
    column[row] = value
    return columns(**{name: column})


def swapped(first: int, second: int) -> Columns:
    rows = np.arange(len(CANDLES))
    rows[[first, second]] = second, first
    return {name: column[rows] for name, column in columns().items()}


SECONDS = CANDLES.open_time_s
NAIVE = [datetime.fromtimestamp(second, UTC).replace(tzinfo=None) for second in SECONDS.tolist()]
EXPECTED = backtest(columns(), RSI)


def of_pandas(**columns_: Any) -> pd.DataFrame:
    return pd.DataFrame(columns(time=None, **columns_))


def of_polars() -> pl.DataFrame:
    # Polars has no seconds.
    return pl.DataFrame(columns(time=columns()["time"].astype("datetime64[ms]")))


FRAMES: dict[str, Callable[[], Any]] = {
    "names in any case": lambda: {name.title(): column for name, column in columns().items()},
    "lists": lambda: {name: column.tolist() for name, column in columns().items()},
    "seconds": lambda: columns(time=SECONDS),
    "milliseconds": lambda: columns(time=SECONDS * 1_000),
    "microseconds": lambda: columns(time=SECONDS * 1_000_000),
    "nanoseconds": lambda: columns(time=SECONDS * 1_000_000_000),
    "floats": lambda: columns(time=SECONDS.astype(np.float64)),
    "text": lambda: columns(time=[time.isoformat() for time in NAIVE]),
    "zoned": lambda: columns(time=[time.replace(tzinfo=UTC) for time in NAIVE]),
    "open_time": lambda: columns(time=None, open_time=SECONDS),
    "pandas, a column": lambda: pd.DataFrame(columns()),
    "pandas, an index": lambda: of_pandas().set_index(pd.to_datetime(SECONDS, unit="s")),
    "pandas, an index with a zone": lambda: of_pandas().set_index(
        pd.to_datetime(SECONDS, unit="s", utc=True).tz_convert("Asia/Kolkata")
    ),
    "pandas, a column with a zone": lambda: of_pandas().assign(
        Date=pd.to_datetime(SECONDS, unit="s", utc=True).tz_convert("America/New_York")
    ),
    "pandas, nullable": lambda: pd.DataFrame(columns()).convert_dtypes(),
    "polars": of_polars,
    "polars, zoned": lambda: of_polars().with_columns(
        pl.col("time").dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin")
    ),
    "pyarrow": lambda: pa.table(columns()),
    "pyarrow, zoned": lambda: pa.table(columns(time=pa.array(SECONDS).view(pa.timestamp("s", "UTC")))),
    "with a symbol": lambda: columns(symbol=np.full(len(CANDLES), "AUSDT")),
    "without volume": lambda: columns(volume=None),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_of_every_kind_are_the_same_candles(kind: str) -> None:
    result = backtest(FRAMES[kind](), RSI)
    assert result.metrics == EXPECTED.metrics
    assert [column.tobytes() for column in result.curve()] == [
        column.tobytes() for column in EXPECTED.curve()
    ]


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "a list": (lambda: [1, 2], "list is no frame"),
    "lazy": (lambda: of_polars().lazy(), r"frame\.collect\(\)"),
    "no rows": (lambda: {name: column[:0] for name, column in columns().items()}, "has no rows"),
    "no times": (of_pandas, "has no times"),
    "two times": (lambda: columns(date=SECONDS), "time and date"),
    "a column twice": (lambda: columns(Close=CANDLES.close), "two columns called close"),
    "a missing column": (
        lambda: columns(close=None, closed=CANDLES.close), "no column close: did you mean closed"
    ),
    "several cryptos": (lambda: columns(symbol=["A", "B"] * 250), "2 cryptos"),
    "descending times": (
        lambda: {name: column[::-1] for name, column in columns().items()}, "row 1: .*: sort the frame"
    ),
    "rows that are swapped": (lambda: swapped(10, 11), "row 11: 2024-01-01 10:00 UTC is before"),
    "the same time twice": (
        lambda: with_value("time", 20, columns()["time"][19]),
        "row 20: 2024-01-01 19:00 UTC is the time of two rows",
    ),
    "no time": (lambda: with_value("time", 3, np.datetime64("NaT")), "row 3: has no time"),
    "ends of candles": (lambda: columns(time=SECONDS * 1_000 + 3_599_999), "fraction of a second"),
    "half hours": (lambda: columns(time=SECONDS + 1_800), "row 0, 2024-01-01 00:30 UTC: the time is no"),
    "quarters": (lambda: columns(time=START_S + (SECONDS - START_S) // 4), "900 seconds apart"),
    "numbers of rows": (lambda: columns(time=np.arange(500)), "no Unix times"),
    "units that are mixed": (
        lambda: columns(time=np.concatenate((SECONDS[:9], SECONDS[9:] * 1_000))), "no Unix times"
    ),
    "times that are no numbers": (lambda: columns(time=SECONDS + 0.5), "is no time"),
    "words": (lambda: columns(time=["now"] * 500), "row 0: time: 'now' is not a time"),
    "NaN": (lambda: with_value("close", 7, np.nan), "row 7, 2024-01-01 07:00 UTC: close is not a finite"),
    "infinity": (lambda: with_value("volume", 7, np.inf), "row 7, .*volume is not a finite number"),
    "float32": (lambda: columns(close=CANDLES.close.astype(np.float32)), "close is float32, which has 6"),
    "text for prices": (lambda: columns(close=CANDLES.close.astype(str)), "close is text"),
    "objects": (lambda: columns(close=np.array([None] * 500)), "row 0: close: None is not a number"),
    "booleans": (lambda: columns(close=CANDLES.close > 0), "close is bool"),
    "high below low": (lambda: columns(high=CANDLES.low, low=CANDLES.high), "row 0, .*: high is below low"),
    "a close above the high": (
        lambda: with_value("close", 5, CANDLES.high[5] * 2), "row 5, .*: close is not between low and high"
    ),
    "a price of zero": (lambda: with_value("low", 5, 0.0), "row 5, .*: low is not positive"),
    "a negative volume": (lambda: with_value("volume", 5, -1.0), "row 5, .*: volume is negative"),
    "another length": (lambda: columns(volume=CANDLES.volume[1:]), r"volume has the shape \(499,\)"),
    "a masked array": (lambda: columns(close=np.ma.masked_greater(CANDLES.close, 100.0)), "masked"),
    "rows of several lengths": (lambda: columns(close=[[1.0], [2.0, 3.0]] * 250), "lists of several lengths"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_what_would_be_a_wrong_number_is_refused_and_named(kind: str) -> None:
    wrong, reason = WRONG[kind]
    with pytest.raises(InvalidRequestError, match=reason) as refused:
        backtest(wrong(), RSI)
    assert refused.value.field == "frame"


def test_volume_is_needed_where_rules_read_it() -> None:
    rules = backcast.rules("volume > sma(volume, 5)", "close < sma(20)")
    assert backtest(columns(), rules).metrics.trade_count
    with pytest.raises(InvalidRequestError, match="has no column volume, which the rules read"):
        backtest(columns(volume=None), rules)


def test_one_candle_needs_its_interval() -> None:
    one = {name: column[:1] for name, column in columns().items()}
    with pytest.raises(InvalidRequestError, match='say how long its candle is, as interval="1h"'):
        backtest(one, backcast.BuyAndHold())
    assert backtest(one, backcast.BuyAndHold(), interval="1h").interval == "1h"


def test_signals_of_a_frame_with_another_index_are_refused() -> None:
    frame = FRAMES["pandas, an index"]()
    rises = frame["close"] > frame["open"]
    assert backtest_signals(frame, rises, ~rises).metrics.trade_count
    with pytest.raises(InvalidRequestError, match="entries: its index is not that of the frame"):
        backtest_signals(frame, rises.reset_index(drop=True))


@pytest.mark.parametrize(
    ("signals", "reason"),
    [
        (np.ones(500), "is float64, not of booleans"),
        (np.array([True, None] * 250), "is object, not of booleans"),
        (np.ma.masked_array(np.ones(500, np.bool_), mask=np.ones(500, np.bool_)), "has masked values"),
        ([[True], [True, False]], "has lists of several lengths"),
        (np.ones(499, np.bool_), r"has the shape \(499,\), and the frame 500 rows"),
    ],
)
def test_signals_that_are_no_booleans_of_each_row_are_refused(signals: Any, reason: str) -> None:
    with pytest.raises(InvalidRequestError, match=reason) as refused:
        backtest_signals(columns(), np.ones(500, np.bool_), signals)
    assert refused.value.field == "exits"
