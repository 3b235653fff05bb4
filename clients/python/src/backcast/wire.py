"""Results as messages whose columns are bytes: NumPy reads a column without a Python object per value.

On the wire, a packed list of numbers is a field of bytes. The messages here are those of the API, except that
the columns of curves are declared as the bytes that they are. Serialized, both are the same.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from backcast.gateway.v1 import run_service_pb2

Floats = np.ndarray[Any, np.dtype[np.float64]]
Integers = np.ndarray[Any, np.dtype[np.int64]]

# Messages that only have columns, by the file that each is in.
_CURVES = {
    "backcast/backtest/v1/result.proto": "EquityCurve",
    "backcast/backtest/v1/portfolio.proto": "PortfolioCurve",
}


@cache
def message_class(full_name: str) -> Any:
    """Return the class of a message of the API, by its full name."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(full_name))


@cache
def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    for file in _with_imports(run_service_pb2.DESCRIPTOR, set()):
        proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(proto)
        if file.name in _CURVES:
            (curve,) = (message for message in proto.message_type if message.name == _CURVES[file.name])
            for column in curve.field:
                # Repeated, as a message may have several pieces of a packed list.
                column.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
        pool.Add(proto)
    return pool


def _with_imports(file: FileDescriptor, seen: set[str]) -> Iterator[FileDescriptor]:
    if file.name not in seen:
        seen.add(file.name)
        for imported in file.dependencies:
            yield from _with_imports(imported, seen)
        yield file


def doubles(pieces: Sequence[bytes]) -> Floats:
    """Return the numbers of packed doubles; no copy is made of a single piece."""
    parts = [np.frombuffer(piece, "<f8") for piece in pieces]
    numbers: Floats = joined(parts, np.float64)
    return numbers


def integers(pieces: Sequence[bytes]) -> Integers:
    """Return the numbers of packed varints; they are read-only, as other columns may share them."""
    numbers: Integers = joined([_decoded(piece) for piece in pieces], np.int64)
    return numbers


def joined(arrays: Sequence[Any], dtype: Any) -> Any:
    """Return the arrays one after the other; a single one is not copied."""
    if len(arrays) == 1:
        return arrays[0]
    return np.concatenate(arrays) if arrays else np.empty(0, dtype)


# The length of times from 1978 to 3058 as varints, and the top bits of such a varint, little-endian.
_TIME_BYTES, _TOP_BITS, _TOP_BITS_OF_TIME = 5, np.uint64(0x80_80_80_80_80), np.uint64(0x00_80_80_80_80)


# The last column and its numbers: most cryptos of a run have the same times.
_last_decoded: tuple[bytes, Integers] = b"", np.empty(0, np.int64)


def _decoded(piece: bytes) -> Integers:
    global _last_decoded  # noqa: PLW0603  # replaced in one step, so that threads do no harm
    last, numbers = _last_decoded
    if piece != last:
        numbers = _varints(piece)
        numbers.flags.writeable = False
        _last_decoded = piece, numbers
    return numbers


def _varints(piece: bytes) -> Integers:
    """Decode varints: 7 bits a byte, lowest first; only the last byte of a number has no top bit."""
    raw = np.frombuffer(piece, np.uint8)
    if raw.size % _TIME_BYTES == 0:
        padded = np.zeros((raw.size // _TIME_BYTES, 8), np.uint8)
        padded[:, :_TIME_BYTES] = raw.reshape(-1, _TIME_BYTES)
        numbers = padded.view("<u8").reshape(-1)
        if ((numbers & _TOP_BITS) == _TOP_BITS_OF_TIME).all():
            return _without_top_bits(numbers, _TIME_BYTES)
    ends = np.flatnonzero(raw < 0x80)
    starts = np.concatenate(([0], ends[:-1] + 1))[: ends.size]
    lengths = ends - starts + 1
    numbers = np.zeros(ends.size, np.uint64)
    for place in range(int(lengths.max(initial=0))):
        has_more = lengths > place
        digits = (raw[starts[has_more] + place] & np.uint8(0x7F)).astype(np.uint64)
        numbers[has_more] |= digits << np.uint64(7 * place)
    return numbers.view(np.int64)


def _without_top_bits(numbers: Any, byte_count: int) -> Integers:
    """Return the numbers whose bytes have 7 bits each."""
    result = numbers & np.uint64(0x7F)
    for place in range(1, byte_count):
        result |= (numbers >> np.uint64(place)) & np.uint64(0x7F << 7 * place)
    times: Integers = result.view(np.int64)
    return times
