"""Bad requests end in a status that names the field and the reason, and harm nobody else."""

import math
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1 import strategy_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.marketdata.v1 import market_data_service_pb2 as md
from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from services.rpc.status import violations_of
from services.wire.candles import candles_to
from tests.candle_making import events_of, random_candles
from tests.requests import with_spec

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

Fields = dict[str, Any]


async def failure_of(
    gateway: "BacktestServiceAsyncStub", request: pb.RunBacktestsRequest
) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [event async for event in events_of(gateway, request)]
    return caught.value


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({}, "spec.strategy", "required"),
        ({"strategy": {}}, "spec.strategy", "required"),
        ({"strategy": {"rsi": {"period": 0}}}, "spec.strategy.rsi.period", "from 2 to 10000, not 0"),
        ({"strategy": {"rsi": {"period": 1_000_000_000}}}, "spec.strategy.rsi.period", "not 1000000000"),
        ({"strategy": {"rsi": {"period": -1}}}, "spec.strategy.rsi.period", "not -1"),
        ({"strategy": {"rsi": {"oversold": "NaN"}}}, "spec.strategy.rsi.oversold", "not nan"),
        ({"strategy": {"rsi": {"overbought": "Infinity"}}}, "spec.strategy.rsi.overbought", "not inf"),
        ({"strategy": {"rsi": {"oversold": 70.0}}}, "spec.strategy.rsi.oversold", "below overbought"),
        ({"strategy": {"maCross": {"fast": 50}}}, "spec.strategy.ma_cross.fast", "below slow"),
        ({"strategy": {"maCross": {"kind": 7}}}, "spec.strategy.ma_cross.kind", "SMA, EMA"),
        ({"strategy": {"bollinger": {"width": 0.0}}}, "spec.strategy.bollinger.width", "not 0"),
        ({"strategy": {"bollinger": {"exitBand": 9}}}, "spec.strategy.bollinger.exit_band", "UPPER, MIDDLE"),
        ({"strategy": {"rules": {}}}, "spec.strategy.rules.entry", "required"),
        (
            {"strategy": {"rules": {"entry": {}}}},
            "spec.strategy.rules.entry",
            "needs a number, a column, a function or",
        ),
        ({"strategy": {"rules": {"entry": {"column": 77}}}}, "spec.strategy.rules.entry", "no column 77"),
        (
            {"strategy": {"rules": {"entry": {"number": 1.0}}}},
            "spec.strategy.rules.entry",
            "must be a condition",
        ),
        (
            {"strategy": {"rules": {"entry": {"function": 6, "arguments": [{"column": 4}, {}]}}}},
            "spec.strategy.rules.entry.arguments[1]",
            "needs a number, a column, a function or a placeholder",
        ),
        (
            {"strategy": {"rules": {"entry": {"function": 6, "arguments": [{"column": 4}]}}}},
            "spec.strategy.rules.entry",
            "less takes 2 arguments, not 1",
        ),
        ({"execution": {"fillTime": 9}}, "spec.execution.fill_time", "NEXT_OPEN, SAME_CLOSE, not 9"),
        ({"execution": {"direction": 9}}, "spec.execution.direction", "LONG_SHORT, not 9"),
        ({"execution": {"stopLoss": {}}}, "spec.execution.stop_loss", "needs a fraction or an atr_multiple"),
        (
            {"execution": {"stopLoss": {"fraction": 2.0}}},
            "spec.execution.stop_loss.fraction",
            "1, not 2",
        ),
        ({"execution": {"equityFraction": 0.0}}, "spec.execution.equity_fraction", "above 0"),
        (
            {"execution": {"volatilityTarget": {}}},
            "spec.execution.volatility_target.annual_volatility",
            "above 0",
        ),
        ({"interval": 77}, "spec.interval", "77"),
        ({"detail": 77}, "detail", "77"),
        ({"cacheMode": 77}, "cache_mode", "77"),
        ({"symbols": ["RUN00USDT", "NOPEUSDT"]}, "symbols[1]", "'NOPEUSDT'"),
        ({"symbols": [""]}, "symbols[0]", "needed"),
        ({"symbols": ["A B"]}, "symbols[0]", "not a symbol"),
        ({"symbols": ["../../etc/passwd"]}, "symbols[0]", "not a symbol"),
        ({"symbols": ["'; DROP TABLE cryptos; --"]}, "symbols[0]", "not a symbol"),
        ({"symbols": ["X" * 65_536]}, "symbols[0]", "not a symbol"),
        ({"symbols": [f"X{i}" for i in range(100_000)]}, "symbols", "at most 10000"),
        ({"execution": {"feeRate": -0.1}}, "spec.execution.fee_rate", "not -0.1"),
        ({"execution": {"feeRate": 1.0}}, "spec.execution.fee_rate", "below 1"),
        ({"execution": {"feeRate": "NaN"}}, "spec.execution.fee_rate", "not nan"),
        ({"execution": {"slippageBps": 10_000.0}}, "spec.execution.slippage_bps", "below 10000"),
        ({"execution": {"feeRate": 0.1}}, "spec.execution.fee_rate", "(0.1 would be 10 %) unless"),
        ({"execution": {"slippageBps": 501.0}}, "spec.execution.slippage_bps", "execution.allow_high_costs"),
        ({"execution": {"feeRate": 1.0, "allowHighCosts": True}}, "spec.execution.fee_rate", "below 1"),
        ({"execution": {"fundingRate": 101.0}}, "spec.execution.funding_rate", "from -100 to 100"),
        ({"execution": {"initialCapital": 0.0}}, "spec.execution.initial_capital", "from 1e-09"),
        ({"execution": {"initialCapital": "Infinity"}}, "spec.execution.initial_capital", "not inf"),
        (
            {"startTime": "2024-02-01T00:00:00Z", "endTime": "2024-02-01T00:00:00Z"},
            "spec.start_time",
            "before end_time",
        ),
        ({"startTime": "2031-01-01T00:00:00Z"}, "spec.start_time", "before the end of the data"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_bad_field_is_named(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], fields: Fields, field: str, reason: str
) -> None:
    whole = {"symbols": ["RUN00USDT"], **({"strategy": {"rsi": {}}} if fields else {}), **fields}
    error = await failure_of(gateway, ParseDict(with_spec(**whole), pb.RunBacktestsRequest()))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    (violation,) = violations_of(error)
    assert violation.field == field
    assert reason in violation.reason
    assert len(error.details() or "") < 300


