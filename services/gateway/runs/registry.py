"""The runs that a gateway knows: those under way, and for a while those that ended or are paused."""

import time
from collections import OrderedDict
from uuid import uuid4

from services.domain.errors import AlreadyExists, InvalidInput, NotFound
from services.gateway.auth.clients import Client, Right
from services.gateway.runs.live_run import LiveRun
from services.telemetry.run_id import is_run_id

# Of the events of runs that nobody watches.
_MOST_KEPT_BYTES = 64 * 2**20

_Key = tuple[str, str]


class RunRegistry:
    """Runs by client and id: what one client calls its runs is nothing to another."""

    def __init__(self, kept_s: float) -> None:
        """A run is forgotten `kept_s` seconds after it ended or was paused."""
        self._kept_s = kept_s
        self._runs: dict[_Key, LiveRun] = {}
        # Those that ended or are paused, in this order, and how much they take.
        self._kept: OrderedDict[LiveRun, int] = OrderedDict()
        self._kept_bytes = 0
        # Ids of requests whose runs are still being planned.
        self._reserved: set[_Key] = set()

    def reserve(self, run_id: str, client: Client) -> str:
        """Return the id of a new run: `run_id`, or one that is made where that is empty.

        Raises InvalidInput where it is no id, AlreadyExists where the client has such a run under way.
        """
        if not run_id:
            return uuid4().hex
        if not is_run_id(run_id):
            raise InvalidInput.of("run_id", "must be 1 to 64 letters, digits, '-', '_' and '.'")
        key = client.name, run_id
        if key in self._reserved or self._is_under_way(key):
            raise _exists(run_id)
        self._reserved.add(key)
        return run_id

    def release(self, run_id: str, client: Client) -> None:
        """Let an id go whose run did not begin."""
        self._reserved.discard((client.name, run_id))

    def add(self, run: LiveRun) -> None:
        """Take in a run whose id was reserved, in the place of one that had it before.

        Raises AlreadyExists where that one was taken up again meanwhile.
        """
        key = _key(run)
        if self._is_under_way(key):
            raise _exists(run.report.run_id)
        self._reserved.discard(key)
        self._runs.pop(key, None)
        self._runs[key] = run
        run.on_end = self._ended
        self._forget()

    def get(self, run_id: str, client: Client) -> LiveRun:
        """Return a run that a client may see, its own first; raise NotFound where there is none."""
        self._forget()
        if run := self._runs.get((client.name, run_id)):
            return run
        if Right.ADMIN in client.rights:
            for run in self._runs.values():
                if run.report.run_id == run_id:
                    return run
        # The same where it is another client's: nobody learns what others run.
        raise NotFound(f"there is no run {run_id[:64]!r}, or not any more")

    def all(self, client: Client) -> list[LiveRun]:
        """Return the runs that a client may see, the oldest first."""
        self._forget()
        is_admin = Right.ADMIN in client.rights
        return [run for run in self._runs.values() if is_admin or run.client.name == client.name]

    def _is_under_way(self, key: _Key) -> bool:
        # One that nobody watches any more is about to be paused.
        run = self._runs.get(key)
        return run is not None and run.ended_at is None and run.watchers > 0

    def _ended(self, run: LiveRun) -> None:
        """Keep a run that can be watched again."""
        self._kept_bytes -= self._kept.pop(run, 0)
        if run.resumes:
            self._kept[run] = run.kept_bytes
            self._kept_bytes += run.kept_bytes
            self._forget()
        else:
            self._drop(run)

    def _forget(self) -> None:
        """Forget runs that ended long ago, and the oldest of the others where they take too much."""
        before = time.monotonic() - self._kept_s
        while self._kept:
            run = next(iter(self._kept))
            is_over = run.ended_at is not None and run.ended_at < before
            if self._kept_bytes <= _MOST_KEPT_BYTES and not is_over:
                return
            self._kept_bytes -= self._kept.pop(run)
            # One that was taken up again comes back here when it ends.
            if run.ended_at is not None:
                self._drop(run)

    def _drop(self, run: LiveRun) -> None:
        if self._runs.get(_key(run)) is run:
            del self._runs[_key(run)]


def _key(run: LiveRun) -> _Key:
    return run.client.name, run.report.run_id


def _exists(run_id: str) -> AlreadyExists:
    return AlreadyExists(f"run_id: there is a run {run_id!r} under way; WatchRun shows it")
