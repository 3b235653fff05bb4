"""Files in folders of candles that hold none."""

from pathlib import Path

import pytest

from services.ingest.files.other_files import is_no_candle_file

ROW = "2024-01-31 13:00,1,2,0.5,1.5,10"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README", ROW),
        ("ReadMe.txt", ROW),
        ("LICENSE", ""),
        ("notes.md", ROW),
        ("BTCUSDT.csv.checksum", ""),
        ("notes.txt", "Bought on 2024-01-31 by mistake.\n\nSee https://example.com\n"),
    ],
)
def test_a_file_of_prose_is_no_candle_file(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert is_no_candle_file(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("BTCUSDT.csv", "hello\nworld\n"),
        ("BTCUSDT", "hello\nworld\n"),
        ("readme BTCUSDT.csv", "hello\nworld\n"),
        ("BTCUSDT.txt", f"time,open,high,low,close,volume\n{ROW}\n"),
        ("BTCUSDT.txt", f"a line about the site\n{ROW}\n"),
        ("BTCUSDT.txt", "[\n[\n1706706000,\n1,\n2,\n0.5\n]\n]\n"),
        ("BTCUSDT.txt", "1706706000,1,2,0.5,1.5,10\n"),
        ("BTCUSDT.txt", ""),
    ],
)
def test_a_file_that_may_hold_candles_is_not_passed_over(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert not is_no_candle_file(tmp_path / name)


def test_a_file_that_is_not_text_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "BTCUSDT.txt").write_bytes(b"\xff\xfe\xfd")
    assert not is_no_candle_file(tmp_path / "BTCUSDT.txt")
