"""The folder of column files: whole files or none, never more than there may be, shared and deletable."""

import os

import numpy as np
import pytest

from backcast_engine.breaks import Break
from backcast_engine.candles import Candles
from backcast_engine.errors import NotFound
from backcast_engine.history import PartialCandles
from backcast_engine.interval import Interval
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.fetched import FetchedHistory
from services.compute.candles.location import DataVersion
from services.compute.candles.stored import NO_PARTIAL
from tests.candle_making import random_candles
from tests.compute.column_files import CANDLES, CLOSE, HOUR, LATER_S, SIZE, names, put

BREAKS = (Break(LATER_S, LATER_S + 3600, 1.5, 1_500.25), Break(LATER_S + 7200, LATER_S + 10_800, 0.1, 1e-300))


PARTIAL = PartialCandles(np.array([LATER_S, LATER_S + 3600]), np.array([3, 17]))


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
