"""Streams of gRPC-Web that no stack has to compute: 5,000 results, and a sweep of 10,000 combinations."""

import struct
from collections.abc import Iterable

import numpy as np
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.result_pb2 import BacktestResult, Metrics
from backcast.backtest.v1.strategy_pb2 import MaCross, Rsi, Strategy
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.run_events_pb2 import Progress, RunResults, RunSummary
from backcast.gateway.v1.sweep_pb2 import AcrossCryptos, SweepProgress, SweepRow, SweepRows, SweepSummary

_IN_ONE_MESSAGE = 50
_TRAILERS = b"grpc-status: 0\r\n"
# Values of each of two parameters.
SIDE = 100


def results_stream(count: int) -> bytes:
    """Return a run with this number of results, from its start to its summary."""
    random = np.random.default_rng(count)
    results = [
        BacktestResult(symbol=f"SYN{number:04}USDT", metrics=_metrics(random)) for number in range(count)
    ]
    asked = pb.RunBacktestsRequest(
        symbols=[result.symbol for result in results], spec=BacktestSpec(strategy=Strategy(rsi=Rsi()))
    )
    progress = Progress(completed=count, total=count)
    events = [
        pb.RunBacktestsResponse(started=pb.RunStarted(request=asked, crypto_count=count)),
        *(
            pb.RunBacktestsResponse(results=RunResults(results=results[at : at + _IN_ONE_MESSAGE]))
            for at in range(0, count, _IN_ONE_MESSAGE)
        ),
        pb.RunBacktestsResponse(summary=RunSummary(progress=progress), progress=progress),
    ]
    for sequence, event in enumerate(events, 1):
        event.sequence = sequence
    return _grpc_web(events)


def sweep_stream() -> bytes:
    """Return a sweep of SIDE by SIDE combinations, from its start to its summary."""
    random = np.random.default_rng(SIDE)
    fast, slow = range(2, SIDE + 2), range(SIDE + 10, 2 * SIDE + 10)
    combinations = [(one, other) for one in fast for other in slow]
    asked = pb.SweepBacktestsRequest(
        symbols=["SYN001USDT"],
        spec=BacktestSpec(strategy=Strategy(ma_cross=MaCross())),
        ranges=[
            ParameterRange(name=name, values=[Value(number_value=value) for value in values])
            for name, values in (("fast", fast), ("slow", slow))
        ],
    )
    count = len(combinations)
    rows = [
        SweepRow(
            combination=number,
            strategy=Strategy(ma_cross=MaCross(fast=one, slow=other)),
            crypto_count=1,
            cryptos_traded=1,
            median_trades=9,
            train=AcrossCryptos(median=_metrics(random), mean=_metrics(random)),
        )
        for number, (one, other) in enumerate(combinations)
    ]
    started = pb.SweepStarted(request=asked, combination_count=count, trial_count=count, backtest_count=count)
    progress = SweepProgress(completed=count, total=count)
    return _grpc_web(
        [
            pb.SweepBacktestsResponse(started=started),
            *(
                pb.SweepBacktestsResponse(rows=SweepRows(rows=rows[at : at + _IN_ONE_MESSAGE]))
                for at in range(0, count, _IN_ONE_MESSAGE)
            ),
            pb.SweepBacktestsResponse(summary=SweepSummary(progress=progress)),
        ]
    )


def _metrics(random: np.random.Generator) -> Metrics:
    figures = {
        field.name: float(value)
        for field, value in zip(Metrics.DESCRIPTOR.fields, random.normal(0, 1, 99), strict=False)
        if field.cpp_type == field.CPPTYPE_DOUBLE and field.name not in {"trade_count", "open_trade_count"}
    }
    return Metrics(trade_count=9, **figures)


def _grpc_web(events: Iterable[Message]) -> bytes:
    messages = (event.SerializeToString() for event in events)
    framed = [struct.pack(">BI", 0, len(message)) + message for message in messages]
    return b"".join((*framed, struct.pack(">BI", 0x80, len(_TRAILERS)), _TRAILERS))
