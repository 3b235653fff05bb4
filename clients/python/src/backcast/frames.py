"""Columns as frames of pandas, Polars or PyArrow, numbers uncopied where the library allows it.

A number that is undefined is NaN in NumPy and pandas, and null in Polars and PyArrow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, Self

import numpy as np

from backcast.errors import InvalidRequestError, MissingLibraryError

Library = Literal["auto", "pandas", "polars", "pyarrow", "numpy"]
_LIBRARIES = ("pandas", "polars", "pyarrow", "numpy")


@dataclass(frozen=True, slots=True)
class Times:
    """A column of UTC times: int64 seconds since 1970; NOT_A_TIME where there is none."""

    seconds: "np.ndarray[Any, np.dtype[np.int64]]"


@dataclass(frozen=True, slots=True)
class Names:
    """A column of few different names: `codes` are places in `names`."""

    names: list[str]
    codes: "np.ndarray[Any, np.dtype[np.int32]]"

    @classmethod
    def repeated(cls, names: list[str], counts: Sequence[int]) -> Self:
        """Return the column that has each name as many times as `counts` says, one name after the other."""
        return cls(names, np.repeat(np.arange(len(names), dtype=np.int32), counts))


NOT_A_TIME = np.iinfo(np.int64).min
# The columns of frames of trades that are numbers, in their order.
TRADE_NUMBERS = (
    "entry_price",
    "exit_price",
    "units",
    "profit",
    "return_fraction",
    "fees_paid",
    "borrow_paid",
    "funding_paid",
    "worst_excursion",
    "best_excursion",
)

Columns = Mapping[str, Any]
"""Columns by name: NumPy arrays of numbers, Times, Names, or lists of text."""


def chosen_library(library: str) -> str:
    """Return the library that frames are made with; `auto` takes the first that is installed."""
    if library == "auto":
        return next(name for name in _LIBRARIES if find_spec(name))
    if library not in _LIBRARIES:
        raise InvalidRequestError.of("frames", f"{library!r} is not one of auto, {', '.join(_LIBRARIES)}")
    if not find_spec(library):
        raise MissingLibraryError(
            f"frames={library!r} needs {library}: pip install 'backcast-client[{library}]'"
        )
    return library


def frame(columns: Columns, library: str) -> Any:
    """Return the columns as a frame of `library`; with numpy, as a dict of arrays."""
    match library:
        case "pandas":
            return _pandas(columns)
        case "polars":
            return _polars(columns)
        case "pyarrow":
            return _pyarrow(columns)
        case _:
            return {name: _numpy(column) for name, column in columns.items()}


def _numpy(column: Any) -> Any:
    match column:
        case Times():
            # NumPy's missing time is the same number.
            return column.seconds.view("datetime64[s]")
        case Names():
            return np.array(column.names, np.str_)[column.codes] if column.names else np.empty(0, np.str_)
        case list():
            return np.array(column, np.str_)
        case _:
            return column


def _pandas(columns: Columns) -> Any:
    import pandas as pd  # noqa: PLC0415  # installed or not

    def converted(column: Any) -> Any:
        match column:
            case Times():
                return pd.DatetimeIndex(column.seconds.view("datetime64[s]"), copy=False).tz_localize("UTC")
            case Names():
                return pd.Categorical.from_codes(column.codes, column.names)
            case _:
                return column

    return pd.DataFrame({name: converted(column) for name, column in columns.items()}, copy=False)


def _polars(columns: Columns) -> Any:
    import polars as pl  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415  # installed or not

    def converted(name: str, column: Any) -> Any:
        match column:
            case Times():
                # Polars has no seconds. It copies times of NumPy one by one, to look for missing ones.
                missing = column.seconds == NOT_A_TIME
                if not missing.any():
                    return pl.Series(name, column.seconds * 1000).cast(pl.Datetime("ms", "UTC"))
                times = pl.Series(name, np.where(missing, 0, column.seconds) * 1000)
                return times.set(pl.Series(missing), None).cast(pl.Datetime("ms", "UTC"))
            case Names():
                names = pl.Series(name, column.names, pl.Enum(column.names))
                return names.gather(pl.Series(column.codes.astype(np.uint32)))
            case np.ndarray() if column.dtype.kind == "f":
                return pl.Series(name, column, nan_to_null=True)
            case _:
                return pl.Series(name, column)

    return pl.DataFrame([converted(name, column) for name, column in columns.items()])


def _pyarrow(columns: Columns) -> Any:
    import pyarrow as pa  # noqa: PLC0415  # installed or not

    def converted(column: Any) -> Any:
        match column:
            case Times():
                kind, missing = pa.timestamp("s", "UTC"), column.seconds == NOT_A_TIME
                if missing.any():
                    return pa.array(column.seconds, mask=missing).cast(kind)
                return pa.array(column.seconds).view(kind)
            case Names():
                return pa.DictionaryArray.from_arrays(
                    pa.array(column.codes), pa.array(column.names, pa.string())
                )
            case list():
                return pa.array(column, pa.string())
            case _:
                # A NaN becomes a null. Without one, nothing is copied.
                return pa.array(column, from_pandas=column.dtype.kind == "f" and bool(np.isnan(column).any()))

    return pa.table({name: converted(column) for name, column in columns.items()})
