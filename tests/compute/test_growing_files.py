"""Later candles are added to a column file, and nobody gets those of another version of the data."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from struct import pack
from threading import Event

import pytest

from backcast_engine.breaks import Break
from backcast_engine.candles import Candles
from backcast_engine.history import PartialCandles
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.fetched import FetchedHistory
from services.compute.candles.file_header import HEADER_WORDS
from services.compute.candles.location import DataVersion
from services.compute.candles.stored import NO_PARTIAL, StoredCandles
from tests.candle_making import random_candles

from .column_files import CLOSE, HOUR, names
from .test_column_files import BREAKS, PARTIAL

CANDLES = random_candles(1, 2000)
FIRST = 1000


def write(
    files: ColumnFiles,
    fingerprint: str,
    count: int,
    unchanged: int | None = None,
    candles: Candles = CANDLES,
    breaks: tuple[Break, ...] = BREAKS,
    partial: PartialCandles = PARTIAL,
    columns: tuple[str, ...] = ("open", "close"),
) -> StoredCandles:
    """Write a version of so many candles, of which only those after the unchanged ones came."""
    data = DataVersion("AUSDT", fingerprint)
    (missing,) = files.missing([data], HOUR, columns)
    unchanged_before_s = None if unchanged is None else int(CANDLES.open_time_s[unchanged])
    came = candles[unchanged or 0 : count]
    fetched = FetchedHistory("AUSDT", fingerprint, unchanged_before_s, [came[:1], came[1:]], breaks, partial)
    files.write(missing, HOUR, fetched)
    return files.stored(data, HOUR, columns)


def room_of(stored: StoredCandles) -> int:
    header = stored.header()
    assert header
    return header.room


def inode(stored: StoredCandles) -> int:
    return Path(stored.path).stat().st_ino


@pytest.fixture
def files(tmp_path: Path) -> ColumnFiles:
    return ColumnFiles(tmp_path / "columns", 1.0)


def has(stored: StoredCandles, candles: Candles) -> None:
    history = stored.map()
    found = history.candles
    assert [found.open_time_s.tobytes(), found.open.tobytes(), found.close.tobytes()] == [
        candles.open_time_s.tobytes(),
        candles.open.tobytes(),
        candles.close.tobytes(),
    ]
    assert history.breaks == BREAKS
    assert history.partial.hours.tolist() == PARTIAL.hours.tolist()


def test_later_candles_are_added_to_the_file_of_the_older_version(files: ColumnFiles) -> None:
    old = write(files, "1", FIRST)
    mapped, file = old.map().candles, inode(old)
    count = FIRST
    for fingerprint, added in (("2", 1), ("3", 30), ("4", 0), ("5", 2)):
        new = write(files, fingerprint, count + added, count)
        count += added
        assert inode(new) == file
        assert new.use()
        has(new, CANDLES[:count])
        assert names(new.folder) == {new.name}
    assert mapped.close.tobytes() == CANDLES.close[:FIRST].tobytes()
    assert not old.use()


def test_a_file_that_is_full_is_written_anew_with_more_room(files: ColumnFiles) -> None:
    old = write(files, "1", FIRST)
    room, file = room_of(old), inode(old)
    full = write(files, "2", room, FIRST)
    assert inode(full) == file
    has(full, CANDLES[:room])
    more = write(files, "3", room + 1, room)
    assert inode(more) != file
    has(more, CANDLES[: room + 1])
    assert room_of(more) > room + 1


@pytest.mark.parametrize("change", ["corrected", "breaks", "no breaks", "partial"])
def test_a_file_whose_contents_changed_is_written_anew(files: ColumnFiles, change: str) -> None:
    old = write(files, "1", FIRST)
    mapped, file = old.map(), inode(old)
    other = random_candles(2, 2000)
    breaks = {"breaks": (replace(BREAKS[0], open=7.0), BREAKS[1]), "no breaks": ()}.get(change, BREAKS)
    partial = NO_PARTIAL if change == "partial" else PARTIAL
    unchanged = FIRST - 1 if change == "corrected" else FIRST
    new = write(files, "2", FIRST + 1, unchanged, other, breaks, partial)
    assert inode(new) != file
    history = new.map()
    assert history.candles.close.tolist() == [*CANDLES.close[:unchanged], *other.close[unchanged : FIRST + 1]]
    assert history.breaks == breaks
    assert history.partial.hours.tolist() == partial.hours.tolist()
    assert mapped.candles.close.tobytes() == CANDLES.close[:FIRST].tobytes()


def test_a_file_that_was_taken_over_is_no_longer_that_of_the_older_version(files: ColumnFiles) -> None:
    """A reader may have opened it before, under its older name."""
    old = write(files, "1", FIRST)
    new = write(files, "2", FIRST + 1, FIRST)
    os.link(new.path, old.path)
    assert not old.use()
    assert old.header() is None
    for read in (old.map, old.load):
        with pytest.raises(FileNotFoundError):
            read()
    has(new, CANDLES[: FIRST + 1])


@pytest.mark.parametrize("lost", ["the candles", "the header"])
def test_what_was_added_before_the_machine_was_started_again_does_not_count(
    files: ColumnFiles, lost: str
) -> None:
    """After a power cut, any page of the file may be as it was."""
    old = write(files, "1", FIRST)
    before = Path(old.path).read_bytes()[: 8 * HEADER_WORDS]
    new = write(files, "2", FIRST + 1, FIRST)
    with Path(new.path).open("r+b") as file:
        if lost == "the header":
            file.write(before)
        else:
            # The last number is the start of the machine.
            file.seek(8 * (HEADER_WORDS - 1))
            file.write(pack("<q", 12345))
    assert not new.use()
    with pytest.raises(FileNotFoundError):
        new.map()
    (missing,) = files.missing([DataVersion("AUSDT", "3")], HOUR, CLOSE)
    assert missing.older_fingerprint == ""
    has(write(files, "2", FIRST + 1), CANDLES[: FIRST + 1])


def test_a_file_that_nothing_was_added_to_counts_after_the_machine_was_started_again(
    files: ColumnFiles,
) -> None:
    header = write(files, "1", FIRST).header()
    assert header
    assert header.boot == 0


def test_readers_see_the_candles_of_their_version_whoever_adds_some(tmp_path: Path) -> None:
    """Two writers add to the same files, and take them from each other."""
    folder = tmp_path / "columns"
    turns = 300

    def write_all() -> None:
        files = ColumnFiles(folder, 1.0)
        for number in range(turns):
            (missing,) = files.missing([DataVersion("AUSDT", str(number))], HOUR, CLOSE)
            older = missing.older_fingerprint
            unchanged = FIRST + int(older) if older and int(older) < number else None
            since_s = None if unchanged is None else int(CANDLES.open_time_s[unchanged])
            later = [CANDLES[unchanged or 0 : FIRST + number]]
            with suppress(FileNotFoundError):
                files.write(missing, HOUR, FetchedHistory("AUSDT", str(number), since_s, later))

    def read() -> None:
        files = ColumnFiles(folder, 1.0)
        while not written.is_set():
            for path in list(folder.glob("*.series")):
                number = int(path.stem.rsplit("-", 1)[1])
                with suppress(FileNotFoundError):
                    found = files.stored(DataVersion("AUSDT", str(number)), HOUR, CLOSE).map().candles
                    assert found.close.tobytes() == CANDLES.close[: FIRST + number].tobytes()

    written = Event()
    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(read) for _ in range(2)]
        try:
            for writer in [threads.submit(write_all) for _ in range(2)]:
                writer.result()
        finally:
            written.set()
        for reader in readers:
            reader.result()
    assert names(folder)
