"""The events of a sweep that have come so far, as frames; no I/O."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np

from backcast import frames
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.enumerations import short_name
from backcast.errors import AlreadyExistsError, BackcastError, BusyError, InvalidRequestError
from backcast.frames import Names, Times
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.result import metric_rows
from backcast.run_log import Progress
from backcast.status import code_name, error_of_status, is_cut_off
from backcast.wire import joined

if TYPE_CHECKING:
    from backcast.portfolio_sweep_log import PortfolioSweepLog

_PAUSE_S = 0.5
# Fields of a request that have ranges, and those in them.
_RANGE = re.compile(r"(\w*ranges|intervals)\[(\d+)\](?:\.values\[(\d+)\])?(?:\.\w+)*", re.ASCII)


class SweepLog:
    """The events of a sweep."""

    def __init__(
        self,
        request: pb.SweepBacktestsRequest,
        library: str,
        settings: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """`library` is the one that frames are made with.

        `settings` are the values of the execution's options that have several, in the order of the request.
        """
        self.request = request
        self.library = library
        self._settings = dict(settings or {})
        self._intervals = self._settings.pop("interval", ())
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything: the sweep is asked for again, and the cache answers what is computed already."""
        self.run_id = ""
        self.progress = Progress(0, 0, 0, 0)
        self.rows: list[Any] = []
        self.trials: list[Any] = []
        self.failures: list[Any] = []
        self.out_of_sample: list[Any] = []
        self.left_out: list[str] = []
        self.summary: Any = None

    @property
    def is_complete(self) -> bool:
        """True if all of its events have come."""
        return self.summary is not None

    @property
    def has_started(self) -> bool:
        """True from the event `started` on, until the sweep begins anew."""
        return bool(self.run_id)

    def next_request(self) -> pb.SweepBacktestsRequest:
        """Return the request that brings all events: a sweep cannot be resumed."""
        return self.request

    def add(self, event: pb.SweepBacktestsResponse) -> None:
        """Note an event."""
        match event.WhichOneof("event"):
            case "started":
                self.run_id = event.started.run_id
                self.progress = Progress(0, 0, 0, event.started.backtest_count)
                self.left_out = [left.symbol for left in event.started.left_out]
            case "progress":
                self._note(event.progress)
            case "best":
                self.trials = list(event.best.trials)
            case "failure":
                self.failures.append(event.failure)
            case "rows":
                self.rows.extend(event.rows.rows)
            case "out_of_sample":
                self.out_of_sample.append(event.out_of_sample)
            case "summary":
                self.summary = event.summary
                self._note(event.summary.progress)

    def of_arguments(self, error: BackcastError) -> BackcastError:
        """Return an error that names arguments: see `of_ranges`."""
        ranges = [one.name for one in self.request.ranges]
        return of_ranges(error, {"ranges": ranges, "execution_ranges": [*self._settings]})

    def _note(self, progress: Any) -> None:
        self.progress = Progress(progress.completed, progress.failed, progress.from_cache, progress.total)

    def table(self) -> Any:
        """Return a frame with a row for each combination: parameters, medians and means over the cryptos."""
        rows = self.rows
        columns: dict[str, Any] = {
            "combination": np.array([row.combination for row in rows], np.int64),
            **self._parameters(rows),
            "crypto_count": np.array([row.crypto_count for row in rows], np.int64),
            "cryptos_traded": np.array([row.cryptos_traded for row in rows], np.int64),
            "median_trades": np.array(
                [row.median_trades if row.HasField("median_trades") else np.nan for row in rows], np.float64
            ),
        }
        for part, prefix in self._parts.items():
            figures = [getattr(row, part) for row in rows]
            for statistic in ("median", "mean"):
                metrics = metric_rows([getattr(one, statistic) for one in figures])
                columns |= {f"{prefix}{statistic}_{name}": column for name, column in metrics.items()}
        return frames.frame(columns, self.library)

    def best(self) -> Any:
        """Return a frame with a row for each of the best trials, ordered by rank."""
        trials = self.trials
        columns: dict[str, Any] = {
            "symbol": [trial.symbol for trial in trials],
            "combination": np.array([trial.combination for trial in trials], np.int64),
            **self._parameters(trials),
        }
        for part, prefix in self._parts.items():
            metrics = metric_rows([getattr(trial, part) for trial in trials])
            columns |= {f"{prefix}{name}": column for name, column in metrics.items()}
        return frames.frame(columns, self.library)

    def failure_frame(self) -> Any:
        """Return a frame with a row for each crypto with failed backtests, ordered by symbol."""
        failures = sorted(self.failures, key=lambda one: str(one.symbol))
        errors = [error_of_status(one.status) for one in failures]
        columns = {
            "symbol": [one.symbol for one in failures],
            "backtest_count": np.array([one.backtest_count for one in failures], np.int64),
            "code": [code_name(one.status) for one in failures],
            "reason": [error.reason for error in errors],
            "message": [str(error) for error in errors],
        }
        return frames.frame(columns, self.library)

    def equity(self) -> Any:
        """Return a frame of the out-of-sample curves of a walk-forward, ordered by symbol and time."""
        of_cryptos = sorted(self.out_of_sample, key=lambda one: str(one.symbol))
        curves = [one.equity_curve for one in of_cryptos]
        columns: dict[str, Any] = {
            "symbol": Names.repeated(
                [one.symbol for one in of_cryptos], [len(curve.equity) for curve in curves]
            ),
            "time": Times(joined([np.array(curve.open_time_s, np.int64) for curve in curves], np.int64)),
        }
        for name in ("equity", "drawdown"):
            columns[name] = joined([np.array(getattr(curve, name)) for curve in curves], np.float64)
        return frames.frame(columns, self.library)

    @property
    def _parts(self) -> dict[str, str]:
        """The parts of the window, and the prefixes of their columns."""
        return {"train": "", "test": "test_"} if self.request.WhichOneof("cut") else {"train": ""}

    @property
    def swept(self) -> list[str]:
        """The names of the parameters and of the options that have ranges."""
        intervals = ["interval"] if self.request.intervals else []
        return [*intervals, *(one.name for one in self.request.ranges), *self._settings]

    def values_of(self, item: Any) -> dict[str, Any]:
        """Return the swept values of a row or a trial, by name: numbers, or choices; a stop may be none."""
        parameters = [one.name for one in self.request.ranges]
        indexes = list(item.value_indexes)
        values: dict[str, Any] = {}
        if self.request.intervals:
            values["interval"] = str(self._intervals[indexes.pop(0)])
        if self.request.spec.strategy.HasField("rules"):
            for one, index in zip(self.request.ranges, indexes, strict=False):
                values[one.name] = _number(one, index)
        else:
            kind = getattr(item.strategy, item.strategy.WhichOneof("kind"))
            for name in parameters:
                value, enum = getattr(kind, name), kind.DESCRIPTOR.fields_by_name[name].enum_type
                values[name] = short_name(enum, value) if enum else value
        for (name, given), index in zip(self._settings.items(), indexes[len(parameters) :], strict=True):
            values[name] = _as_given(given, index)
        return values

    def _parameters(self, items: list[Any]) -> dict[str, Any]:
        """Return a column for each parameter that has a range, of rows or trials."""
        values = [self.values_of(item) for item in items]
        columns = {name: [one[name] for one in values] for name in self.swept}
        return {
            name: column if any(isinstance(value, str) for value in column) else np.array(column)
            for name, column in columns.items()
        }


