"""Column files that begin later than their crypto's history."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from backcast_engine.times import EARLIEST_S
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.fetched import FetchedHistory
from services.compute.candles.location import DataVersion
from tests.candle_making import random_candles
from tests.compute.column_files import CANDLES, CLOSE, HOUR, LATER_S, names, put


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


def test_a_short_history_without_candles_contains_no_earlier_candles(files: ColumnFiles) -> None:
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
