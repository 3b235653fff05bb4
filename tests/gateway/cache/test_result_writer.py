"""New values are written several at a time, and long values as soon as there is a megabyte of them."""

from collections.abc import Collection, Mapping
from typing import Any, cast

from services.gateway.cache.result_writer import ResultWriter


class Puts:
    """In the place of the cache: how many values came at once."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    async def put(self, values: Mapping[str, bytes]) -> None:
        self.counts.append(len(values))


async def counts_of(lengths: Collection[int]) -> tuple[list[int], list[str]]:
    puts, written = Puts(), list[str]()
    writer = ResultWriter(cast("Any", puts), written.extend)
    # Not by the time that passes, which another test's load might make long.
    writer._written_at += 3_600
    for number, length in enumerate(lengths):
        await writer.add(str(number), bytes(length))
        writer._written_at += 3_600
    await writer.flush()
    return puts.counts, written


async def test_short_values_are_written_by_their_number() -> None:
    counts, written = await counts_of([100] * 70)
    assert counts == [32, 32, 6]
    assert written == [str(number) for number in range(70)]


async def test_long_values_are_not_held() -> None:
    assert await counts_of([400_000] * 7) == ([3, 3, 1], list("0123456"))
    assert (await counts_of([5_000_000, 10]))[0] == [1, 1]


async def test_nothing_is_written_of_nothing() -> None:
    assert await counts_of([]) == ([], [])
