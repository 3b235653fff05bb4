"""Candles for tests of tasks on candles, without a data service."""

from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path

from backcast_engine.errors import BackcastError
from backcast_engine.interval import Interval
from services.compute.candles.location import CandleLocation, DataVersion
from services.compute.candles.stored import StoredCandles
from services.compute.tasks.batch import Task
from tests.candle_making import random_candles


def cryptos(count: int) -> list[DataVersion]:
    return [DataVersion(f"C{number}USDT", str(number)) for number in range(count)]


class Supply:
    """Has candles of every crypto but of those in `errors`; those in `gone` are there at the n-th asking."""

    def __init__(self, folder: Path, cryptos: Iterable[DataVersion]) -> None:
        self.folder = folder
        self.candles = {data: random_candles(seed, 1000 + seed) for seed, data in enumerate(cryptos)}
        self.errors: dict[DataVersion, BackcastError] = {}
        self.gone: dict[DataVersion, int] = {}
        self.asked: list[tuple[DataVersion, int]] = []

    def failing(self, reason: BackcastError, tasks: list[Task]) -> Callable[[DataVersion], list[Task]]:
        """From the first crypto's tasks on, nothing more can be brought."""

        def tasks_of(data: DataVersion) -> list[Task]:
            self.errors[data] = reason
            return tasks

        return tasks_of

    async def columns(
        self, cryptos: list[DataVersion], interval: Interval, columns: tuple[str, ...], since_s: int
    ) -> AsyncGenerator[list[tuple[DataVersion, CandleLocation | BackcastError]]]:
        for data in cryptos:
            self.asked.append((data, since_s))
            stored = StoredCandles(self.folder, data, interval, columns, since_s)
            self.gone[data] = self.gone.get(data, 0) - 1
            if self.gone[data] < 0 and data not in self.errors:
                candles = self.candles[data]
                stored.write([candles[int(candles.open_time_s.searchsorted(since_s)) :]])
            yield [(data, self.errors.get(data, stored))]
