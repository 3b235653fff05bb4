"""How much processor time the parts of the system take, whoever else keeps the machine busy."""

from collections import Counter

import psutil

from tests.bench.engine.sampling import Measure
from tests.bench.timing import Timing


class ProcessorTime:
    """Adds up what a measure takes in this process, the client, and in all that it started."""

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._taken: Counter[str] = Counter()
        self._rounds = 0

    async def measure(self, number: int) -> Timing:
        """Measure a round."""
        before = _by_part()
        timing = await self._measure(number)
        if number:
            self._taken.update(_by_part())
            self._taken.subtract(before)
            self._rounds += 1
        return timing

    def line(self) -> str:
        """Return the mean of a round by part, the greatest first. Clocks tick every 10 ms or so."""
        parts = self._taken.most_common()
        return ", ".join(f"{part} {1000 * taken_s / self._rounds:.0f} ms" for part, taken_s in parts)


def _by_part() -> Counter[str]:
    taken: Counter[str] = Counter()
    client = psutil.Process()
    for process in (client, *client.children(recursive=True)):
        try:
            times, command = process.cpu_times(), " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        taken["client" if process == client else _part(command)] += times.user + times.system
    return taken


def _part(command: str) -> str:
    for service in ("gateway", "compute", "data"):
        if command.endswith(f"serve {service}"):
            return service
    # Workers are forks of the fork server, and keep its command.
    return "workers" if "forkserver" in command else "database and cache"
