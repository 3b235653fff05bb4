"""One backtest: one strategy on one crypto."""

import numpy as np

from services.compute.engine.coverage import coverage
from services.compute.engine.metrics import compute_metrics
from services.compute.engine.results import BacktestResult, Detail, EquityCurve, Execution, Window
from services.compute.engine.simulation import simulate
from services.compute.engine.strategies import Signals, Strategy
from services.compute.engine.trades import trade_columns, trade_records
from services.shared.candles import VALUE_COLUMNS, Candles, PriceColumn
from services.shared.clock import utc
from services.shared.errors import NotFound, Refused
from services.shared.interval import Interval

# What fills, equity and metrics read, whatever the strategy.
_EXECUTION_COLUMNS = ("open", "close")


def columns_of(strategy: Strategy) -> tuple[str, ...]:
    """Return the columns besides the time that a backtest of `strategy` reads, in the candles' order."""
    return tuple(name for name in VALUE_COLUMNS if name in (*_EXECUTION_COLUMNS, *strategy.columns))


def run_backtest(
    candles: Candles,
    strategy: Strategy,
    interval: Interval,
    window: Window,
    execution: Execution,
    detail: Detail = Detail.METRICS,
) -> BacktestResult:
    """Backtest `strategy` in `window` on a crypto's history of candles of length `interval`.

    Indicators are computed over the window and as many candles before it as the strategy asks for and
    the history has; there is no trade in that warm-up, and equity starts at the window's first candle.
    Columns that are not in `columns_of(strategy)` may be empty.
    Raises NotFound where the window has no candle, Refused where prices are so extreme that the equity
    or a trade is beyond the numbers of a float64.
    """
    start, end = np.searchsorted(candles.open_time_s, (window.start_s, window.end_s)).tolist()
    if start >= end:
        raise NotFound(f"there are no candles in the window{_where_they_are(candles)}")
    warmup = min(strategy.warmup_candles, start)
    seen = candles[start - warmup : end]
    traded = candles[start:end]
    # Prices of 1e300 overflow: what becomes of that is looked at below, and in Metrics.
    with np.errstate(all="ignore"):
        signals = strategy.signals(seen)
        simulation = simulate(traded, Signals(signals.buy[warmup:], signals.sell[warmup:]), execution)
        trades = trade_columns(traded, simulation, execution)
        metrics = compute_metrics(traded, simulation.equity, trades, execution.initial_capital, interval)
    _require_finite(simulation.equity, trades.units, trades.entry_price, trades.fees, trades.return_fraction)
    return BacktestResult(
        metrics=metrics,
        coverage=coverage(traded.open_time_s, window, interval),
        warmup_candles=warmup,
        trades=trade_records(traded, trades) if detail >= Detail.TRADES else (),
        equity_curve=(
            EquityCurve(traded.open_time_s.copy(), simulation.equity) if detail >= Detail.EQUITY else None
        ),
    )


def _require_finite(*columns: PriceColumn) -> None:
    if not all(np.isfinite(column).all() for column in columns):
        raise Refused("its prices are too small or too great to be computed with")


def _where_they_are(candles: Candles) -> str:
    if not len(candles):
        return ""
    first_s, last_s = candles.open_time_s[[0, -1]].tolist()
    return f": the first one opens at {utc(first_s)}, the last at {utc(last_s)}"
