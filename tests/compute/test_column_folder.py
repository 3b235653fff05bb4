"""The folder of column files: its limit, what is deleted, and errors."""

import os
import resource
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from uuid import uuid4

import pytest

from backcast_engine.candles import VALUE_COLUMNS
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.location import DataVersion
from services.compute.candles.stored import UNFINISHED, StoredCandles
from services.domain.errors import Unavailable
from tests.candle_making import random_candles
from tests.compute.column_files import CANDLES, CLOSE, HOUR, SIZE, names, put


def age(stored: StoredCandles, seconds: int) -> None:
    os.utime(stored.path, (time.time() - seconds,) * 2)


def test_two_processes_share_a_folder_that_is_deleted_now_and_then(tmp_path: Path) -> None:
    """Readers see whole columns or none, whatever two writers and a deleter do."""
    folder = tmp_path / "columns"
    versions = {"1": CANDLES, "2": random_candles(2, 1000)}

    def write(seed: int) -> None:
        files = ColumnFiles(folder, 1.0)
        for turn in range(seed, seed + 150):
            fingerprint = str(turn % 2 + 1)
            with suppress(FileNotFoundError):
                put(files, "AUSDT", fingerprint, CLOSE, versions[fingerprint])

    def read() -> None:
        files = ColumnFiles(folder, 1.0)
        while not written.is_set():
            for fingerprint, candles in versions.items():
                with suppress(FileNotFoundError):
                    mapped = files.stored(DataVersion("AUSDT", fingerprint), HOUR, CLOSE).map().candles
                    assert mapped.close.tobytes() == candles.close.tobytes()

    def delete() -> None:
        while not written.is_set():
            shutil.rmtree(folder, ignore_errors=True)

    written = Event()
    with ThreadPoolExecutor(5) as threads:
        others = [threads.submit(read), threads.submit(read), threads.submit(delete)]
        try:
            for writer in [threads.submit(write, seed) for seed in (0, 1)]:
                writer.result()
        finally:
            written.set()
        for other in others:
            other.result()
    stored = put(ColumnFiles(folder, 1.0), "AUSDT", "3")
    assert stored.map().candles.close.tobytes() == CANDLES.close.tobytes()


def test_above_the_limit_the_least_recently_used_are_deleted(tmp_path: Path) -> None:
    files = ColumnFiles(tmp_path, 3 * SIZE / 1e9)
    stored = [put(files, f"{letter}USDT", "1") for letter in "ABCD"]
    for position, one in enumerate(stored):
        age(one, 100 - position)
    assert stored[0].use()
    files.tidy()
    assert [one.use() for one in stored] == [True, False, True, True]


def test_what_a_run_uses_is_not_deleted_for_want_of_space(tmp_path: Path) -> None:
    files = ColumnFiles(tmp_path, SIZE / 1e9)
    stored = [put(files, f"{letter}USDT", "1") for letter in "ABCD"]
    for position, one in enumerate(stored):
        age(one, 100 - position)
    files.tidy({one.name for one in stored[:2]})
    assert [one.use() for one in stored] == [True, True, False, False]


def test_a_folder_within_its_limit_keeps_everything(tmp_path: Path) -> None:
    files = ColumnFiles(tmp_path, 4 * SIZE / 1e9)
    stored = [put(files, f"{letter}USDT", "1") for letter in "ABCD"]
    files.tidy()
    assert all(one.use() for one in stored)


def test_leftovers_and_files_of_earlier_versions_are_swept_and_nothing_else(tmp_path: Path) -> None:
    files = ColumnFiles(tmp_path, 1.0)
    stored = put(files, "AUSDT", "1")
    abandoned, fresh, foreign = f".{uuid4()}{UNFINISHED}", f".{uuid4()}{UNFINISHED}", "notes.columns.txt"
    outdated = [f"AUSDT-1h-{uuid4()}.columns", f".{uuid4()}", "BUSDT-1d-1.open_time_s", "BUSDT-1d-1.close"]
    outdated.append("AUSDT-1h-1.history")
    for name in (abandoned, fresh, foreign, *outdated):
        (tmp_path / name).write_bytes(b"what was written so far")
    os.utime(tmp_path / abandoned, (time.time() - 3_700,) * 2)
    files.tidy()
    assert names(tmp_path) == {fresh, foreign, stored.name}


def test_there_need_not_be_a_folder(tmp_path: Path) -> None:
    files = ColumnFiles(tmp_path / "nowhere", 1.0)
    files.tidy()
    assert files.missing([DataVersion("AUSDT", "1")], HOUR, VALUE_COLUMNS)[0].columns == VALUE_COLUMNS


def test_a_folder_that_cannot_be_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files = ColumnFiles(tmp_path / "file" / "columns", 1.0)
    with pytest.raises(Unavailable, match=r"compute cannot keep candles in .*: Not a directory"):
        put(files, "AUSDT", "1")


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on the size of files stands for a full disk")
def test_a_disk_that_is_full_is_one_clear_error_and_leaves_nothing(
    files: ColumnFiles, tmp_path: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, limits[1]))
    try:
        with pytest.raises(Unavailable, match=r"compute cannot keep candles in .*: File too large"):
            put(files, "AUSDT", "1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(tmp_path / "columns") == set()
