"""Conversion of the engine's results to messages. Workers do it: nothing here may import grpc."""

from collections.abc import Iterable
from math import nan
from struct import Struct

import numpy as np
from numpy.typing import NDArray

import backcast_engine
from backcast.backtest.v1 import result_pb2 as pb
from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast_engine import (
    ENGINE_VERSION,
    METRIC_NAMES,
    Coverage,
    EquityCurve,
    Metrics,
    MonthlyReturn,
    ResultPart,
    Trade,
)
from services.wire.breaks import break_to
from services.wire.candles import timestamp_to

# See ComputedResult.metrics.
_METRICS = Struct(f"<{len(METRIC_NAMES)}d")
PACKED_METRICS_BYTES = _METRICS.size


def packed_metrics(metrics: Metrics) -> bytes:
    """Return metrics as ComputedResult has them; `unpacked_metrics` reads them."""
    figures = (getattr(metrics, name) for name in METRIC_NAMES)
    return _METRICS.pack(*(nan if figure is None else figure for figure in figures))


def unpacked_metrics(packed: Iterable[bytes]) -> NDArray[np.float64]:
    """Return the metrics of k results: float64 of shape (k, number of METRIC_NAMES), NaN if undefined."""
    return np.frombuffer(b"".join(packed), "<f8").reshape(-1, len(METRIC_NAMES))


def result_message(result: backcast_engine.BacktestResult) -> BacktestResult:
    """Return the message of a result, without the fields that say of which crypto and which data it is."""
    return BacktestResult(
        metrics=metrics_message(result.metrics),
        coverage=_coverage_message(result.coverage),
        warmup_candles=result.warmup_candles,
        trades=map(trade_message, result.trades),
        equity_curve=_equity_message(result.equity_curve) if result.equity_curve else None,
        engine_version=ENGINE_VERSION,
        monthly_returns=map(monthly_return_message, result.monthly_returns),
        breaks=map(break_to, result.breaks),
        parts=map(_part_message, result.parts),
    )


def metrics_message(metrics: Metrics) -> pb.Metrics:
    """Return the message of metrics."""
    # None leaves a field absent, as a figure that is undefined has to be.
    return pb.Metrics(**{name: getattr(metrics, name) for name in METRIC_NAMES})


def _part_message(part: ResultPart) -> pb.ResultPart:
    return pb.ResultPart(
        first_candle_time=timestamp_to(part.first_candle_s),
        last_candle_time=timestamp_to(part.last_candle_s),
        metrics=metrics_message(part.metrics),
    )


def _coverage_message(coverage: Coverage) -> pb.Coverage:
    return pb.Coverage(
        expected_candles=coverage.expected_candles,
        missing_candles=coverage.missing_candles,
        longest_gap_candles=coverage.longest_gap_candles,
        first_candle_time=timestamp_to(coverage.first_candle_s),
        last_candle_time=timestamp_to(coverage.last_candle_s),
        missing_hours=coverage.missing_hours,
    )


def trade_message(trade: Trade) -> pb.Trade:
    """Return the message of a trade."""
    return pb.Trade(
        entry_time=timestamp_to(trade.entry_time_s),
        entry_price=trade.entry_price,
        units=trade.units,
        exit_time=None if trade.exit_time_s is None else timestamp_to(trade.exit_time_s),
        exit_price=trade.exit_price,
        fees_paid=trade.fees_paid,
        profit=trade.profit,
        return_fraction=trade.return_fraction,
        held_candles=trade.held_candles,
        open=trade.open,
        # The engine's reasons have the numbers of the API's.
        exit_reason=pb.ExitReason.ValueType(trade.exit_reason),
        worst_excursion=trade.worst_excursion,
        best_excursion=trade.best_excursion,
        borrow_paid=trade.borrow_paid,
        funding_paid=trade.funding_paid,
    )


def _equity_message(curve: EquityCurve) -> pb.EquityCurve:
    return pb.EquityCurve(
        open_time_s=curve.open_time_s.tolist(),
        equity=curve.equity.tolist(),
        drawdown=curve.drawdown.tolist(),
    )


def monthly_return_message(month: MonthlyReturn) -> pb.MonthlyReturn:
    """Return the message of a month's return."""
    return pb.MonthlyReturn(year=month.year, month=month.month, return_fraction=month.return_fraction)
