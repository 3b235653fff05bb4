"""Candles, and tables of them."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from tests.ingest.conftest import Row

# The hours of 30 December to 2 January: no day of it can be a month, and a year changes.
START_S = 1_703_894_400  # 2023-12-30T00:00:00Z


HOURS = 96


NAMES = ("time", "open", "high", "low", "close", "volume")


def candles(hours: int = HOURS, start_s: int = START_S, seed: int = 1) -> list[Row]:
    """Make candles that follow each other, with prices of two decimals above and below a thousand."""
    random = np.random.default_rng(seed)
    closes = np.round(1000 * np.exp(np.cumsum(random.normal(0, 0.02, hours))), 2).tolist()
    opens = [1000.25, *closes[:-1]]
    return [
        (
            start_s + 3600 * hour,
            open_,
            round(max(open_, close) * 1.01 + 0.01, 2),
            round(min(open_, close) * 0.99 - 0.01, 2),
            close,
            round(0.125 + hour * 13.5, 3),
        )
        for hour, (open_, close) in enumerate(zip(opens, closes, strict=True))
    ]


def stamp(format_: str) -> Callable[[int], str]:
    return lambda time_s: datetime.fromtimestamp(time_s, UTC).strftime(format_)


def table(rows: list[list[str]], separator: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]
    return text.getvalue()
