"""Arrow files, also called feather: columns named as in CSV headers, of any types."""

from collections.abc import Iterator, Sequence
from typing import IO

import pyarrow as pa

from services.ingest.candle_rows import CandleRows
from services.ingest.columns.names import GivenNames
from services.ingest.formats.table_columns import read_batches, readable_breakage, wanted_columns

NAME = "arrow"

_MAGIC = b"ARROW1"


def sniff(magic: bytes) -> bool:
    """Return whether these first bytes are those of Arrow's file format."""
    return magic.startswith(_MAGIC)


def read(content: IO[bytes], given: GivenNames) -> Iterator[CandleRows]:
    """Yield the rows; raises InvalidInput if the file is broken, or a column missing or of no use."""
    with readable_breakage("Arrow"), pa.PythonFile(content, "r") as file:
        columns = wanted_columns(pa.ipc.open_file(file).schema, given)
        wanted = columns.picked()
        options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=list(wanted))
        yield from read_batches(_batches(pa.ipc.open_file(file, options=options), wanted), columns)


def _batches(reader: pa.ipc.RecordBatchFileReader, wanted: Sequence[int]) -> Iterator[Sequence[pa.Array]]:
    # What is included comes in the order of the file.
    order = [sorted(wanted).index(position) for position in wanted]
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        # Arrow does not check what it reads: a damaged text column could point anywhere.
        batch.validate(full=True)
        yield [batch.column(position) for position in order]
