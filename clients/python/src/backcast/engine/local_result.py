"""The result of a backtest in this process."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from backcast.frames import NOT_A_TIME, TRADE_NUMBERS, Columns, Names, Times, frame
from backcast.metric_tables import in_short, result_html
from backcast.plots import plot_curve
from backcast_engine import BacktestResult, Metrics
from backcast_engine.interval import Interval
from backcast_engine.results import Trade
from backcast_engine.times import utc

_PERCENT, _SIGNED, _RATIO, _MONEY, _COUNT = ".2%", "+.2%", ".2f", ",.2f", ",.0f"
# How each metric is written, in the order of the table.
_FORMS = {
    "total_return": _SIGNED,
    "buy_and_hold_return": _SIGNED,
    "cagr": _SIGNED,
    "final_equity": _MONEY,
    "annual_volatility": _PERCENT,
    "sharpe_ratio": _RATIO,
    "sortino_ratio": _RATIO,
    "calmar_ratio": _RATIO,
    "max_drawdown": _PERCENT,
    "exposure": _PERCENT,
    "trade_count": _COUNT,
    "open_trade_count": _COUNT,
    "win_rate": _PERCENT,
    "profit_factor": _RATIO,
    "expectancy": _SIGNED,
    "best_trade": _SIGNED,
    "worst_trade": _SIGNED,
    "fees_paid": _MONEY,
    "borrow_paid": _MONEY,
    "funding_paid": _MONEY,
}
_NAMES = {
    "cagr": "CAGR",
    "sharpe_ratio": "Sharpe ratio",
    "sortino_ratio": "Sortino ratio",
    "calmar_ratio": "Calmar ratio",
}


class LocalResult:
    """The result of one strategy on the candles of one crypto.

    `engine_result` is the whole result, as the engine has it.
    """

    __slots__ = ("_library", "engine_result", "interval", "symbol")

    def __init__(self, result: BacktestResult, symbol: str, interval: Interval, library: str) -> None:
        """`library` is that of frames; see `backcast.frames`."""
        self.engine_result = result
        self.symbol = symbol
        self.interval = interval.value
        self._library = library

    @property
    def metrics(self) -> Metrics:
        """The metrics; docs/backtests.md defines each of them."""
        return self.engine_result.metrics

    @property
    def first_candle(self) -> datetime:
        """Opening time of the first candle in the window."""
        return datetime.fromtimestamp(self.engine_result.coverage.first_candle_s, UTC)

    @property
    def last_candle(self) -> datetime:
        """Opening time of the last candle in the window."""
        return datetime.fromtimestamp(self.engine_result.coverage.last_candle_s, UTC)

    def stats(self) -> None:
        """Print the window and all metrics as a table."""
        rows = [(_NAMES.get(name, name.replace("_", " ")), self._written(name)) for name in _FORMS]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        print(self._headline())
        for name, value in rows:
            print(f"  {name:<{widths[0]}}  {value:>{widths[1]}}")

    def trades_frame(self) -> Any:
        """Return a frame with a row for each trade, ordered by time; its library is that of the candles."""
        return frame(_trade_columns(self.symbol, self.engine_result.trades), self._library)

    def equity_frame(self) -> Any:
        """Return a frame of time, equity and drawdown at the closes of the window."""
        time, equity, drawdown = self.curve()
        return frame({"time": Times(time), "equity": equity, "drawdown": drawdown}, self._library)

    def curve(self) -> tuple[Any, Any, Any]:
        """Return the arrays of the equity curve: opening times in Unix seconds, equity, drawdown."""
        curve = self.engine_result.equity_curve
        assert curve is not None
        return curve.open_time_s, curve.equity, curve.drawdown

    def plot(self, library: str = "auto") -> Any:
        """Draw equity and drawdown with matplotlib or plotly, and return the figure.

        `library` is auto, matplotlib or plotly; auto takes the first of the two that is installed.
        """
        return plot_curve(self.symbol, self.curve(), library)

    def __repr__(self) -> str:
        return f"<LocalResult {self.symbol}: {in_short(self.metrics)}>"

    def _repr_html_(self) -> str:
        return result_html(self.symbol, self.metrics)

    def _headline(self) -> str:
        coverage = self.engine_result.coverage
        count = coverage.expected_candles - coverage.missing_candles
        missing = f", {coverage.missing_candles:,} missing" if coverage.missing_candles else ""
        span = f"{utc(coverage.first_candle_s)} to {utc(coverage.last_candle_s)}"
        return f"{self.symbol}: {count:,} candles of {self.interval}, {span}{missing}"

    def _written(self, name: str) -> str:
        value = getattr(self.metrics, name)
        return "–" if value is None else format(value, _FORMS[name])


def _trade_columns(symbol: str, trades: tuple[Trade, ...]) -> Columns:
    def times(values: list[int | None]) -> Times:
        return Times(np.array([NOT_A_TIME if value is None else value for value in values], np.int64))

    def numbers(name: str) -> Any:
        return np.array([getattr(trade, name) for trade in trades], np.float64)

    columns: dict[str, Any] = {
        "symbol": Names([symbol], np.zeros(len(trades), np.int32)),
        "entry_time": times([trade.entry_time_s for trade in trades]),
        "exit_time": times([trade.exit_time_s for trade in trades]),
    }
    columns |= {name: numbers(name) for name in TRADE_NUMBERS}
    columns["held_candles"] = np.array([trade.held_candles for trade in trades], np.int64)
    columns["open"] = np.array([trade.open for trade in trades], np.bool_)
    columns["exit_reason"] = ["" if trade.open else trade.exit_reason.name.lower() for trade in trades]
    return columns
