"""The result of one crypto."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import numpy as np

from backcast import wire
from backcast.backtest.v1.result_pb2 import BacktestResult, ExitReason
from backcast.enumerations import short_names
from backcast.errors import RefusedError
from backcast.frames import NOT_A_TIME, TRADE_NUMBERS, Columns, Names, Times, frame
from backcast.metric_tables import in_short, result_html


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics of a backtest. Fractions, not percent: 0.12 is 12 %. An undefined metric is None.

    docs/backtests.md of the server defines each of them.
    """

    total_return: float | None = None
    final_equity: float | None = None
    buy_and_hold_return: float | None = None
    cagr: float | None = None
    annual_volatility: float | None = None
    sharpe_ratio: float | None = None
    sortino_ratio: float | None = None
    calmar_ratio: float | None = None
    max_drawdown: float | None = None
    exposure: float | None = None
    fees_paid: float | None = None
    trade_count: float | None = None
    open_trade_count: float | None = None
    win_rate: float | None = None
    profit_factor: float | None = None
    expectancy: float | None = None
    best_trade: float | None = None
    worst_trade: float | None = None
    borrow_paid: float | None = None
    funding_paid: float | None = None


METRICS = tuple(field.name for field in fields(Metrics))


def metrics_of(message: Any) -> Metrics:
    """Return the metrics of a message."""
    return Metrics(**{field.name: value for field, value in message.ListFields() if field.name in METRICS})


def metric_rows(messages: "list[Any]") -> dict[str, Any]:
    """Return a column of float64 for each metric, of messages; NaN where a metric is undefined."""
    columns = {name: np.full(len(messages), np.nan) for name in METRICS}
    for row, message in enumerate(messages):
        for field, value in message.ListFields():
            # A metric of a newer server is left out.
            if field.name in columns:
                columns[field.name][row] = value
    return columns


class Result:
    """The result of one strategy on one crypto.

    `message` is the whole result as a message of the API.
    """

    __slots__ = ("_curve", "_library", "_view", "detail")

    def __init__(self, view: Any, detail: int, library: str) -> None:
        """`view` is a BacktestResult of backcast.wire; `detail` a number of the enumeration Detail."""
        self._view = view
        self._library = library
        self._curve: tuple[Any, Any, Any] | None = None
        self.detail = detail

    @property
    def symbol(self) -> str:
        """Symbol of the crypto."""
        symbol: str = self._view.symbol
        return symbol

    @property
    def metrics(self) -> Metrics:
        """The metrics."""
        return metrics_of(self._view.metrics)

    @property
    def from_cache(self) -> bool:
        """True if the result came from the server's cache."""
        from_cache: bool = self._view.from_cache
        return from_cache

    @property
    def data_fingerprint(self) -> str:
        """Fingerprint of the candles for which the result is valid."""
        fingerprint: str = self._view.data_fingerprint
        return fingerprint

    @property
    def first_candle(self) -> datetime | None:
        """Opening time of the first candle in the window."""
        return self._candle_time("first_candle_time")

    @property
    def last_candle(self) -> datetime | None:
        """Opening time of the last candle in the window."""
        return self._candle_time("last_candle_time")

    def _candle_time(self, name: str) -> datetime | None:
        coverage = self._view.coverage
        return getattr(coverage, name).ToDatetime(UTC) if coverage.HasField(name) else None

    @property
    def message(self) -> BacktestResult:
        """The result as a message of the API."""
        return BacktestResult.FromString(self._view.SerializeToString())

    @property
    def view(self) -> Any:
        """The result as a message of backcast.wire."""
        return self._view

    def trades(self) -> Any:
        """Return a frame with a row for each trade, ordered by time."""
        self._need(2, "trades")
        return frame(trade_columns([self._view]), self._library)

    def equity(self) -> Any:
        """Return a frame of time, equity and drawdown at the closes of the window."""
        time, equity, drawdown = self.curve()
        return frame({"time": Times(time), "equity": equity, "drawdown": drawdown}, self._library)

    def curve(self) -> tuple[Any, Any, Any]:
        """Return the arrays of the equity curve: opening times in Unix seconds, equity, drawdown."""
        self._need(3, "equity")
        if self._curve is None:
            curve = self._view.equity_curve
            self._curve = (
                wire.integers(curve.open_time_s),
                wire.doubles(curve.equity),
                wire.doubles(curve.drawdown),
            )
        return self._curve

    def plot(self, library: str = "auto") -> Any:
        """Draw equity and drawdown with matplotlib or plotly, and return the figure.

        `library` is auto, matplotlib or plotly; auto takes the first of the two that is installed.
        """
        from backcast.plots import plot_curve  # noqa: PLC0415  # few draw

        return plot_curve(self.symbol, self.curve(), library)

    def _need(self, detail: int, name: str) -> None:
        if self.detail < detail:
            raise RefusedError(f"this result has no {name}: start the run with detail={name!r}")

    def __repr__(self) -> str:
        return f"<Result {self.symbol}: {in_short(self.metrics)}>"

    def _repr_html_(self) -> str:
        return result_html(self.symbol, self.metrics)


def time_column(messages: "list[Any]", name: str) -> Times:
    """Return the times of a field of messages."""
    seconds = [
        getattr(message, name).seconds if message.HasField(name) else NOT_A_TIME for message in messages
    ]
    return Times(np.array(seconds, np.int64))


def trade_columns(views: "list[Any]") -> Columns:
    """Return the columns of the trades of results."""
    trades = [trade for view in views for trade in view.trades]
    reasons = {number: name.lower() for number, name in short_names(ExitReason.DESCRIPTOR).items()} | {0: ""}
    columns: dict[str, Any] = {
        "symbol": Names.repeated([view.symbol for view in views], [len(view.trades) for view in views]),
        "entry_time": time_column(trades, "entry_time"),
        "exit_time": time_column(trades, "exit_time"),
    }
    for name in TRADE_NUMBERS:
        columns[name] = np.array([getattr(trade, name) for trade in trades], np.float64)
    is_open = np.array([trade.open for trade in trades], np.bool_)
    columns["exit_price"][is_open] = np.nan
    columns["held_candles"] = np.array([trade.held_candles for trade in trades], np.int64)
    columns["open"] = is_open
    columns["exit_reason"] = [reasons.get(trade.exit_reason, str(trade.exit_reason)) for trade in trades]
    return columns