async def test_a_time_out_of_range_is_named(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    strategy = strategy_pb2.Strategy(rsi=strategy_pb2.Rsi())
    for bad in (Timestamp(seconds=2**62), Timestamp(seconds=-(2**62)), Timestamp(nanos=-1)):
        error = await failure_of(
            gateway, pb.RunBacktestsRequest(spec=BacktestSpec(strategy=strategy, end_time=bad))
        )
        assert [violation.field for violation in violations_of(error)] == ["spec.end_time"]


async def test_all_bad_parameters_are_named_at_once(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    fields = {"strategy": {"rsi": {"period": 1, "oversold": -1.0}}, "execution": {"feeRate": 2.0}}
    error = await failure_of(gateway, ParseDict(with_spec(**fields), pb.RunBacktestsRequest()))
    assert [violation.field for violation in violations_of(error)] == [
        "spec.strategy.rsi.period",
        "spec.strategy.rsi.oversold",
        "spec.execution.fee_rate",
    ]


async def test_all_violations_of_a_run_are_reported_at_once(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    fields = {
        "symbols": ["RUN00USDT", "!", "A\0"],
        "exclude": ["?"],
        "strategy": {"maCross": {"kind": 7, "fast": 50}},
        "interval": 77,
        # What an unset time is in some languages.
        "startTime": "0001-01-01T00:00:00Z",
        "execution": {"feeRate": 2.0, "direction": 9},
        "detail": 77,
        "curvePoints": 3,
        "cacheMode": 77,
        "maxResultsPerEvent": 1_001,
    }
    error = await failure_of(gateway, ParseDict(with_spec(**fields), pb.RunBacktestsRequest()))
    assert sorted(violation.field for violation in violations_of(error)) == [
        *("cache_mode", "curve_points", "detail", "exclude[0]", "max_results_per_event"),
        *("spec.execution.direction", "spec.execution.fee_rate", "spec.interval", "spec.start_time"),
        *("spec.strategy.ma_cross.fast", "spec.strategy.ma_cross.kind", "symbols[1]", "symbols[2]"),
    ]


async def test_violations_found_in_the_data_come_with_those_of_the_request(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    fields = {"symbols": ["NOPE"], "strategy": {"rsi": {"period": 1}}, "execution": {"feeRate": 2.0}}
    error = await failure_of(gateway, ParseDict(with_spec(**fields), pb.RunBacktestsRequest()))
    assert [violation.field for violation in violations_of(error)] == [
        *("spec.strategy.rsi.period", "spec.execution.fee_rate", "symbols[0]")
    ]


async def test_all_violations_of_a_sweep_are_reported_at_once(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    fields = {
        "strategy": {"rsi": {"oversold": -1.0}},
        "ranges": [{"name": "period", "values": [5, True]}, {"name": "nope", "values": [1]}],
        "endTime": "0001-01-01T00:00:00Z",
        "metric": 99,
        "bestTrialCount": -1,
        "minTrades": -1,
    }
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        call = gateway.SweepBacktests(ParseDict(with_spec(**fields), pb.SweepBacktestsRequest()))
        _ = [event async for event in call]
    assert [violation.field for violation in violations_of(caught.value)] == [
        *("spec.end_time", "ranges[0].values[1]", "ranges[1].name", "spec.strategy.rsi.oversold"),
        *("metric", "best_trial_count", "min_trades"),
    ]


async def test_one_crypto_that_fails_ends_the_unary_call(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = ParseDict(
        with_spec(**{"symbol": "RUN00USDT", "strategy": {"rsi": {}}, "endTime": "2020-01-01T00:00:00Z"}),
        pb.RunBacktestRequest(),
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.RunBacktest(request)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    request.symbol, request.page_token = "", "nonsense"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.RunBacktest(request)
    assert [violation.field for violation in violations_of(caught.value)] == ["symbol", "page_token"]


async def test_a_message_over_the_limit_is_refused_and_the_service_goes_on(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    error = await failure_of(gateway, pb.RunBacktestsRequest(symbols=["X" * 5_000_000]))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await gateway.ListStrategies(pb.ListStrategiesRequest())).strategies


async def test_random_bytes_are_no_request(stack: LocalStack, market: dict[str, Candles]) -> None:
    async with grpc.aio.insecure_channel(stack.gateway_address) as channel:
        call: Any = channel.unary_stream("/backcast.gateway.v1.BacktestService/RunBacktests")
        for junk in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", np.random.default_rng(1).bytes(1000)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                _ = [event async for event in call(junk)]
            assert [violation.field for violation in violations_of(caught.value)] == ["request"]


async def test_an_expression_beyond_what_protobuf_reads_is_refused(
    stack: LocalStack, market: dict[str, Candles]
) -> None:
    def field(number: int, content: bytes) -> bytes:
        size = len(content)
        return bytes([number * 8 + 2, size % 128 + 128, size // 128]) + content

    arguments = b""
    for _ in range(150):
        arguments = field(4, arguments)
    spec = pb.RunBacktestsRequest.DESCRIPTOR.fields_by_name["spec"].number
    strategy = BacktestSpec.DESCRIPTOR.fields_by_name["strategy"].number
    async with grpc.aio.insecure_channel(stack.gateway_address) as channel:
        call: Any = channel.unary_stream("/backcast.gateway.v1.BacktestService/RunBacktests")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            _ = [event async for event in call(field(spec, field(strategy, field(12, field(1, arguments)))))]
    (violation,) = violations_of(caught.value)
    assert violation.field == "request"
    assert "nested too deeply" in violation.reason


def with_value(candles: Candles, column: str, index: int, value: float) -> Candles:
    changed = {name: np.copy(getattr(candles, name)) for name in Candles.__slots__}
    changed[column][index] = value
    return Candles(**changed)


GOOD = random_candles(5, 100)


@pytest.mark.parametrize(
    ("candles", "field", "reason"),
    [
        (with_value(GOOD, "high", 7, 0.01), "columns[7]", "high is below low"),
        (with_value(GOOD, "close", 8, math.nan), "columns[8]", "close is not a finite number"),
        (with_value(GOOD, "volume", 9, math.inf), "columns[9]", "volume is not a finite number"),
        (with_value(GOOD, "volume", 9, -1), "columns[9]", "volume is negative"),
        (with_value(GOOD, "low", 3, 0), "columns[3]", "low is not positive"),
        (with_value(GOOD, "open_time_s", 4, GOOD.open_time_s[3]), "columns[4]", "not after"),
        (with_value(GOOD, "open_time_s", 99, GOOD.open_time_s[99] + 61), "columns[99]", "1h grid"),
        (with_value(GOOD, "open_time_s", 99, 4_102_444_800), "columns[99]", "not closed yet"),
        (with_value(GOOD, "high", 6, 1.1e300), "columns[6]", "too large"),
        (Candles.empty(), "columns", "at least one candle"),
    ],
    ids=["high", "nan", "inf", "volume", "low", "duplicate", "grid", "open", "large", "empty"],
)
async def test_an_import_of_bad_candles_writes_nothing(
    data_service: "MarketDataServiceAsyncStub", candles: Candles, field: str, reason: str
) -> None:
    async def parts() -> AsyncIterator[md.ImportCandlesRequest]:
        yield md.ImportCandlesRequest(header=md.ImportHeader(symbol="BADUSDT"))
        # The first block is good: it must not be there either.
        yield md.ImportCandlesRequest(columns=candles_to(candles[:3]))
        yield md.ImportCandlesRequest(columns=candles_to(candles[3:]))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await data_service.ImportCandles(parts())
    (violation,) = violations_of(caught.value)
    assert (violation.field, caught.value.code()) == (field, grpc.StatusCode.INVALID_ARGUMENT)
    assert reason in violation.reason
    assert not (await data_service.ListCryptos(md.ListCryptosRequest(symbols=["BADUSDT"]))).cryptos


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "header"),
        ([md.ImportCandlesRequest(columns=candles_to(GOOD))], "header"),
        ([md.ImportCandlesRequest(header=md.ImportHeader(symbol=""))], "header.symbol"),
        ([md.ImportCandlesRequest(header=md.ImportHeader(symbol="A", interval=3))], "header.interval"),
        ([md.ImportCandlesRequest(header=md.ImportHeader(symbol="A"))] * 2, "columns"),
        (
            [
                md.ImportCandlesRequest(header=md.ImportHeader(symbol="A")),
                md.ImportCandlesRequest(columns={"open": b"1234567"}),
            ],
            "columns",
        ),
        (
            [
                md.ImportCandlesRequest(header=md.ImportHeader(symbol="A")),
                md.ImportCandlesRequest(columns={"open": b"12345678"}),
            ],
            "columns",
        ),
        (
            [
                md.ImportCandlesRequest(header=md.ImportHeader(symbol="A", candle_count=3)),
                md.ImportCandlesRequest(columns=candles_to(GOOD[:2])),
            ],
            "header.candle_count",
        ),
    ],
    ids=["nothing", "no header", "no symbol", "daily", "two headers", "odd bytes", "lengths", "broken off"],
)
async def test_a_malformed_import_names_the_part(
    data_service: "MarketDataServiceAsyncStub", messages: list[md.ImportCandlesRequest], field: str
) -> None:
    async def parts() -> AsyncIterator[md.ImportCandlesRequest]:
        for message in messages:
            yield message

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await data_service.ImportCandles(parts())
    assert [violation.field for violation in violations_of(caught.value)] == [field]


async def test_unknown_symbols_are_named_by_the_data_service_too(
    data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [
            response
            async for response in data_service.StreamCandles(
                md.StreamCandlesRequest(symbols=["RUN00USDT", "NO"])
            )
        ]
    assert [violation.field for violation in violations_of(caught.value)] == ["symbols[1]"]
