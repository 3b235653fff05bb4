"""How much processor time the parts of the system take, whoever else keeps the machine busy."""

from collections import defaultdict
from operator import itemgetter

import psutil

from tests.bench.timing import Measure, Timing

_SERVICES, _WORKERS = ("gateway", "compute", "data"), "workers"


class ProcessorTime:
    """Adds up what a measure takes in this process, the client, and in all that it started."""

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._taken: defaultdict[str, float] = defaultdict(float)
        self._rounds = 0

    async def measure(self, number: int) -> Timing:
        """Measure a round."""
        before = _by_part()
        timing = await self._measure(number)
        if number:
            for part, taken_s in _by_part().items():
                self._taken[part] += taken_s - before[part]
            self._rounds += 1
        return timing

    def services_s(self) -> float:
        """Return the mean of a round in gateway, compute, its workers and data, in seconds."""
        return sum(self._taken[part] for part in (*_SERVICES, _WORKERS)) / self._rounds

    def line(self) -> str:
        """Return the mean of a round by part, the greatest first. Clocks tick every 10 ms or so."""
        parts = sorted(self._taken.items(), key=itemgetter(1), reverse=True)
        return ", ".join(f"{part} {1000 * taken_s / self._rounds:.0f} ms" for part, taken_s in parts)


def _by_part() -> defaultdict[str, float]:
    taken: defaultdict[str, float] = defaultdict(float)
    client = psutil.Process()
    for process in (client, *client.children(recursive=True)):
        try:
            times, command = process.cpu_times(), " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        taken["client" if process == client else _part(command)] += times.user + times.system
    return taken


def _part(command: str) -> str:
    for service in _SERVICES:
        if command.endswith(f"serve {service}"):
            return service
    # Workers are forks of the fork server, and keep its command.
    return _WORKERS if "forkserver" in command else "database and cache"