def _number(swept: ParameterRange, index: int) -> float:
    """Return a value of a placeholder, whole where all of them are."""
    numbers = [value.number_value for value in swept.values]
    return int(numbers[index]) if all(map(float.is_integer, numbers)) else numbers[index]


def _as_given(values: Sequence[Any], index: int) -> Any:
    """Return a value of an option as it was given; without a stop, none among texts and NaN among numbers."""
    if any(isinstance(value, str) for value in values):
        return "none" if values[index] is None else str(values[index])
    return np.nan if values[index] is None else values[index]


def of_ranges(error: BackcastError, names: Mapping[str, Sequence[str]]) -> BackcastError:
    """Return an error that names arguments: period[1] for what the API calls ranges[0].values[1].

    `names` are the arguments of the API's fields with ranges, in their order.
    """
    if not isinstance(error, InvalidRequestError):
        return error
    violations = [replace(one, field=_argument(one.field, names)) for one in error.violations]
    return InvalidRequestError(violations, reason=error.reason, metadata=error.metadata)


def _argument(field: str, names: Mapping[str, Sequence[str]]) -> str:
    found = _RANGE.fullmatch(field)
    if found is None:
        return field
    kind, place, value = found.groups()
    if kind == "intervals":
        return f"interval[{place}]"
    return names[kind][int(place)] + (f"[{value}]" if value else "")


class SweepRecovery:
    """Decides, when the stream of a sweep has ended too early, whether and when to ask again."""

    def __init__(self, log: "SweepLog | PortfolioSweepLog", patience_s: float) -> None:
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
            raise self._log.of_arguments(error)
        self._log.begin_anew()
        return pause
