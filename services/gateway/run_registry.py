"""The runs that a gateway knows: those under way, and for a while those that ended or rest."""

import time
from collections import deque
from collections.abc import Iterator
from uuid import uuid4

from services.gateway.clients import Client, Right
from services.gateway.live_run import LiveRun
from services.shared.errors import AlreadyExists, Denied, InvalidInput, NotFound
from services.shared.run_id import is_run_id

# Of the events of runs that nobody watches.
_MOST_KEPT_BYTES = 64 * 2**20


class RunRegistry:
    """Runs by id."""

    def __init__(self, kept_s: float) -> None:
        """A run is forgotten `kept_s` seconds after it ended or was left."""
        self._kept_s = kept_s
        self._runs: dict[str, LiveRun] = {}
        # Those that ended or rest, in this order: when they did, and how much they take.
        self._kept: deque[tuple[LiveRun, float, int]] = deque()
        self._kept_bytes = 0
        # Ids of requests whose runs are still being planned.
        self._reserved: set[str] = set()

    def reserve(self, request_id: str, client: Client) -> str:
        """Return the id of a new run: `request_id`, or one that is made where that is empty.

        Raises InvalidInput where it is no id, AlreadyExists where it is taken: by a run that is under way, or
        by one of another client.
        """
        if not request_id:
            return uuid4().hex
        if not is_run_id(request_id):
            raise InvalidInput.of("request_id", "must be 1 to 64 letters, digits, '-', '_' and '.'")
        self._forget()
        run = self._runs.get(request_id)
        if request_id in self._reserved or (run and (run.ended_at is None or run.client.name != client.name)):
            raise AlreadyExists(f"request_id: there is a run {request_id!r}; WatchRun shows it")
        self._reserved.add(request_id)
        return request_id

    def release(self, run_id: str) -> None:
        """Let an id go whose run did not begin."""
        self._reserved.discard(run_id)

    def add(self, run: LiveRun) -> None:
        """Take in a run whose id was reserved, in the place of one that had it before."""
        run_id = run.report.run_id
        self._reserved.discard(run_id)
        self._runs.pop(run_id, None)
        self._runs[run_id] = run
        run.on_end = self._ended

    def get(self, run_id: str, client: Client) -> LiveRun:
        """Return a run; raise NotFound where there is none, Denied where it is another client's."""
        self._forget()
        run = self._runs.get(run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id[:64]!r}, or not any more")
        if not _may_see(client, run):
            raise Denied(f"the run {run_id!r} is another client's")
        return run

    def all(self, client: Client) -> list[LiveRun]:
        """Return the runs that a client may see, the oldest first."""
        self._forget()
        return [run for run in self._runs.values() if _may_see(client, run)]

    def __iter__(self) -> Iterator[LiveRun]:
        """Iterate over all runs."""
        return iter(self._runs.values())

    def _ended(self, run: LiveRun) -> None:
        """Keep a run that can be watched again."""
        if run.resumes and run.ended_at is not None:
            self._kept.append((run, run.ended_at, run.kept_bytes))
            self._kept_bytes += run.kept_bytes
            self._forget()
        else:
            self._drop(run)

    def _forget(self) -> None:
        """Forget runs that ended long ago, and the oldest of the others where they take too much."""
        before = time.monotonic() - self._kept_s
        while self._kept and (self._kept_bytes > _MOST_KEPT_BYTES or self._kept[0][1] < before):
            run, ended_at, kept_bytes = self._kept.popleft()
            self._kept_bytes -= kept_bytes
            # It may have been taken up again since.
            if run.ended_at == ended_at:
                self._drop(run)

    def _drop(self, run: LiveRun) -> None:
        if self._runs.get(run.report.run_id) is run:
            del self._runs[run.report.run_id]


def _may_see(client: Client, run: LiveRun) -> bool:
    return Right.ADMIN in client.rights or run.client.name == client.name
