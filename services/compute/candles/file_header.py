"""The header of a column file: what the file holds, and of which version of the data.

A column file consists of little-endian words of 8 bytes. It begins with the eight numbers of the header
(int64). Then come the opening times (int64) and the columns (float64), each with room for later candles, then
of the breaks `before_s`, `after_s`, `close` and `open`, then `open_time_s` and `hours` of the partial candles
(float64 where these are prices, else int64).

A file appears in one step, and its candles never change. A newer version of the data that has only later
candles takes the file over, and adds them (`StoredCandles.grow`). So the header names the version: a reader
may have opened the file by its older name. Candles that were added count only until the machine is started
again: after a power cut, some of what was added may be missing.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Self

from backcast_engine.candles import VALUE_COLUMNS

_LAYOUT = Struct("<8q")
HEADER_WORDS = _LAYOUT.size // 8
# The `boot` of a file to which nothing was added.
_WRITTEN_AT_ONCE = 0


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What a file holds: its columns besides the time, of all candles that open from `since_s` on.

    `version` is the `version_number` of the data's fingerprint, `room` the number of candles that fit into
    the file. `boot` is the start of the machine since which candles were added to it, 0 where none were.
    """

    version: int
    candle_count: int
    room: int
    since_s: int
    columns: tuple[str, ...]
    break_count: int
    partial_count: int
    boot: int = _WRITTEN_AT_ONCE

    @classmethod
    def of(cls, start: bytes) -> Self:
        """Return the header that a file begins with; raise ValueError where it is incomplete."""
        if len(start) < _LAYOUT.size:
            raise ValueError
        version, candle_count, room, since_s, bits, *others = _LAYOUT.unpack_from(start)
        columns = tuple(name for position, name in enumerate(VALUE_COLUMNS) if bits >> position & 1)
        return cls(version, candle_count, room, since_s, columns, *others)

    @classmethod
    def read(cls, file: int) -> Self:
        """Return the header of an open file; raise ValueError where it is incomplete."""
        return cls.of(os.pread(file, _LAYOUT.size, 0))

    @property
    def word_count(self) -> int:
        """The number of words of the whole file."""
        return self.first_word(1 + len(self.columns)) + 4 * self.break_count + 2 * self.partial_count

    def first_word(self, column: int) -> int:
        """Return where a column begins, in words: 0 is the time, and after the last come the breaks."""
        return HEADER_WORDS + column * self.room

    def packed(self) -> bytes:
        """Return the bytes that a file begins with."""
        bits = sum(1 << VALUE_COLUMNS.index(name) for name in self.columns)
        counts = self.candle_count, self.room, self.since_s, bits, self.break_count, self.partial_count
        return _LAYOUT.pack(self.version, *counts, self.boot)

    def has(self, columns: Sequence[str], since_s: int) -> bool:
        """Return whether the file holds these columns of all candles from `since_s` on."""
        return self.since_s <= since_s and all(name in self.columns for name in columns)

    def is_of(self, fingerprint: str) -> bool:
        """Return whether the file has the candles of this version."""
        return self.version == version_number(fingerprint) and self.boot in (_WRITTEN_AT_ONCE, this_boot())

    def grown(self, fingerprint: str, added: int, since_s: int) -> Self:
        """Return the header after so many candles were added, which make it a file of another version."""
        return replace(
            self,
            version=version_number(fingerprint),
            candle_count=self.candle_count + added,
            since_s=since_s,
            boot=this_boot(),
        )


def version_number(fingerprint: str) -> int:
    """Return a number that identifies a fingerprint: the chance that another has it is 2^-64."""
    return _number(fingerprint.encode())


@cache
def this_boot() -> int:
    """Return a number that identifies this start of the machine; 0 where the system does not name it."""
    try:
        return _number(Path("/proc/sys/kernel/random/boot_id").read_bytes())
    except OSError:
        return _WRITTEN_AT_ONCE


def _number(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little", signed=True)
