"""Shared by tests of readers: writes a file of any content, and reads it."""

from datetime import UTC, datetime
from typing import Protocol

import pytest

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.domain.conflict_rule import ConflictRule
from services.ingest.columns.time_column import MAX_TIME_S
from services.ingest.detect import read_file
from services.ingest.report import FileReading

# A file of one candle, as its header and its line.
HEADER = "datetime,open,high,low,close,volume\n"
START_S = 1_577_836_800  # 2020-01-01T00:00:00Z
# Later than any time that a file can have.
NOW_S = MAX_TIME_S
OHLCV = "2,3,1,2.5,10"


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name files by what they are: compressed ones hold the time, and all processes need the same names."""
    return "file" if isinstance(val, bytes) else None


class Read(Protocol):
    """Reads a file of some content."""

    def __call__(
        self,
        content: str | bytes,
        on_conflict: ConflictRule = ConflictRule.REPLACE,
        now_s: int = NOW_S,
        length_s: int | None = 3600,
    ) -> FileReading: ...


Row = tuple[int, float, float, float, float, float]


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Read a file of the given content, whose name says nothing.

    Most contents are too short to show the length of their candles, so it is given unless it is None.
    """
    path = tmp_path_factory.mktemp("readers") / "file"

    def read_content(
        content: str | bytes,
        on_conflict: ConflictRule = ConflictRule.REPLACE,
        now_s: int = NOW_S,
        length_s: int | None = 3600,
    ) -> FileReading:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_file(path, Interval.HOUR_1, now_s=now_s, on_conflict=on_conflict, length_s=length_s)

    return read_content


def rows_of(reading: FileReading) -> list[Row]:
    return list(zip(*(column.tolist() for column in reading.candles.columns()), strict=True))


def rejected(reading: FileReading) -> list[tuple[int, str]]:
    return [(rejection.line, rejection.reason) for rejection in reading.rejections]


def refusal(read: Read, content: str | bytes, length_s: int | None = 3600) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(content, length_s=length_s)
    (violation,) = caught.value.violations
    assert violation.field == "file"
    assert "\n" not in violation.reason
    assert len(violation.reason) < 200
    return violation.reason


def iso(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat()


GOOD = f"{iso(START_S)},{OHLCV}\n"
