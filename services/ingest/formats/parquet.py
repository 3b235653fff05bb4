"""Parquet: columns named as in CSV headers, of any types for times and numbers."""

from collections.abc import Iterator
from typing import IO

import pyarrow.parquet as pq

from services.ingest.candle_rows import CandleRows
from services.ingest.columns.names import GivenNames
from services.ingest.formats.table_columns import read_batches, readable_breakage, wanted_columns

NAME = "parquet"

_MAGIC = b"PAR1"
_BATCH_ROWS = 65_536
# Bytes of each column in memory, instead of a whole row group.
_BUFFER_BYTES = 2**20


def sniff(magic: bytes) -> bool:
    """Return whether these first bytes are Parquet's."""
    return magic.startswith(_MAGIC)


def read(content: IO[bytes], given: GivenNames) -> Iterator[CandleRows]:
    """Yield the rows; raises InvalidInput if the file is broken, or a column is missing or unusable."""
    with readable_breakage("Parquet"), pq.ParquetFile(content, buffer_size=_BUFFER_BYTES) as file:
        schema = file.schema_arrow
        columns = wanted_columns(schema, given)
        names = [schema.names[position] for position in columns.picked()]
        batches = file.iter_batches(_BATCH_ROWS, columns=names, use_threads=False)
        yield from read_batches(([batch.column(name) for name in names] for batch in batches), columns)
