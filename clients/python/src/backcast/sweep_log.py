"""The events of a sweep over runs, as frames."""

from typing import Any

import numpy as np

from backcast import frames
from backcast.frames import Names, Times
from backcast.gateway.v1.backtest_service_pb2 import SweepBacktestsResponse
from backcast.result import metric_rows
from backcast.status import code_name, error_of_status
from backcast.sweep_events import BaseSweepLog
from backcast.wire import joined


class SweepLog(BaseSweepLog):
    """The events of a sweep over runs, of which a row has all cryptos."""

    def begin_anew(self) -> None:
        """Forget everything: the sweep is asked for again, and the cache answers what is computed already."""
        super().begin_anew()
        self.failures: list[Any] = []
        self.out_of_sample: list[Any] = []

    def add(self, event: SweepBacktestsResponse) -> None:
        """Note an event."""
        match event.WhichOneof("event"):
            case "started":
                self.start(event.started, event.started.backtest_count)
            case "best":
                self.best_so_far = list(event.best.trials)
            case "failure":
                self.failures.append(event.failure)
            case "out_of_sample":
                self.out_of_sample.append(event.out_of_sample)
            case _:
                super().add(event)

    def table(self) -> Any:
        """Return a frame with a row for each combination: values, medians and means over the cryptos."""
        rows = self.rows
        columns: dict[str, Any] = {
            "combination": np.array([row.combination for row in rows], np.int64),
            **self.values.columns(rows),
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
        trials = self.best_so_far
        columns: dict[str, Any] = {
            "symbol": [trial.symbol for trial in trials],
            "combination": np.array([trial.combination for trial in trials], np.int64),
            **self.values.columns(trials),
            **self._metrics(trials),
        }
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
