"""The events of a portfolio that have come so far, as frames, and the request for the others."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backcast import frames, wire
from backcast.backtest.v1 import portfolio_pb2, result_pb2
from backcast.errors import RefusedError
from backcast.frames import Names, Times
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast.gateway.v1.run_service_pb2 import WatchRunRequest
from backcast.result import metric_rows, trade_columns
from backcast.run_log import Progress

_SKIPPED = [field.name for field in portfolio_pb2.SkippedEntries.DESCRIPTOR.fields]
# Figures of the account that only a benchmark defines.
_BESIDE_BENCHMARK = ("alpha", "beta", "information_ratio")
_CURVE_NUMBERS = ("equity", "drawdown", "cash", "exposure", "hold")


class PortfolioLog:
    """The events of a portfolio, however many streams they came in."""

    def __init__(self, request: RunPortfolioRequest, library: str) -> None:
        """`library` is the one that frames are made with."""
        self.request = request
        """The request; from the event `started` on, with every default filled in."""
        self.library = library
        self.run_id = ""
        self.left_out: list[str] = []
        self.total = 0
        self.has_started = False
        """True from the event `started` on."""
        self.view: Any = None
        """The result as a message of backcast.wire; None until it has come."""
        self.summary: Any = None
        self._computed = 0
        self._sequence = 0
        self._begun: Any = None
        self._has_name = bool(request.run_id)

    @property
    def is_complete(self) -> bool:
        """True if all of its events have come."""
        return self.summary is not None

    @property
    def progress(self) -> Progress:
        """The progress so far, in cryptos whose signals are computed; it never goes back."""
        from_cache = self.total if self.view is not None and self.view.from_cache else 0
        completed = self._computed if self.view is None else self.total
        return Progress(completed, 0, from_cache, self.total)

    def add(self, event: Any) -> None:
        """Note an event, a RunPortfolioResponse of backcast.wire."""
        self._sequence = event.sequence
        match event.WhichOneof("event"):
            case "started":
                self._start(event.started)
            case "progress":
                self._computed = max(self._computed, event.progress.completed)
            case "result":
                self._add_part(event.result, is_last=not event.result_continues)
            case "result_continuation" if self._begun is not None:
                self._begun.MergeFrom(event.result_continuation)
                self._add_part(self._begun, is_last=not event.result_continues)
            case "summary":
                self.summary = event.summary

    def next_request(self) -> RunPortfolioRequest | WatchRunRequest:
        """Return the request that brings the events that are missing."""
        if not self.run_id:
            return self.request
        return WatchRunRequest(run_id=self.run_id, after_sequence=self._sequence)

    def begin_anew(self, *, keep_name: bool) -> None:
        """Let the next request start the portfolio again: its server has forgotten it."""
        self.run_id, self._sequence, self._begun = "", 0, None
        if not (keep_name and self._has_name):
            self.request.run_id = ""

    def _start(self, started: Any) -> None:
        self.has_started = True
        self.run_id, self.total = started.run_id, started.crypto_count
        self.request = RunPortfolioRequest.FromString(started.request.SerializeToString())
        self.left_out = [left.symbol for left in started.left_out]

    def _add_part(self, part: Any, *, is_last: bool) -> None:
        if is_last:
            self.view, self._begun = part, None
        else:
            self._begun = part

    @property
    def message(self) -> portfolio_pb2.PortfolioResult:
        """The result as a message of the API."""
        return portfolio_pb2.PortfolioResult.FromString(self.view.SerializeToString())

    def account(self) -> Any:
        """Return a frame with the metrics of the account, of holding all cryptos, and of the benchmark."""
        names, symbols, metrics = ["account", "hold"], ["", ""], [self.view.metrics, self.view.hold]
        if self.view.HasField("benchmark"):
            names.append("benchmark")
            symbols.append(self.view.benchmark.symbol)
            metrics.append(self.view.benchmark.metrics)
        columns: dict[str, Any] = {"name": names, "symbol": symbols, **metric_rows(metrics)}
        for name in _BESIDE_BENCHMARK:
            columns[name] = np.full(len(names), np.nan)
            if self.view.benchmark.HasField(name):
                columns[name][0] = getattr(self.view.benchmark, name)
        return self._frame(columns)

    def cryptos(self) -> Any:
        """Return a frame with a row for each crypto, ordered by symbol."""
        rows = self.view.cryptos
        columns: dict[str, Any] = {"symbol": [row.symbol for row in rows]}
        for name in ("contribution", "turnover"):
            columns[name] = np.array([getattr(row, name) for row in rows], np.float64)
        for name in ("trade_count", "open_trade_count"):
            columns[name] = np.array([getattr(row, name) for row in rows], np.int64)
        for name in _SKIPPED:
            columns[f"skipped_{name}"] = np.array([getattr(row.skipped, name) for row in rows], np.int64)
        return self._frame(columns)

    def trades(self) -> Any:
        """Return a frame with a row for each trade, in the order of their exits."""
        self._need(result_pb2.DETAIL_TRADES, "trades")
        rows = self.view.trades
        names = sorted({row.symbol for row in rows})
        places = {symbol: place for place, symbol in enumerate(names)}
        codes = np.array([places[row.symbol] for row in rows], np.int32)
        columns = dict(trade_columns([_Trades([row.trade for row in rows])]))
        del columns["symbol"]
        return self._frame(
            {
                "symbol": Names(names, codes),
                "strategy": np.array([row.strategy for row in rows], np.int64),
                **columns,
            }
        )

    def equity(self) -> Any:
        """Return a frame of the account at the closes of the window."""
        self._need(result_pb2.DETAIL_EQUITY, "equity")
        curve = self.view.curve
        columns: dict[str, Any] = {"time": Times(wire.integers(curve.open_time_s))}
        columns |= {name: wire.doubles(getattr(curve, name)) for name in _CURVE_NUMBERS}
        return self._frame({**columns, "position_count": wire.integers(curve.position_count)})

    def correlation(self) -> Any:
        """Return a frame with a row for each pair of cryptos that had positions."""
        self._need(result_pb2.DETAIL_TRADES, "trades")
        correlation = self.view.correlation
        names = list(correlation.symbols)
        rows, columns = np.tril_indices(len(names), -1)
        return self._frame(
            {
                "symbol": Names(names, rows.astype(np.int32)),
                "other": Names(names, columns.astype(np.int32)),
                "correlation": np.array(correlation.values, np.float64),
            }
        )

    def _need(self, detail: int, name: str) -> None:
        if self.request.detail < detail:
            raise RefusedError(f"this portfolio has no {name}: start it with detail={name!r}")

    def _frame(self, columns: frames.Columns) -> Any:
        return frames.frame(columns, self.library)


@dataclass(frozen=True, slots=True)
class _Trades:
    """Trades as `trade_columns` reads them, those of a result; each has a crypto of its own."""

    trades: list[Any]
    symbol: str = ""
