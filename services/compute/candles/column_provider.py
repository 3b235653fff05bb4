"""Provides the columns that jobs read: from column files, and what is missing from the data service."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from itertools import chain

from backcast_engine.errors import BackcastError, ErrorReason
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S
from services.compute.candles.column_files import ColumnFiles, MissingColumns
from services.compute.candles.fetched import FetchedHistory
from services.compute.candles.location import DataVersion
from services.compute.candles.source import CandleSource
from services.compute.candles.stored import StoredCandles
from services.domain.errors import Unavailable

# A crypto's columns, or the error why there are none.
Columns = StoredCandles | BackcastError

# The version that a fetch brought, or its error; cancelled where the job that fetches is cancelled.
_Fetched = asyncio.Future[DataVersion | Exception]
_Key = tuple[Interval, DataVersion]

# How often in a row all that was fetched may be deleted before it is used.
_MOST_FETCHES = 3
# Responses whose histories wait for being written; a slow disk makes the data service wait.
_MOST_WAITING = 16


class ColumnProvider:
    """Finds columns in files, or fetches them: once for all jobs that wait for the same ones."""

    def __init__(self, files: ColumnFiles, source: CandleSource) -> None:
        self._files = files
        self._source = source
        self._under_way: dict[_Key, _Fetched] = {}
        # The names of the files that each job uses, by the set's id: they are not deleted to free space.
        self._in_use: dict[int, set[str]] = {}

    async def columns(
        self,
        cryptos: list[DataVersion],
        interval: Interval,
        columns: tuple[str, ...],
        since_s: int = EARLIEST_S,
    ) -> AsyncGenerator[list[tuple[DataVersion, Columns]]]:
        """Yield every crypto with its columns, in lists: those in files, then the fetched ones as they come.

        Candles that open before `since_s` (Unix seconds) may be missing.
        The version may be newer than the one that was asked for. While this iterator is open, its files are
        not deleted to free space; they are deleted where a newer version supersedes them.
        """
        in_use: set[str] = set()
        self._in_use[id(in_use)] = in_use
        look = partial(self._look, interval, columns, since_s, in_use)
        wanted, fetches = cryptos, 0
        try:
            while wanted:
                here, absent = await asyncio.to_thread(look, wanted)
                if here:
                    yield here
                if fetches == _MOST_FETCHES:
                    yield [(data, _changing_too_fast()) for data in absent]
                    return
                wanted = []
                if absent:
                    missing = await asyncio.to_thread(self._files.missing, absent, interval, columns, since_s)
                    # Waiting for another job's fetch, or fetching after it was cancelled, is no failure.
                    fetches += any((interval, item.data) not in self._under_way for item in missing)
                    async with aclosing(self._fetched(missing, interval, in_use)) as fetched:
                        async for group in fetched:
                            here, gone = await asyncio.to_thread(
                                look, [data for data, error in group if not error]
                            )
                            fetches = 0 if here else fetches
                            here += [(data, error) for data, error in group if error]
                            if here:
                                yield here
                            wanted += gone
        finally:
            del self._in_use[id(in_use)]

    def _look(
        self,
        interval: Interval,
        columns: tuple[str, ...],
        since_s: int,
        in_use: set[str],
        cryptos: list[DataVersion],
    ) -> tuple[list[tuple[DataVersion, Columns]], list[DataVersion]]:
        """Return the columns in files, which are in use now, and the cryptos of which some are missing."""
        here: list[tuple[DataVersion, Columns]] = []
        absent = []
        for data in cryptos:
            stored = self._files.stored(data, interval, columns, since_s)
            if stored.use():
                in_use.add(stored.name)
                here.append((data, stored))
            else:
                absent.append(data)
        return here, absent

    async def _fetched(
        self, missing: list[MissingColumns], interval: Interval, in_use: set[str]
    ) -> AsyncGenerator[list[tuple[DataVersion, BackcastError | None]]]:
        """Yield the versions of the columns as they come, fetched here or by another job, or their errors.

        Where another job was cancelled while it fetched, its versions are yielded without an error, and their
        files are missing.
        """
        ended: asyncio.Queue[tuple[DataVersion, _Fetched]] = asyncio.Queue()
        ours: dict[str, tuple[MissingColumns, _Fetched]] = {}
        for item in missing:
            key = interval, item.data
            future = self._under_way.get(key)
            if future is None:
                future = self._under_way[key] = asyncio.get_running_loop().create_future()
                future.add_done_callback(partial(self._forget, key))
                ours[item.data.symbol] = item, future
            future.add_done_callback(partial(_put, ended, item.data))
        # In a task of its own: other jobs wait for it too, and must not wait for the reader of this job.
        fetch = asyncio.create_task(self._fetch(ours, interval, in_use))
        # However the fetch ends, even cancelled before it begins, nobody waits for its futures any more.
        fetch.add_done_callback(lambda _: [future.cancel() for _, future in ours.values()])
        try:
            left = len(missing)
            while left:
                group = [await ended.get()]
                while not ended.empty():
                    group.append(ended.get_nowait())
                left -= len(group)
                yield [_version_or_error(data, future) for data, future in group]
        finally:
            if not all(future.done() for _, future in ours.values()):
                fetch.cancel()
            await asyncio.gather(fetch, return_exceptions=True)

    async def _fetch(
        self, ours: dict[str, tuple[MissingColumns, _Fetched]], interval: Interval, in_use: set[str]
    ) -> None:
        """Fetch columns; where that fails, every crypto that is still missing gets the error."""
        # One call for all cryptos that miss the same columns since the same time: most often one.
        calls: dict[tuple[tuple[str, ...], int], dict[str, str]] = defaultdict(dict)
        for symbol, (item, _) in ours.items():
            calls[item.columns, item.since_s][symbol] = item.older_fingerprint
        try:
            for (columns, since_s), known_fingerprints in calls.items():
                histories = self._source.histories(known_fingerprints, interval, columns, since_s)
                async with aclosing(_gathered(histories)) as groups:
                    async for group in groups:
                        await self._keep(group, ours, interval, in_use)
        except Exception as error:
            for _, future in ours.values():
                if not future.done():
                    future.set_result(error)
        if ours:
            await asyncio.to_thread(self._files.tidy, set().union(*self._in_use.values()))

    async def _keep(
        self,
        histories: list[FetchedHistory],
        ours: dict[str, tuple[MissingColumns, _Fetched]],
        interval: Interval,
        in_use: set[str],
    ) -> None:
        """Write histories to files, and give their versions to whoever waits for them."""
        for history in histories:
            data = DataVersion(history.symbol, history.fingerprint)
            in_use.add(self._files.stored(data, interval, ()).name)
        wanted = [ours[history.symbol] for history in histories]

        def write() -> list[DataVersion | BackcastError]:
            return [
                self._written(item, interval, history)
                for (item, _), history in zip(wanted, histories, strict=True)
            ]

        for (_, future), written in zip(wanted, await asyncio.to_thread(write), strict=True):
            future.set_result(written)

    def _written(
        self, item: MissingColumns, interval: Interval, history: FetchedHistory
    ) -> DataVersion | BackcastError:
        try:
            return self._files.write(item, interval, history)
        except FileNotFoundError:
            # The provider looks again, and for this version: the folder may have other columns of it.
            return DataVersion(history.symbol, history.fingerprint)
        except BackcastError as error:
            return error

    def _forget(self, key: _Key, _: _Fetched) -> None:
        del self._under_way[key]


def _version_or_error(data: DataVersion, future: _Fetched) -> tuple[DataVersion, BackcastError | None]:
    """Return what came of a crypto's fetch; raise what is not meant for people."""
    outcome = data if future.cancelled() else future.result()
    if isinstance(outcome, DataVersion):
        return outcome, None
    if isinstance(outcome, BackcastError):
        return data, outcome
    raise outcome


def _changing_too_fast() -> Unavailable:
    return Unavailable(
        "its candles change faster than they can be read: try again", reason=ErrorReason.CANDLES_CHANGING
    )


def _put(ended: "asyncio.Queue[tuple[DataVersion, _Fetched]]", data: DataVersion, future: _Fetched) -> None:
    ended.put_nowait((data, future))


async def _gathered(
    histories: AsyncGenerator[list[FetchedHistory]],
) -> AsyncGenerator[list[FetchedHistory]]:
    """Yield lists joined: the first alone, then all that came while those before were written."""
    came: list[list[FetchedHistory]] = []
    has_news, room = asyncio.Event(), asyncio.Semaphore(_MOST_WAITING)

    async def read() -> None:
        async with aclosing(histories):
            async for group in histories:
                await room.acquire()
                came.append(group)
                has_news.set()

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: has_news.set())
    try:
        while not reading.done() or came:
            await has_news.wait()
            has_news.clear()
            groups = came.copy()
            came.clear()
            for _ in groups:
                room.release()
            if groups:
                yield list(chain.from_iterable(groups))
        reading.result()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
