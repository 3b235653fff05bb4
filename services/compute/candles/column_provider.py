"""Brings runs the columns that they read: those that are in files, and what is new from the data service."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from services.compute.candles.column_files import ColumnFiles, MissingColumns
from services.compute.candles.location import CryptoData
from services.compute.candles.source import CandleSource, FetchedHistory
from services.compute.candles.stored import StoredCandles
from services.domain.errors import BackcastError, ErrorReason, Unavailable
from services.domain.interval import Interval

# A crypto's columns, or why there are none.
Columns = StoredCandles | BackcastError

# Whose columns a fetch brought, or what went wrong; cancelled where the run that fetched was.
_Fetched = asyncio.Future[CryptoData | Exception]
_Key = tuple[Interval, CryptoData, tuple[str, ...]]

# How often columns may be gone again before anybody could use them.
_MOST_FETCHES = 3


class ColumnSupply:
    """Finds columns, or fetches them: at any time once, for all runs that wait for them."""

    def __init__(self, files: ColumnFiles, source: CandleSource) -> None:
        self._files = files
        self._source = source
        self._under_way: dict[_Key, _Fetched] = {}
        # The names of the files that each run uses, by the set's id: they are not deleted for want of space.
        self._in_use: dict[int, set[str]] = {}

    async def columns(
        self, cryptos: list[CryptoData], interval: Interval, columns: tuple[str, ...]
    ) -> AsyncGenerator[tuple[CryptoData, Columns]]:
        """Yield every crypto with its columns: first those that are here, then the others as they come.

        The data may be newer than what was asked for. It is not deleted for want of space as long as this
        iterator is open, but where it changes again: then its files are gone when they are mapped.
        """
        in_use: set[str] = set()
        self._in_use[id(in_use)] = in_use
        wanted, fetches = cryptos, 0
        try:
            while wanted:
                here, absent = await asyncio.to_thread(self._look, wanted, interval, columns)
                in_use.update(stored.name for _, stored in here)
                for data, stored in here:
                    yield data, stored
                if fetches == _MOST_FETCHES:
                    for data in absent:
                        yield (
                            data,
                            Unavailable(
                                "its candles change faster than they can be read: try again",
                                reason=ErrorReason.CANDLES_CHANGING,
                            ),
                        )
                    return
                wanted = []
                if absent:
                    missing = await asyncio.to_thread(self._files.missing, absent, interval, columns)
                    # To wait for another run's fetch, and for one more as that was cancelled, is no failure.
                    fetches += any(self._key(item, interval) not in self._under_way for item in missing)
                    async with aclosing(self._fetched(missing, interval, in_use)) as fetched:
                        async for data, error in fetched:
                            stored = self._files.stored(data, interval, columns)
                            if error:
                                yield data, error
                            elif stored.use():
                                in_use.add(stored.name)
                                yield data, stored
                            else:
                                wanted.append(data)
        finally:
            del self._in_use[id(in_use)]

    def _look(
        self, cryptos: list[CryptoData], interval: Interval, columns: tuple[str, ...]
    ) -> tuple[list[tuple[CryptoData, StoredCandles]], list[CryptoData]]:
        """Return the columns that are here, and the cryptos of the others."""
        here, absent = [], []
        for data in cryptos:
            stored = self._files.stored(data, interval, columns)
            if stored.use():
                here.append((data, stored))
            else:
                absent.append(data)
        return here, absent

    async def _fetched(
        self, missing: list[MissingColumns], interval: Interval, in_use: set[str]
    ) -> AsyncGenerator[tuple[CryptoData, BackcastError | None]]:
        """Yield whose columns came as they come, fetched here or by another run, or why they do not.

        What another run was fetching when it was cancelled is yielded like what came, and is not there.
        """
        ended: asyncio.Queue[tuple[CryptoData, _Fetched]] = asyncio.Queue()
        ours: dict[str, tuple[MissingColumns, _Fetched]] = {}
        for item in missing:
            key = self._key(item, interval)
            future = self._under_way.get(key)
            if future is None:
                future = self._under_way[key] = asyncio.get_running_loop().create_future()
                future.add_done_callback(partial(self._forget, key))
                ours[item.data.symbol] = item, future
            future.add_done_callback(partial(_put, ended, item.data))
        # In a task of its own: others wait for it too, and must not wait for the reader of this run.
        fetch = asyncio.create_task(self._fetch(ours, interval, in_use))
        # However it ends, and should it be cancelled before it begins: nobody waits for what will not come.
        fetch.add_done_callback(lambda _: [future.cancel() for _, future in ours.values()])
        try:
            for _ in missing:
                data, future = await ended.get()
                outcome = data if future.cancelled() else future.result()
                if isinstance(outcome, CryptoData):
                    yield outcome, None
                elif isinstance(outcome, BackcastError):
                    yield data, outcome
                else:
                    raise outcome
        finally:
            if not all(future.done() for _, future in ours.values()):
                fetch.cancel()
            await asyncio.gather(fetch, return_exceptions=True)

    async def _fetch(
        self, ours: dict[str, tuple[MissingColumns, _Fetched]], interval: Interval, in_use: set[str]
    ) -> None:
        """Fetch columns; where that fails, every crypto that is still missing gets the error."""
        # One call for all that miss the same columns: mostly, one for all.
        calls: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
        for symbol, (item, _) in ours.items():
            calls[item.columns][symbol] = item.older_fingerprint
        try:
            for columns, known_fingerprints in calls.items():
                async with aclosing(
                    self._source.histories(known_fingerprints, interval, columns)
                ) as histories:
                    async for history in histories:
                        item, future = ours[history.symbol]
                        in_use.add(
                            self._files.stored(
                                CryptoData(history.symbol, history.fingerprint), interval, columns
                            ).name
                        )
                        future.set_result(await self._write(item, interval, history))
        except Exception as error:
            for _, future in ours.values():
                if not future.done():
                    future.set_result(error)
        if ours:
            await asyncio.to_thread(self._files.tidy, set().union(*self._in_use.values()))

    async def _write(
        self, item: MissingColumns, interval: Interval, history: FetchedHistory
    ) -> CryptoData | BackcastError:
        try:
            return await asyncio.to_thread(
                self._files.write,
                item,
                interval,
                history.fingerprint,
                history.unchanged_before_s,
                history.blocks,
                history.breaks,
                history.partial,
            )
        except FileNotFoundError:
            # Deleted meanwhile: it is looked for again.
            return item.data
        except BackcastError as error:
            return error

    def _forget(self, key: _Key, _: _Fetched) -> None:
        del self._under_way[key]

    @staticmethod
    def _key(item: MissingColumns, interval: Interval) -> _Key:
        return interval, item.data, item.columns


def _put(ended: "asyncio.Queue[tuple[CryptoData, _Fetched]]", data: CryptoData, future: _Fetched) -> None:
    ended.put_nowait((data, future))
