"""Columns of the Python client as frames of each library: types, missing values, no copies."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from backcast.errors import InvalidRequestError, MissingLibraryError
from backcast.frames import NOT_A_TIME, Names, Times, chosen_library, frame

COLUMNS: dict[str, Any] = {
    "symbol": Names(["AUSDT", "BUSDT"], np.array([0, 0, 1], np.int32)),
    "time": Times(np.array([0, 3600, 7200])),
    "exit_time": Times(np.array([3600, NOT_A_TIME, 7200])),
    "profit": np.array([1.5, np.nan, -2.0]),
    "reason": ["signal", "", "break"],
    "open": np.array([False, True, False]),
}
EMPTY: dict[str, Any] = {
    "symbol": Names([], np.empty(0, np.int32)),
    "time": Times(np.empty(0, np.int64)),
    "profit": np.empty(0),
    "reason": [],
}


def frame_of(library: str, columns: dict[str, Any] = COLUMNS) -> Any:
    if not find_spec(library):
        pytest.skip(f"NO {library.upper()}: it is not installed")
    return frame(columns, library)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "numpy"])
def test_a_frame_of_no_rows_has_all_columns(library: str) -> None:
    empty = frame_of(library, EMPTY)
    names = (
        empty.column_names if library == "pyarrow" else [*(empty if library == "numpy" else empty.columns)]
    )
    assert names == [*EMPTY]


def test_pandas_has_utc_times_and_categories() -> None:
    made = frame_of("pandas")
    assert [str(dtype) for dtype in made.dtypes][:4] == ["category", *["datetime64[s, UTC]"] * 2, "float64"]
    assert made["symbol"].tolist() == ["AUSDT", "AUSDT", "BUSDT"]
    assert made["exit_time"].isna().tolist() == [False, True, False]
    assert made["time"].astype("int64").tolist() == [0, 3600, 7200]
    assert np.shares_memory(made["profit"].to_numpy(), COLUMNS["profit"])


def test_polars_has_utc_times_enumerations_and_nulls() -> None:
    made = frame_of("polars")
    assert made["symbol"].to_list() == ["AUSDT", "AUSDT", "BUSDT"]
    assert str(made["time"].dtype) == "Datetime(time_unit='ms', time_zone='UTC')"
    assert made["exit_time"].is_null().to_list() == [False, True, False]
    assert made["profit"].to_list() == [1.5, None, -2.0]


def test_arrow_has_utc_times_dictionaries_and_nulls() -> None:
    made = frame_of("pyarrow")
    assert made["symbol"].to_pylist() == ["AUSDT", "AUSDT", "BUSDT"]
    assert str(made.schema.field("time").type) == "timestamp[s, tz=UTC]"
    assert made["exit_time"].is_null().to_pylist() == [False, True, False]
    assert made["profit"].to_pylist() == [1.5, None, -2.0]


def test_numpy_has_the_very_columns() -> None:
    made = frame_of("numpy")
    assert made["profit"] is COLUMNS["profit"]
    assert np.isnat(made["exit_time"]).tolist() == [False, True, False]
    assert made["symbol"].tolist() == ["AUSDT", "AUSDT", "BUSDT"]


def test_a_library_that_is_not_known_or_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidRequestError, match="'spark' is not one of auto, pandas"):
        chosen_library("spark")
    monkeypatch.setattr("backcast.frames.find_spec", lambda name: name == "numpy" or None)
    assert chosen_library("auto") == "numpy"
    with pytest.raises(MissingLibraryError, match=r"pip install 'backcast-client\[polars\]'"):
        chosen_library("polars")
