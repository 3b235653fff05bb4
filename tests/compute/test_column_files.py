"""The folder of column files: whole files or none, never more than there may be, shared and deletable."""

import os
import resource
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Event
from uuid import uuid4

import numpy as np
import pytest

from backcast_engine.breaks import Break
from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.errors import NotFound
from backcast_engine.history import PartialCandles
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.fetched import FetchedHistory
from services.compute.candles.file_header import HEADER_WORDS
from services.compute.candles.location import DataVersion
from services.compute.candles.stored import NO_PARTIAL, UNFINISHED, StoredCandles
from services.domain.errors import Unavailable
from tests.candle_making import random_candles

HOUR = Interval.HOUR_1
CANDLES = random_candles(1, 1000)
LATER_S = int(CANDLES.open_time_s[700])
CLOSE = ("close",)
# Of the file with the times and one column of CANDLES, in bytes: with room for later candles.
SIZE = 8 * (HEADER_WORDS + 2 * (1000 + 1000 // 16 + 24))
BREAKS = (Break(LATER_S, LATER_S + 3600, 1.5, 1_500.25), Break(LATER_S + 7200, LATER_S + 10_800, 0.1, 1e-300))
PARTIAL = PartialCandles(np.array([LATER_S, LATER_S + 3600]), np.array([3, 17]))


@pytest.fixture
def files(tmp_path: Path) -> ColumnFiles:
    return ColumnFiles(tmp_path / "columns", 1.0)


def put(
    files: ColumnFiles,
    symbol: str,
    fingerprint: str,
    columns: tuple[str, ...] = CLOSE,
    candles: Candles = CANDLES,
    unchanged_before_s: int | None = None,
    breaks: tuple[Break, ...] = (),
    partial: PartialCandles = NO_PARTIAL,
    since_s: int = EARLIEST_S,
) -> StoredCandles:
    """Write what a run that misses these columns since then would have fetched."""
    data = DataVersion(symbol, fingerprint)
    (missing,) = files.missing([data], HOUR, columns, since_s)
    candles = candles[int(candles.open_time_s.searchsorted(missing.since_s)) :]
    blocks = [candles[:600], candles[600:]]
    fetched = FetchedHistory(
        symbol, fingerprint, unchanged_before_s, blocks, breaks, partial, missing.since_s
    )
    files.write(missing, HOUR, fetched)
    return files.stored(data, HOUR, columns, since_s)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def age(stored: StoredCandles, seconds: int) -> None:
    os.utime(stored.path, (time.time() - seconds,) * 2)


def test_what_is_written_is_mapped_bit_by_bit_and_read_only(files: ColumnFiles) -> None:
    mapped = put(files, "AUSDT", "1", ("open", "close")).map().candles
    np.testing.assert_array_equal(mapped.open_time_s, CANDLES.open_time_s)
    assert (mapped.open.tobytes(), mapped.close.tobytes()) == (
        CANDLES.open.tobytes(),
        CANDLES.close.tobytes(),
    )
    assert [len(getattr(mapped, name)) for name in ("high", "low", "volume")] == [0, 0, 0]
    assert not mapped.close.flags.writeable


def assert_same_partial(found: PartialCandles, expected: PartialCandles) -> None:
    assert found.open_time_s.tolist() == expected.open_time_s.tolist()
    assert found.hours.tolist() == expected.hours.tolist()


@pytest.mark.parametrize("breaks", [(), BREAKS[:1], BREAKS])
@pytest.mark.parametrize("partial", [NO_PARTIAL, PARTIAL], ids=["none", "two"])
def test_breaks_and_partial_candles_are_kept_with_the_times(
    files: ColumnFiles, breaks: tuple[Break, ...], partial: PartialCandles
) -> None:
    data, found = put(files, "AUSDT", "1", breaks=breaks, partial=partial).load()
    assert (data, found.breaks) == (DataVersion("AUSDT", "1"), breaks)
    assert_same_partial(found.partial, partial)
    assert found.candles.open_time_s.tobytes() == CANDLES.open_time_s.tobytes()
    assert found.candles.close.tobytes() == CANDLES.close.tobytes()


def test_breaks_and_partial_candles_are_those_of_the_newer_data(files: ColumnFiles) -> None:
    put(files, "AUSDT", "1", breaks=BREAKS, partial=PARTIAL)
    new = random_candles(2, 1200)[700:]
    _, found = put(files, "AUSDT", "2", CLOSE, new, LATER_S, BREAKS[1:], NO_PARTIAL).load()
    assert found.breaks == BREAKS[1:]
    assert_same_partial(found.partial, NO_PARTIAL)
    assert len(found.candles) == 1200


def test_files_of_an_earlier_version_are_not_used_though_the_fingerprint_is_the_same(
    files: ColumnFiles,
) -> None:
    stored = put(files, "AUSDT", "1")
    # As it was: a file for each column.
    for column in ("history", "close"):
        stored.folder.joinpath(f"AUSDT-1h-1.{column}").write_bytes(
            np.array([1000, *CANDLES.open_time_s]).tobytes()
        )
    stored.delete()
    assert not stored.use()
    for fingerprint in ("1", "2"):
        (missing,) = files.missing([DataVersion("AUSDT", fingerprint)], HOUR, CLOSE)
        assert (missing.columns, missing.older_fingerprint) == (CLOSE, "")
    files.tidy()
    assert names(stored.folder) == set()


def test_only_what_is_missing_is_asked_for(files: ColumnFiles) -> None:
    data = DataVersion("AUSDT", "1")
    put(files, "AUSDT", "1", ("open", "close"))
    (missing,) = files.missing([data], HOUR, ("high", "close"))
    assert (missing.columns, missing.older_fingerprint) == (("high",), "")
    (missing,) = files.missing([DataVersion("AUSDT", "2")], HOUR, ("close",))
    assert (missing.columns, missing.older_fingerprint) == (("open", "close"), "1")
    for other in (DataVersion("AUSDT2", "1"), DataVersion("A", "1")):
        (missing,) = files.missing([other], HOUR, ("close",))
        assert missing.older_fingerprint == ""
    (missing,) = files.missing([DataVersion("AUSDT", "2")], Interval.DAY_1, ("close",))
    assert missing.older_fingerprint == ""


def test_new_columns_are_the_older_ones_as_far_as_they_stay_and_what_came(files: ColumnFiles) -> None:
    old = put(files, "AUSDT", "1")
    new = random_candles(2, 1200)[700:]
    mapped = put(files, "AUSDT", "2", CLOSE, new, LATER_S).map().candles
    assert mapped.close.tolist() == [*CANDLES.close[:700].tolist(), *new.close.tolist()]
    assert mapped.open_time_s.tolist() == random_candles(2, 1200).open_time_s.tolist()
    assert not old.use()


def test_whoever_has_superseded_columns_mapped_keeps_them(files: ColumnFiles) -> None:
    mapped = put(files, "AUSDT", "1").map().candles
    new = put(files, "AUSDT", "2", CLOSE, random_candles(2, 1000))
    np.testing.assert_array_equal(mapped.close, CANDLES.close)
    assert names(new.folder) == {"AUSDT-1h-2.series"}


def test_other_cryptos_and_intervals_are_not_superseded(files: ColumnFiles) -> None:
    others = [put(files, symbol, "1") for symbol in ("BUSDT", "AUSDT2", "A")]
    put(files, "AUSDT", "1")
    put(files, "AUSDT", "2")
    assert all(other.use() for other in others)


def test_all_columns_that_older_data_has_are_brought_up_to_date(files: ColumnFiles) -> None:
    put(files, "AUSDT", "1", ("high", "close"))
    (missing,) = files.missing([DataVersion("AUSDT", "2")], HOUR, CLOSE)
    assert (missing.columns, missing.older_fingerprint) == (("high", "close"), "1")
    new = random_candles(2, 1000)
    put(files, "AUSDT", "2", CLOSE, new[700:], LATER_S)
    stored = files.stored(missing.data, HOUR, ("high", "close"))
    high = stored.map().candles.high
    assert high.tolist() == [*CANDLES.high[:700].tolist(), *new.high[700:].tolist()]
    assert names(stored.folder) == {"AUSDT-1h-2.series"}


def test_new_columns_join_those_of_the_same_data(files: ColumnFiles) -> None:
    put(files, "AUSDT", "1", ("high", "close"))
    put(files, "AUSDT", "1", ("open", "high"))
    mapped = files.stored(DataVersion("AUSDT", "1"), HOUR, ("open", "high", "close")).map().candles
    for column in ("open_time_s", "open", "high", "close"):
        assert getattr(mapped, column).tobytes() == getattr(CANDLES, column).tobytes()


def test_data_without_a_candle_is_not_found(files: ColumnFiles) -> None:
    with pytest.raises(NotFound, match="there are no candles"):
        put(files, "AUSDT", "1", CLOSE, Candles.empty())


@pytest.mark.parametrize("length", [0, 5, 8, 16, 40, 48, SIZE // 2 // 8 * 8, SIZE - 8, SIZE - 1, SIZE + 8])
def test_a_file_that_is_not_whole_is_as_good_as_none(files: ColumnFiles, length: int) -> None:
    stored = put(files, "AUSDT", "1")
    os.truncate(stored.path, length)
    with pytest.raises(FileNotFoundError):
        stored.map()
    assert names(stored.folder) == set()
    assert put(files, "AUSDT", "1").map().candles.close.tolist() == CANDLES.close.tolist()


def test_a_short_history_serves_whoever_needs_no_more(files: ColumnFiles) -> None:
    stored = put(files, "AUSDT", "1", since_s=LATER_S)
    data, found = stored.load()
    assert (data, found.since_s, found.is_whole) == (DataVersion("AUSDT", "1"), LATER_S, False)
    assert found.candles.close.tobytes() == CANDLES.close[700:].tobytes()
    for since_s in (LATER_S, LATER_S + 3600):
        assert files.stored(data, HOUR, CLOSE, since_s).use()
    for since_s in (LATER_S - 3600, EARLIEST_S):
        earlier = files.stored(data, HOUR, CLOSE, since_s)
        assert not earlier.use()
        # Though this process keeps it mapped.
        for read in (earlier.map, earlier.load):
            with pytest.raises(FileNotFoundError):
                read()
    assert stored.use()


def test_whoever_looks_further_back_gets_everything_with_the_columns_that_were_there(
    files: ColumnFiles,
) -> None:
    data = DataVersion("AUSDT", "1")
    short = put(files, "AUSDT", "1", ("high", "close"), since_s=LATER_S)
    mapped = short.map().candles
    earlier = files.stored(data, HOUR, ("open",), LATER_S - 3600)
    (missing,) = files.missing([data], HOUR, earlier.columns, earlier.since_s)
    assert (missing.columns, missing.since_s) == (("open", "high", "close"), EARLIEST_S)
    put(files, "AUSDT", "1", earlier.columns, since_s=earlier.since_s)
    assert earlier.map().is_whole
    assert earlier.map().candles.open.tobytes() == CANDLES.open.tobytes()
    assert short.map().candles.high.tobytes() == CANDLES.high.tobytes()
    assert names(short.folder) == {short.name}
    assert mapped.high.tobytes() == CANDLES.high[700:].tobytes()


@pytest.mark.parametrize(
    ("columns", "since_s", "looks_again"),
    [
        (("high", "close"), EARLIEST_S, False),
        (("high",), EARLIEST_S, True),
        (("high",), LATER_S + 3600, True),
    ],
    ids=["with everything", "with earlier candles", "with another column of fewer candles"],
)
def test_no_file_takes_the_place_of_one_that_has_more(
    files: ColumnFiles, columns: tuple[str, ...], since_s: int, looks_again: bool
) -> None:
    (missing,) = files.missing([DataVersion("AUSDT", "1")], HOUR, CLOSE, LATER_S)
    # Another process is faster.
    stored = put(files, "AUSDT", "1", columns, since_s=since_s)
    inode = Path(stored.path).stat().st_ino
    fetched = FetchedHistory("AUSDT", "1", None, [CANDLES[700:]], since_s=LATER_S)
    with pytest.raises(FileNotFoundError) if looks_again else nullcontext():
        files.write(missing, HOUR, fetched)
    assert Path(stored.path).stat().st_ino == inode
    assert stored.use()
    put(files, "AUSDT", "1", since_s=LATER_S)
    both = files.stored(missing.data, HOUR, ("high", "close"), min(since_s, LATER_S)).map().candles
    first = len(CANDLES) - len(both)
    for column in ("open_time_s", *("high", "close")):
        assert getattr(both, column).tobytes() == getattr(CANDLES, column)[first:].tobytes()


def test_a_short_history_without_candles_tells_nothing_of_the_candles_before(files: ColumnFiles) -> None:
    after_s = int(CANDLES.open_time_s[-1]) + 3600
    stored = put(files, "AUSDT", "1", ("open", "close"), since_s=after_s)
    assert stored.use()
    history = stored.map()
    assert (len(history.candles), history.is_whole) == (0, False)
    assert put(files, "AUSDT", "1").map().candles.close.tobytes() == CANDLES.close.tobytes()


def test_a_history_that_turns_out_to_be_whole_is_joined_all_the_same(files: ColumnFiles) -> None:
    put(files, "AUSDT", "1", candles=CANDLES[700:], since_s=LATER_S)
    stored = files.stored(DataVersion("AUSDT", "1"), HOUR, ("high", "close"), LATER_S)
    (missing,) = files.missing([stored.data], HOUR, stored.columns, stored.since_s)
    # An earlier data service did not say so.
    files.write(missing, HOUR, FetchedHistory("AUSDT", "1", None, [CANDLES[700:]]))
    assert stored.map().is_whole
    assert stored.map().candles.high.tobytes() == CANDLES.high[700:].tobytes()


def test_other_columns_of_a_short_history_are_fetched_since_it_begins(files: ColumnFiles) -> None:
    put(files, "AUSDT", "1", since_s=LATER_S)
    (missing,) = files.missing([DataVersion("AUSDT", "1")], HOUR, ("high", "close"), LATER_S + 7200)
    assert (missing.columns, missing.since_s) == (("high",), LATER_S)
    put(files, "AUSDT", "1", ("high", "close"), since_s=LATER_S + 7200)
    found = files.stored(missing.data, HOUR, ("high", "close"), LATER_S).map().candles
    assert found.high.tobytes() == CANDLES.high[700:].tobytes()
    assert found.close.tobytes() == CANDLES.close[700:].tobytes()


def test_a_short_history_of_older_data_is_built_upon_where_it_reaches_far_enough(files: ColumnFiles) -> None:
    put(files, "AUSDT", "1", since_s=LATER_S)
    new = DataVersion("AUSDT", "2")
    (missing,) = files.missing([new], HOUR, CLOSE, LATER_S - 3600)
    assert (missing.since_s, missing.older_fingerprint) == (LATER_S - 3600, "")
    (missing,) = files.missing([new], HOUR, CLOSE, LATER_S + 3600)
    assert (missing.since_s, missing.older_fingerprint) == (LATER_S, "1")
    more = random_candles(2, 1200)
    appended_s = int(CANDLES.open_time_s[900])
    files.write(missing, HOUR, FetchedHistory("AUSDT", "2", appended_s, [more[900:]], since_s=LATER_S))
    found = files.stored(new, HOUR, CLOSE, LATER_S).map()
    assert found.candles.open_time_s.tolist() == more.open_time_s[700:].tolist()
    assert found.candles.close.tolist() == [*CANDLES.close[700:900].tolist(), *more.close[900:].tolist()]
    assert names(files.stored(new, HOUR, CLOSE).folder) == {"AUSDT-1h-2.series"}


def test_older_data_that_was_extended_meanwhile_is_used_as_far_as_changes_were_fetched(
    files: ColumnFiles,
) -> None:
    put(files, "AUSDT", "1", since_s=LATER_S)
    new = DataVersion("AUSDT", "2")
    (missing,) = files.missing([new], HOUR, CLOSE, LATER_S)
    put(files, "AUSDT", "1")
    changed = random_candles(2, 1000)
    # Much has changed, of which only what was asked for came.
    files.write(
        missing,
        HOUR,
        FetchedHistory("AUSDT", "2", int(CANDLES.open_time_s[300]), [changed[700:]], since_s=LATER_S),
    )
    found = files.stored(new, HOUR, CLOSE, LATER_S).map()
    assert found.since_s == LATER_S
    assert found.candles.open_time_s.tolist() == CANDLES.open_time_s[700:].tolist()
    assert found.candles.close.tobytes() == changed.close[700:].tobytes()


def test_damaged_older_data_is_not_built_upon(files: ColumnFiles) -> None:
    old = put(files, "AUSDT", "1")
    os.truncate(old.path, SIZE // 2 // 8 * 8)
    with pytest.raises(FileNotFoundError):
        put(files, "AUSDT", "2", CLOSE, CANDLES[700:], LATER_S)
    (missing,) = files.missing([DataVersion("AUSDT", "2")], HOUR, CLOSE)
    assert missing.older_fingerprint == ""


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
