"""The report on an imported file, in sentences: what was written, what was left out and why, and breaks."""

from collections.abc import Iterator, Sequence

import numpy as np

from backcast.marketdata.v1.market_data_service_pb2 import ImportCandlesResponse
from backcast_engine.breaks import Break
from backcast_engine.interval import Interval
from backcast_engine.times import utc
from services.domain.conflict_rule import ConflictRule
from services.domain.counted import counted
from services.ingest.columns.time_column import ACCEPTED
from services.ingest.report import FileReading
from services.wire.breaks import break_from

_MINUTES = {1: "one", 2: "two", 3: "three", 5: "five", 10: "ten", 15: "fifteen", 30: "thirty"}


def count_without_volume(reading: FileReading) -> int:
    """Return the number of a file's candles that have no volume."""
    return int(np.count_nonzero(reading.candles.volume == 0))


def found_breaks(counts: ImportCandlesResponse) -> Sequence[Break]:
    """Return the breaks that an import found."""
    return list(map(break_from, counts.breaks))


def report_line(
    symbol: str, reading: FileReading, counts: ImportCandlesResponse, on_conflict: ConflictRule
) -> str:
    """Return a summary of the import of a file in one line; counts of zero are left out."""
    parts = [
        *_written(counts),
        *_aggregated(reading),
        *_left_out(reading, on_conflict),
        *([f"{volumeless:,} without volume"] if (volumeless := count_without_volume(reading)) else []),
        *([counted(len(counts.breaks), "break")] if counts.breaks else []),
    ]
    return f"{symbol}: {', '.join(parts)}"


def notes(
    reading: FileReading, counts: ImportCandlesResponse, most_rejections: int | None = None
) -> list[str]:
    """Return a line for each break and each rejected row; of these, at most `most_rejections`."""
    return [*map(break_line, found_breaks(counts)), *_rejected(reading, most_rejections)]


def break_line(each: Break) -> str:
    """Return a sentence about a break."""
    return f"break: {each.close:,.8g} until {utc(each.before_s)}, {each.open:,.8g} from {utc(each.after_s)}"


def _written(counts: ImportCandlesResponse) -> Iterator[str]:
    if not counts.inserted and not counts.corrected:
        yield "nothing written"
    if counts.inserted:
        yield f"{counts.inserted:,} written"
    if counts.corrected:
        yield f"{counts.corrected:,} corrected"
    if counts.unchanged:
        yield f"{counts.unchanged:,} unchanged"
    if counts.kept:
        yield f"{counts.kept:,} differ: the stored ones were kept"


def _aggregated(reading: FileReading) -> Iterator[str]:
    """Yield a phrase if the file's candles were aggregated to hours."""
    if reading.length_s < Interval.HOUR_1.seconds and len(reading.candles):
        shorter = len(reading.candles) * (Interval.HOUR_1.seconds // reading.length_s)
        hours = counted(len(reading.candles), "hour")
        yield f"{shorter:,} {_length_in_words(reading.length_s)} candles became {hours}"


def _length_in_words(length_s: int) -> str:
    minutes, seconds = divmod(length_s, 60)
    return f"{length_s}-second" if seconds else f"{_MINUTES.get(minutes, str(minutes))}-minute"


def _left_out(reading: FileReading, on_conflict: ConflictRule) -> Iterator[str]:
    if reading.rejected > reading.conflicts:
        yield f"{reading.rejected - reading.conflicts:,} rejected"
    if reading.duplicates:
        yield f"{reading.duplicates:,} repeated"
    if reading.conflicts:
        taken = "first" if on_conflict is ConflictRule.KEEP else "last"
        yield f"{counted(reading.conflicts, 'row')} in conflict with another (the {taken} one was taken)"
    if reading.still_open:
        yield f"{counted(reading.still_open, 'candle')} left out as not closed yet"
    if reading.incomplete:
        yield f"{counted(reading.incomplete, 'hour')} left out as incomplete"
    if reading.with_jump:
        within = "it" if reading.with_jump == 1 else "them"
        yield (
            f"{counted(reading.with_jump, 'hour')} left out: "
            f"the price jumps by a factor of 10 or more within {within}"
        )


def _rejected(reading: FileReading, most: int | None) -> Iterator[str]:
    shown = reading.rejections[:most]
    for rejection in shown:
        values = f" ({rejection.values})" if rejection.values else ""
        yield f"{reading.row_name} {rejection.line}: {rejection.reason}{values}"
    if any(rejection.reason.endswith("not a time") for rejection in shown):
        yield f"times are read like {ACCEPTED}"
    if reading.rejected > len(shown):
        yield f"… and {reading.rejected - len(shown):,} more"
