"""The events of a sweep that have come so far, of runs or of portfolios; no I/O."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from backcast.errors import AlreadyExistsError, BackcastError, BusyError
from backcast.gateway.v1.backtest_service_pb2 import SweepBacktestsRequest
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from backcast.result import metric_rows
from backcast.run_log import Progress
from backcast.status import is_cut_off
from backcast.swept_values import SweptValues

_PAUSE_S = 0.5


class BaseSweepLog:
    """What all sweeps have in common: a start, progress, the best so far, rows, and a summary."""

    def __init__(
        self,
        request: SweepBacktestsRequest | SweepPortfoliosRequest,
        library: str,
        options: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """`library` is the one that frames are made with.

        `options` are the values of the options that have several, in the order of the request.
        """
        self.request = request
        self.library = library
        self.values = SweptValues(request, options or {})
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything: the sweep is asked for again, and the cache answers what is computed already."""
        self.run_id = ""
        self.progress = Progress(0, 0, 0, 0)
        self.rows: list[Any] = []
        self.best_so_far: list[Any] = []
        self.left_out: list[str] = []
        self.summary: Any = None

    @property
    def is_complete(self) -> bool:
        """True if all events have come."""
        return self.summary is not None

    @property
    def has_started(self) -> bool:
        """True from the event `started` on, until the sweep begins anew."""
        return bool(self.run_id)

    def next_request(self) -> SweepBacktestsRequest | SweepPortfoliosRequest:
        """Return the request that brings all events: a sweep cannot be resumed."""
        return self.request

    def start(self, started: Any, total: int) -> None:
        """Note the start of a sweep of so many backtests or portfolios."""
        self.run_id = started.run_id
        self.progress = Progress(0, 0, 0, total)
        self.left_out = [left.symbol for left in started.left_out]

    def add(self, event: Any) -> None:
        """Note an event that is the same in all sweeps."""
        match event.WhichOneof("event"):
            case "progress":
                self._note(event.progress)
            case "rows":
                self.rows.extend(event.rows.rows)
            case "summary":
                self.summary = event.summary
                self._note(event.summary.progress)

    def _note(self, progress: Any) -> None:
        self.progress = Progress(progress.completed, progress.failed, progress.from_cache, progress.total)

    @property
    def _parts(self) -> dict[str, str]:
        """The parts of the window, and the prefixes of their columns."""
        return {"train": "", "test": "test_"} if self.request.WhichOneof("cut") else {"train": ""}

    def _metrics(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return a column for each metric of each part of the window, of rows or trials."""
        columns: dict[str, Any] = {}
        for part, prefix in self._parts.items():
            metrics = metric_rows([getattr(item, part) for item in items])
            columns |= {f"{prefix}{name}": column for name, column in metrics.items()}
        return columns


class SweepRecovery:
    """Decides, when the stream of a sweep has ended too early, whether and when to ask again."""

    def __init__(self, log: BaseSweepLog, patience_s: float) -> None:
        """A server that is away is asked again for `patience_s` seconds."""
        self._log = log
        self._patience_s = patience_s
        self._failing_since: float | None = None

    def succeeded(self) -> None:
        """Note that an event came."""
        self._failing_since = None

    def pause_after(self, broken: grpc.RpcError | None, error: BackcastError) -> float:
        """Return the seconds to wait before the next request; raise `error` where asking again is no use.

        `broken` is gRPC's error, None where the stream ended without one; `error` is what it means.
        """
        now = time.monotonic()
        has_begun = self._log.has_started or self._failing_since is not None
        self._failing_since = self._failing_since or now
        pause = max(error.retry_after, _PAUSE_S) if isinstance(error, BusyError) else _PAUSE_S
        # A sweep of this name is under way until its server has noticed the end of its stream.
        may_pass = isinstance(error, BusyError | AlreadyExistsError)
        helps = may_pass or broken is None or is_cut_off(broken)
        if not (has_begun and helps) or now + pause - self._failing_since > self._patience_s:
            raise self._log.values.of_arguments(error)
        self._log.begin_anew()
        return pause
