"""A worker keeps histories mapped, and notices what happens to their files."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from backcast_engine.history import History
from backcast_engine.interval import Interval
from services.compute.candles.fetched import FetchedHistory
from services.compute.candles.kept_histories import KeptHistories, MappedHistory
from services.compute.candles.location import DataVersion
from services.compute.candles.stored import StoredCandles
from tests.candle_making import random_candles

COLUMNS = ("open", "close")


class Keeper:
    """Kept histories, and how many were mapped."""

    def __init__(self, folder: Path, most_files: int = 100) -> None:
        self._folder = folder
        self._kept = KeptHistories(most_files)
        self.mapped = 0

    def stored(self, symbol: str, fingerprint: str = "1") -> StoredCandles:
        return StoredCandles(self._folder, DataVersion(symbol, fingerprint), Interval.HOUR_1, COLUMNS)

    def write(self, symbol: str, fingerprint: str = "1", seed: int = 1) -> None:
        self.stored(symbol, fingerprint).write([random_candles(seed, 1000)])

    def history(self, symbol: str, fingerprint: str = "1") -> History:
        stored = self.stored(symbol, fingerprint)

        def map_file(words: NDArray[np.int64] | None) -> MappedHistory:
            self.mapped += words is None
            return stored.mapped(words)

        return self._kept.history(symbol, stored.path, map_file)


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path / "columns")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_history_is_mapped_once(keeper: Keeper) -> None:
    keeper.write("A")
    first = keeper.history("A")
    # Using a file changes its times.
    assert keeper.stored("A").use()
    assert keeper.history("A") is first
    assert keeper.mapped == 1


def test_another_version_takes_the_place_of_the_one_before(keeper: Keeper) -> None:
    keeper.write("A", "1", seed=1)
    keeper.write("A", "2", seed=2)
    before = open_files()
    keeper.history("A", "1")
    kept = open_files()
    assert keeper.history("A", "2").candles.close.tolist() == random_candles(2, 1000).close.tolist()
    assert keeper.history("A", "1").candles.close.tolist() == random_candles(1, 1000).close.tolist()
    assert (keeper.mapped, open_files(), kept - before) == (3, kept, 1)


def test_a_worker_keeps_what_it_loads_whatever_columns_it_reads(keeper: Keeper) -> None:
    keeper.write("A")
    _, history = keeper.stored("A").load()
    mapped = open_files()
    assert replace(keeper.stored("A"), columns=("close",)).load()[1] is history
    assert open_files() == mapped
    with pytest.raises(FileNotFoundError):
        replace(keeper.stored("A"), columns=("high", "close")).load()
    assert keeper.stored("A").load()[1] is history


def test_a_file_that_was_deleted_is_noticed(keeper: Keeper) -> None:
    keeper.write("A")
    before = open_files()
    keeper.history("A")
    keeper.stored("A").delete()
    with pytest.raises(FileNotFoundError):
        keeper.history("A")
    # And it takes no space any more.
    assert open_files() == before


def test_a_folder_that_was_deleted_and_written_anew_is_noticed(keeper: Keeper, tmp_path: Path) -> None:
    keeper.write("A", seed=1)
    keeper.history("A")
    shutil.rmtree(tmp_path / "columns")
    with pytest.raises(FileNotFoundError):
        keeper.history("A")
    keeper.write("A", seed=2)
    assert keeper.history("A").candles.close.tolist() == random_candles(2, 1000).close.tolist()


def test_a_file_that_was_replaced_is_mapped_anew(keeper: Keeper) -> None:
    keeper.write("A", seed=1)
    keeper.history("A")
    keeper.write("A", seed=2)
    assert keeper.history("A").candles.close.tolist() == random_candles(2, 1000).close.tolist()


def test_files_that_have_grown_are_not_mapped_anew(keeper: Keeper) -> None:
    candles = random_candles(1, 1_010)
    for symbol in "ABC":
        keeper.stored(symbol, "1").write([candles[:1_000]])
    before = [keeper.history(symbol, "1") for symbol in "ABC"]
    files = open_files()
    fetched = FetchedHistory("A", "2", int(candles.open_time_s[1_000]), [candles[1_000:]])
    for symbol in "ABC":
        assert keeper.stored(symbol, "1").grow(DataVersion(symbol, "2"), replace(fetched, symbol=symbol))
    after = [keeper.history(symbol, "2") for symbol in "ABC"]
    assert [each.candles.close.tolist() for each in after] == 3 * [candles.close.tolist()]
    assert [len(each.candles) for each in before] == 3 * [1_000]
    assert (keeper.mapped, open_files()) == (3, files)
    with pytest.raises(FileNotFoundError):
        keeper.history("A", "1")


def test_a_file_that_was_truncated_is_as_good_as_none(keeper: Keeper) -> None:
    keeper.write("A")
    keeper.history("A")
    os.truncate(keeper.stored("A").path, 800)
    with pytest.raises(FileNotFoundError):
        keeper.history("A")
    assert not keeper.stored("A").use()


def test_above_the_limit_the_least_recently_used_are_dropped(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, most_files=2)
    for symbol in "ABC":
        keeper.write(symbol)
    before = open_files()
    for symbol in "ABA":
        keeper.history(symbol)
    assert keeper.mapped == 2
    keeper.history("C")
    assert open_files() - before == 2
    keeper.history("A")
    assert keeper.mapped == 3
    keeper.history("B")
    assert keeper.mapped == 4
    assert open_files() - before == 2


def test_the_oldest_that_were_deleted_to_make_room_are_dropped(keeper: Keeper) -> None:
    for symbol in "ABC":
        keeper.write(symbol)
    for symbol in "AB":
        keeper.history(symbol)
    before = open_files()
    keeper.stored("A").delete()
    keeper.history("C")
    # C took the place of A.
    assert open_files() == before
    keeper.history("B")
    assert keeper.mapped == 3
