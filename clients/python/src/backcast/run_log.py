"""The events of a run that have come so far, as frames, and the request for the others; no I/O."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import grpc
import numpy as np
from google.rpc import status_pb2

from backcast import frames, wire
from backcast.backtest.v1 import result_pb2
from backcast.errors import (
    BackcastError,
    BusyError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
)
from backcast.frames import Names, Times
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.run_service_pb2 import WatchRunRequest
from backcast.quantities import text
from backcast.requests import RESULTS_PER_EVENT
from backcast.result import Result, metric_rows, time_column, trade_columns
from backcast.status import code_name, error_of_status, is_cut_off

if TYPE_CHECKING:
    from backcast.portfolio_log import PortfolioLog

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
# The server does not know the run any more, or not all of its events.
_FORGOTTEN = ("RUN_NOT_FOUND", "RUN_EVENTS_NOT_KEPT")
_QUANTILES = ("quantile_05", "quantile_25", "quantile_50", "quantile_75", "quantile_95")


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run, in cryptos."""

    completed: int
    failed: int
    from_cache: int
    total: int

    @property
    def done(self) -> int:
        """Cryptos that have a result or failed."""
        return self.completed + self.failed


class RunLog:
    """The events of a run, however many streams they came in: each result once, none missing."""

    def __init__(self, request: pb.RunBacktestsRequest, library: str) -> None:
        """`library` is the one that frames are made with."""
        self.request = request
        """The request; from the event `started` on, with every default filled in."""
        self.library = library
        self.run_id = ""
        self.results: list[Result] = []
        """Results in the order in which they came."""
        self.failures: dict[str, status_pb2.Status] = {}
        self.left_out: list[str] = []
        self.total = 0
        self.summary: Any = None
        self._places: dict[str, int] = {}
        self._from_cache = 0
        self._sequence = 0
        self._begun: Any = None
        self._has_name = bool(request.run_id)
        self.has_started = False
        """True from the event `started` on."""

    @classmethod
    def watching(cls, run_id: str, library: str) -> Self:
        """Return the log of a run that another call has started; raise InvalidRequestError for no name."""
        if not text(run_id, "run_id"):
            raise InvalidRequestError.of("run_id", "is needed")
        log = cls(pb.RunBacktestsRequest(run_id=run_id), library)
        log.run_id = run_id
        return log

    @property
    def is_complete(self) -> bool:
        """True if all of its events have come."""
        return self.summary is not None

    @property
    def detail(self) -> int:
        """The detail of its results, as a number of the enumeration."""
        return self.request.detail or result_pb2.DETAIL_METRICS

    @property
    def progress(self) -> Progress:
        """The progress so far; it never goes back, whatever streams break off."""
        return Progress(len(self.results), len(self.failures), self._from_cache, self.total)

    def add(self, event: Any) -> None:
        """Note an event, a RunBacktestsResponse of backcast.wire.

        Raises RefusedError for an event of a portfolio, which can be watched too.
        """
        if event.DESCRIPTOR.name != pb.RunBacktestsResponse.DESCRIPTOR.name:
            raise RefusedError("this run is a portfolio: `client.portfolio`, asked again, reads it")
        self._sequence = event.sequence or self._sequence
        match event.WhichOneof("event"):
            case "started":
                self._start(event.started)
            case "result" if event.result_continues:
                self._begun = event.result
            case "result":
                self._add_result(event.result)
            case "result_continuation" if self._begun is not None:
                self._begun.MergeFrom(event.result_continuation)
                if not event.result_continues:
                    begun, self._begun = self._begun, None
                    self._add_result(begun)
            case "results":
                for result in event.results.results:
                    self._add_result(result)
            case "failure":
                symbol = event.failure.symbol
                if symbol not in self._places:
                    raw = event.failure.status.SerializeToString()
                    self.failures[symbol] = status_pb2.Status.FromString(raw)
            case "summary":
                self.summary = event.summary

    def next_request(self) -> pb.RunBacktestsRequest | WatchRunRequest:
        """Return the request that brings the events that are missing."""
        if not self.run_id:
            return self.request
        return WatchRunRequest(
            run_id=self.run_id, after_sequence=self._sequence, max_results_per_event=RESULTS_PER_EVENT
        )

    def begin_anew(self, *, keep_name: bool) -> None:
        """Let the next request start the run again: its server has forgotten it.

        It has the window and the cryptos of the first one, so the cache answers what is computed already.
        Results that have come before are not yielded again.
        """
        self.run_id, self._sequence, self._begun = "", 0, None
        if not (keep_name and self._has_name):
            self.request.run_id = ""

    def take_details(self, finer: "RunLog") -> None:
        """Take over the results of a run of the same backtests with more detail."""
        self.request, self.results, self._places = finer.request, finer.results, finer._places
        self.failures, self.summary = finer.failures, finer.summary

    def finer_request(self, detail: int) -> pb.RunBacktestsRequest:
        """Return the request of this run with more detail."""
        request = pb.RunBacktestsRequest()
        request.CopyFrom(self.request)
        request.detail = result_pb2.Detail.ValueType(detail)
        request.run_id = ""
        return request

    def result(self, symbol: str) -> Result | None:
        """Return the result of a crypto, None where it has not come; raise where the crypto has failed."""
        if symbol in self._places:
            return self.results[self._places[symbol]]
        if symbol in self.failures:
            raise error_of_status(self.failures[symbol])
        if self.is_complete:
            raise NotFoundError(f"the run has no crypto {symbol}")
        return None

    def _start(self, started: Any) -> None:
        self.has_started = True
        self.run_id, self.total = started.run_id, started.crypto_count
        self.request = pb.RunBacktestsRequest.FromString(started.request.SerializeToString())
        self.request.max_results_per_event = RESULTS_PER_EVENT
        self.left_out = [left.symbol for left in started.left_out]

    def _add_result(self, view: Any) -> None:
        result = Result(view, self.detail, self.library)
        self.failures.pop(view.symbol, None)
        place = self._places.setdefault(view.symbol, len(self.results))
        if place < len(self.results):
            # The run was started anew: candles may have changed, and the summary is of the new results.
            self.results[place] = result
        else:
            self.results.append(result)
            self._from_cache += result.from_cache

    def metrics(self) -> Any:
        """Return a frame with a row for each result, ordered by symbol."""
        views = self._views()
        coverage = [view.coverage for view in views]
        return self._frame(
            {
                "symbol": [view.symbol for view in views],
                **metric_rows([view.metrics for view in views]),
                "first_candle_time": time_column(coverage, "first_candle_time"),
                "last_candle_time": time_column(coverage, "last_candle_time"),
                "expected_candles": np.array([one.expected_candles for one in coverage], np.int64),
                "missing_candles": np.array([one.missing_candles for one in coverage], np.int64),
                "from_cache": np.array([view.from_cache for view in views], np.bool_),
            }
        )

    def trades(self) -> Any:
        """Return a frame with a row for each trade, ordered by symbol and time."""
        return self._frame(trade_columns(self._views()))

    def equity(self) -> Any:
        """Return a frame of all equity curves, ordered by symbol and time."""
        results = self._sorted()
        curves = [result.curve() for result in results]
        times, equity, drawdown = (
            np.concatenate([curve[column] for curve in curves]) if curves else np.empty(0, dtype)
            for column, dtype in enumerate((np.int64, np.float64, np.float64))
        )
        symbols = Names.repeated([result.symbol for result in results], [len(curve[0]) for curve in curves])
        return self._frame({"symbol": symbols, "time": Times(times), "equity": equity, "drawdown": drawdown})

    def summary_frame(self) -> Any:
        """Return a frame with a row for mean, median and each quantile of the metrics over the cryptos."""
        names = ["mean", "median", *_QUANTILES]
        spread = self.summary.spread
        rows = [self.summary.mean, self.summary.median, *(getattr(spread, name) for name in _QUANTILES)]
        return self._frame({"statistic": names, **metric_rows(rows)})

    def failure_frame(self) -> Any:
        """Return a frame with a row for each crypto without a result, ordered by symbol."""
        rows = [(symbol, status, error_of_status(status)) for symbol, status in sorted(self.failures.items())]
        return self._frame(
            {
                "symbol": [symbol for symbol, _, _ in rows],
                "code": [code_name(status) for _, status, _ in rows],
                "reason": [error.reason for _, _, error in rows],
                "message": [status.message for _, status, _ in rows],
            }
        )

    def _sorted(self) -> list[Result]:
        return sorted(self.results, key=lambda result: result.symbol)

    def _views(self) -> list[Any]:
        return [result.view for result in self._sorted()]

    def _frame(self, columns: frames.Columns) -> Any:
        return frames.frame(columns, self.library)


