"""Rows of CSV files of candles."""

from pathlib import Path

HEADER = "timestamp,open,high,low,close,volume"


def write_rows(path: Path, *rows: str) -> Path:
    path.write_text("\n".join((HEADER, *rows)) + "\n")
    return path
