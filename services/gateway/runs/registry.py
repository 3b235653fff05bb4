"""The runs that a gateway knows: runs under way, and for a while runs that ended or are paused."""

import time
from collections import OrderedDict
from uuid import uuid4

from backcast_engine.errors import ErrorReason, NotFound
from services.domain.errors import AlreadyExists
from services.gateway.auth.clients import Client, Right
from services.gateway.runs.run import Run

# Bytes of events of the runs that ended or are paused.
_MOST_KEPT_BYTES = 64 * 2**20

_Key = tuple[str, str]


class RunRegistry:
    """Runs by client and id: two clients may use the same id."""

    def __init__(self, kept_s: float) -> None:
        """A run is forgotten `kept_s` seconds after it ended or was paused."""
        self._kept_s = kept_s
        self._runs: dict[_Key, Run] = {}
        # Runs that ended or are paused, oldest first, and how many bytes each takes.
        self._kept: OrderedDict[Run, int] = OrderedDict()
        self._kept_bytes = 0
        # Ids of runs that are still being planned.
        self._reserved: set[_Key] = set()

    def reserve(self, run_id: str, client: Client) -> str:
        """Return the id of a new run: `run_id`, or one that is made where that is empty.

        Raises AlreadyExists where the client has a run of this id under way.
        """
        if not run_id:
            return uuid4().hex
        key = client.name, run_id
        if key in self._reserved or self._is_under_way(key):
            raise _exists(run_id)
        self._reserved.add(key)
        return run_id

    def release(self, run_id: str, client: Client) -> None:
        """Release the id of a run that did not begin."""
        self._reserved.discard((client.name, run_id))

    def add(self, run: Run) -> None:
        """Add a run whose id was reserved; it replaces an older run of that id.

        Raises AlreadyExists where the older run was resumed meanwhile.
        """
        key = _key(run)
        if self._is_under_way(key):
            raise _exists(run.record.run_id)
        self._reserved.discard(key)
        if before := self._runs.pop(key, None):
            before.forget()
        self._runs[key] = run
        run.on_end = self._ended
        self._forget()

    def get(self, run_id: str, client: Client) -> Run:
        """Return a run that a client may see, its own first; raise NotFound where there is none."""
        self._forget()
        if run := self._runs.get((client.name, run_id)):
            return run
        if Right.ADMIN in client.rights:
            for run in self._runs.values():
                if run.record.run_id == run_id:
                    return run
        # The same where another client has a run of this id: nobody learns what others run.
        raise NotFound(
            f"there is no run {run_id[:64]!r}, or it is not kept any more",
            reason=ErrorReason.RUN_NOT_FOUND,
            run_id=run_id[:64],
        )

    def all(self, client: Client) -> list[Run]:
        """Return the runs that a client may see, ordered by start time, oldest first."""
        self._forget()
        is_admin = Right.ADMIN in client.rights
        return [run for run in self._runs.values() if is_admin or run.client.name == client.name]

    def _is_under_way(self, key: _Key) -> bool:
        # A run without a watcher is about to be paused.
        run = self._runs.get(key)
        return run is not None and run.ended_at is None and run.watchers > 0

    def _ended(self, run: Run) -> None:
        """Keep a run that can be resumed or read again, and drop another."""
        self._kept_bytes -= self._kept.pop(run, 0)
        if run.resumes:
            self._kept[run] = run.kept_bytes
            self._kept_bytes += run.kept_bytes
            self._forget()
        else:
            self._drop(run)

    def _forget(self) -> None:
        """Forget runs that ended or were paused long ago, and the oldest where all take too many bytes."""
        before = time.monotonic() - self._kept_s
        while self._kept:
            run = next(iter(self._kept))
            is_over = run.ended_at is not None and run.ended_at < before
            if self._kept_bytes <= _MOST_KEPT_BYTES and not is_over:
                return
            self._kept_bytes -= self._kept.pop(run)
            # A run that was resumed comes back here when it ends.
            if run.ended_at is not None:
                self._drop(run)

    def _drop(self, run: Run) -> None:
        run.forget()
        if self._runs.get(_key(run)) is run:
            del self._runs[_key(run)]


def _key(run: Run) -> _Key:
    return run.client.name, run.record.run_id


def _exists(run_id: str) -> AlreadyExists:
    return AlreadyExists(f"run_id: a run {run_id!r} is under way; WatchRun shows it", run_id=run_id)