class Recovery:
    """Decides, when the stream of a run or a portfolio ended too early, whether and when to ask again."""

    def __init__(self, log: "RunLog | PortfolioLog", patience_s: float) -> None:
        """A server that is away is asked again for `patience_s` seconds."""
        self._log = log
        self._patience_s = patience_s
        self._failing_since: float | None = None
        self._pause_s = _FIRST_PAUSE_S

    def succeeded(self) -> None:
        """Note that an event came."""
        self._failing_since, self._pause_s = None, _FIRST_PAUSE_S

    def pause_after(self, broken: grpc.RpcError | None, error: BackcastError) -> float:
        """Return the seconds to wait before the next request; raise `error` where asking again is no use.

        `broken` is gRPC's error, None where the stream ended without one; `error` is what it means.
        """
        if not self._log.has_started and self._failing_since is None:
            raise error
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        if error.reason in _FORGOTTEN and self._log.run_id:
            self._log.begin_anew(keep_name=error.reason == "RUN_NOT_FOUND")
            return 0.0
        if isinstance(error, BusyError):
            pause = max(error.retry_after, _FIRST_PAUSE_S)
        elif broken is None or is_cut_off(broken):
            pause, self._pause_s = self._pause_s, min(2 * self._pause_s, _LONGEST_PAUSE_S)
        else:
            raise error
        if now + pause - self._failing_since > self._patience_s:
            raise error
        return pause


def ended_early(address: str) -> BackcastError:
    """Return the error of a stream that ended without the end of its run."""
    return ConnectionFailedError(f"the stream of {address} ended before the end of the run")


def watched_event(raw: bytes) -> Any:
    """Return the event in a serialized WatchRunResponse, of a run or of a portfolio."""
    response = wire.message_class("backcast.gateway.v1.WatchRunResponse").FromString(raw)
    return response.portfolio_event if response.HasField("portfolio_event") else response.event


def needs_detail(log: RunLog, detail: int) -> bool:
    """Return whether the run has to be asked again for results of a detail."""
    if log.request.curve_points and detail > log.detail:
        raise RefusedError("a run with curve_points needs detail='equity' from the start")
    return log.detail < detail
