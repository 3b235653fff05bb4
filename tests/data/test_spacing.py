"""Files of candles that are not hourly are refused whole: row by row they would look right."""

from pathlib import Path

import pytest

from services.data.readers.detect import read_file
from services.shared.errors import InvalidInput
from services.shared.interval import Interval
from tests.candle_making import START_S

HEADER = "time,open,high,low,close,volume\n"


def written(folder: Path, times_s: list[int]) -> Path:
    file = folder / "AUSDT.csv"
    file.write_text(HEADER + "".join(f"{time_s},1,1,1,1,1\n" for time_s in times_s))
    return file


@pytest.mark.parametrize(
    ("step_s", "reason"),
    [
        (60, "most of its times are not on the 1h grid"),
        (900, "most of its times are not on the 1h grid"),
        (14_400, "4 × 1h apart"),
        (86_400, "24 × 1h apart"),
        (7 * 86_400, "168 × 1h apart"),
    ],
)
def test_other_intervals_are_refused(tmp_path: Path, step_s: int, reason: str) -> None:
    file = written(tmp_path, [START_S + step_s * number for number in range(200)])
    with pytest.raises(InvalidInput, match=reason):
        read_file(file, Interval.HOUR_1)


def test_a_real_daily_file_is_refused(market_data: Path) -> None:
    with pytest.raises(InvalidInput, match="24 × 1h apart"):
        read_file(market_data / "csv-1d" / "BTCUSDT.csv.gz", Interval.HOUR_1)


def test_hours_with_gaps_are_taken(tmp_path: Path) -> None:
    times = [START_S + 3600 * hour for hour in range(0, 400, 24)] + [START_S + 3600 * 401]
    assert len(read_file(written(tmp_path, times), Interval.HOUR_1).candles) == len(times)


def test_a_few_candles_may_be_far_apart(tmp_path: Path) -> None:
    file = written(tmp_path, [START_S + 86_400 * number for number in range(5)])
    assert len(read_file(file, Interval.HOUR_1).candles) == 5
