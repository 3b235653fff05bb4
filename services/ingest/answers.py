"""Reads exchanges' answers with the readers of files, so that fetched candles are what imported ones are."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from backcast_engine.interval import Interval
from services.domain.conflict_rule import ConflictRule
from services.ingest.assembly import Assembly
from services.ingest.candle_rows import CandleRows, TextReading
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextRows
from services.ingest.identity.file_symbol import FileName


class AnswerFormat(Protocol):
    """The interface of modules for exchanges' answers: they yield all rows at once."""

    NAME: str

    def read(self, file: TextFile) -> Iterator[TextRows]:
        """Yield the rows; raises InvalidInput if the answer has none."""


def read_answer(answer_format: AnswerFormat, body: bytes) -> CandleRows:
    """Return the rows of an answer; raise InvalidInput, of the field `file`, if it cannot be read."""
    file = TextFile(Path("answer"), io.BytesIO(body), lambda: None, len(body))
    (rows,) = answer_format.read(file)
    return TextReading().candle_rows(rows)


def assembly_of_answers(symbol: str, now_s: int) -> Assembly:
    """Return what brings the rows of a crypto's hourly answers together, as those of a file are."""
    hour = Interval.HOUR_1
    nothing_said = FileName(None)
    return Assembly(hour, now_s, ConflictRule.REPLACE, "record", nothing_said, symbol, hour.seconds)
