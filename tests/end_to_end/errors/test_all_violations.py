"""Every method of every service names all bad fields of a request at once."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from backcast.compute.v1 import compute_service_pb2
from backcast.gateway.v1 import backtest_service_pb2, portfolio_service_pb2, run_service_pb2
from backcast.marketdata.v1 import feed_service_pb2, fetch_service_pb2, market_data_service_pb2
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.rpc.status import violations_of

FILES = (
    *(backtest_service_pb2, portfolio_service_pb2, run_service_pb2),
    *(market_data_service_pb2, feed_service_pb2, fetch_service_pb2, compute_service_pb2),
)
METHODS: dict[str, MethodDescriptor] = {
    f"{name}.{method.name}": method
    for file in FILES
    for name, service in file.DESCRIPTOR.services_by_name.items()
    for method in service.methods
}

# What an unset time is in some languages.
NO_TIME = "0001-01-01T00:00:00Z"
NO_SYMBOL = "A B"
JUNK = "junk"

EXECUTION: dict[str, Any] = {
    **{"feeRate": 2, "slippageBps": -1, "initialCapital": 0, "fillTime": 9, "direction": 9},
    **{"volatilityTarget": {"annualVolatility": -1, "period": 0}, "stopLoss": {"fraction": 2}},
    **{"takeProfit": {}, "trailingStop": {"atrMultiple": -1}, "atrPeriod": 0, "borrowRate": 1_000},
    **{"fundingRate": 1_000, "breakRule": 9},
}
EXECUTION_FIELDS = {
    *("fee_rate", "slippage_bps", "initial_capital", "fill_time", "direction"),
    *("volatility_target.annual_volatility", "volatility_target.period", "stop_loss.fraction"),
    *("take_profit", "trailing_stop.atr_multiple", "atr_period", "borrow_rate", "funding_rate", "break_rule"),
}
RULES: dict[str, Any] = {
    "entry": {"function": "FUNCTION_LESS", "arguments": [{"column": 77}, {"function": 77}]},
    "exit": {"function": "FUNCTION_GREATER", "arguments": [{"column": "COLUMN_CLOSE"}]},
}
RULES_FIELDS = {"rules.entry.arguments[0]", "rules.entry.arguments[1]", "rules.exit"}
MA_CROSS = {"fast": 0, "slow": -1, "kind": 7}
MA_CROSS_FIELDS = {"ma_cross.fast", "ma_cross.slow", "ma_cross.kind"}


def spec(strategy: dict[str, Any], **fields: Any) -> dict[str, Any]:
    times = {"startTime": NO_TIME, "endTime": NO_TIME}
    return {"strategy": strategy, "interval": 77, **times, "execution": EXECUTION, **fields}


def spec_fields(*strategy_fields: str, times: tuple[str, ...] = ("start_time", "end_time")) -> set[str]:
    return {
        *("spec.interval", *(f"spec.{time}" for time in times)),
        *(f"spec.execution.{field}" for field in EXECUTION_FIELDS),
        *(f"spec.strategy.{field}" for field in strategy_fields),
    }


# A range's values and a crypto's chunks are checked with the rest; what a window cuts needs the window.
RANGES: list[dict[str, Any]] = [
    {"name": "fast", "values": [5, True, "x", 0]},
    {"name": "nope", "values": [1]},
    {"name": "slow", "values": []},
]
RANGES_FIELDS = {"ranges[0].values[1]", "ranges[0].values[2]", "ranges[0].values[3]", "ranges[1].name"}

SETTINGS: list[dict[str, Any]] = [
    {"name": "nope", "values": [{}]},
    {"name": "fee_rate", "values": [{"feeRate": 2}]},
]
SETTINGS_FIELDS = {"execution_ranges[0].name", "execution_ranges[1].values[0].fee_rate"}

PORTFOLIO: dict[str, Any] = {
    "strategies": [
        {"strategy": {"maCross": MA_CROSS}, "weight": -1},
        {"strategy": {"rsi": {"period": 1}}, "weight": 1},
        {},
    ],
    **{
        "interval": 77,
        "startTime": NO_TIME,
        "endTime": NO_TIME,
        "execution": {"feeRate": 2, "takeProfit": {}},
    },
    **{"maxPositions": 0, "rank": {"column": 77}, "size": 77, "rebalancing": {"threshold": 2}},
}
PORTFOLIO_FIELDS = {
    *("spec.strategies", "spec.strategies[0].weight", "spec.strategies[1].strategy.rsi.period"),
    *(f"spec.strategies[0].strategy.{field}" for field in MA_CROSS_FIELDS),
    *("spec.strategies[2].strategy", "spec.interval", "spec.start_time", "spec.execution.fee_rate"),
    *("spec.execution.take_profit", "spec.max_positions", "spec.rank", "spec.size"),
    *("spec.rebalancing.every", "spec.rebalancing.threshold"),
}

# For each method: a request, or the messages of one, and the fields that it has wrong.
CASES: dict[str, tuple[dict[str, Any] | list[dict[str, Any]], set[str]]] = {
    "BacktestService.RunBacktests": (
        {
            **{"symbols": ["BTCUSDT", NO_SYMBOL], "exclude": ["?"], "spec": spec({"maCross": MA_CROSS})},
            **{"detail": 77, "cacheMode": 77, "curvePoints": 3, "runId": "a b", "maxResultsPerEvent": -1},
        },
        {
            *("symbols[1]", "exclude[0]", *spec_fields(*MA_CROSS_FIELDS)),
            *("detail", "cache_mode", "curve_points", "run_id", "max_results_per_event"),
        },
    ),
    "BacktestService.RunBacktest": (
        {
            **{"symbol": NO_SYMBOL, "spec": spec({"rules": RULES}), "detail": 77, "cacheMode": 77},
            **{"curvePoints": 3, "runId": "a b", "pageToken": JUNK},
        },
        {
            *("symbol", *spec_fields(*RULES_FIELDS)),
            *("detail", "cache_mode", "curve_points", "run_id", "page_token"),
        },
    ),
    "BacktestService.SweepBacktests": (
        {
            **{"symbols": ["BTCUSDT", NO_SYMBOL], "exclude": ["?"], "ranges": RANGES},
            **{"spec": spec({"maCross": {"fast": 0, "slow": -1, "kind": 7}}), "cacheMode": 77, "split": 2},
            **{"metric": 77, "bestTrialCount": -1, "minTrades": -1, "curvePoints": 3, "runId": "a b"},
            **{"executionRanges": SETTINGS, "intervals": [77], "search": {"method": 77}},
        },
        {
            # `fast` and `slow` take their values from their ranges.
            *("symbols[1]", "exclude[0]", *spec_fields("ma_cross.kind"), *RANGES_FIELDS, "ranges[2].values"),
            *("cache_mode", "split", "metric", "best_trial_count", "min_trades", "curve_points", "run_id"),
            *(*SETTINGS_FIELDS, "intervals[0]", "search.method"),
        },
    ),
    "BacktestService.ListStrategies": ({"pageSize": -1, "pageToken": JUNK}, {"page_size", "page_token"}),
    "BacktestService.ParseRules": (
        {"entry": "close <", "exit": "nope", "series": "close > 3", "interval": 77},
        {"entry", "exit", "series"},
    ),
    "BacktestService.DescribeStrategy": (
        {"strategy": {"bollinger": {"period": 0, "width": -1, "exitBand": 9}}},
        {f"strategy.bollinger.{field}" for field in ("period", "width", "exit_band")},
    ),
    "BacktestService.StreamSeries": (
        {"symbol": NO_SYMBOL, "spec": spec({"maCross": MA_CROSS}), "runId": "a b"},
        {"symbol", *spec_fields(*MA_CROSS_FIELDS), "run_id"},
    ),
    "BacktestService.ListCryptos": ({"pageSize": -1, "pageToken": JUNK}, {"page_size", "page_token"}),
    "PortfolioService.RunPortfolio": (
        {
            **{"symbols": ["BTCUSDT", NO_SYMBOL], "exclude": ["?"]},
            **{"spec": {**PORTFOLIO, "benchmark": NO_SYMBOL}, "detail": 77, "cacheMode": 77},
            **{"curvePoints": 3, "runId": "a b"},
        },
        {
            *("symbols[1]", "exclude[0]", *PORTFOLIO_FIELDS, "spec.end_time", "spec.benchmark"),
            *("detail", "cache_mode", "curve_points", "run_id"),
        },
    ),
    "PortfolioService.SweepPortfolios": (
        {
            **{"symbols": ["BTCUSDT", NO_SYMBOL], "exclude": ["?"]},
            **{"spec": {**PORTFOLIO, "benchmark": NO_SYMBOL}, "cacheMode": 77, "executionRanges": SETTINGS},
            "ranges": [{"name": "oversold", "values": [30, "x", 1000]}, {"name": "nope", "values": [1]}],
            "portfolioRanges": [
                {"name": "nope", "values": [{}]},
                {"name": "max_positions", "values": [{"maxPositions": 0}, {"benchmark": "A"}]},
            ],
            **{"split": 2, "metric": 77, "bestCount": -1, "minTrades": -1, "runId": "a b"},
            **{"intervals": [77], "search": {"combinationCount": 0}, "curvePoints": 2},
        },
        {
            *("intervals[0]", "search.combination_count", "curve_points"),
            *("symbols[1]", "exclude[0]", *PORTFOLIO_FIELDS - {"spec.max_positions"}),
            *("spec.end_time", "spec.benchmark", "cache_mode", "run_id", *SETTINGS_FIELDS),
            *("ranges[0].values[1]", "ranges[0].values[2]"),
            *("ranges[1].name", "portfolio_ranges[0].name", "portfolio_ranges[1].values[1]"),
            *("portfolio_ranges[1].values[0].max_positions", "split", "metric", "best_count", "min_trades"),
        },
    ),
    "RunService.ListRuns": ({"pageSize": -1, "pageToken": JUNK}, {"page_size", "page_token"}),
    "RunService.CancelRun": ({"runId": ""}, {"run_id"}),
    "RunService.WatchRun": (
        {"runId": "", "afterSequence": -1, "maxResultsPerEvent": -1},
        {"run_id", "after_sequence", "max_results_per_event"},
    ),
    "MarketDataService.ListCryptos": (
        {"pageSize": -1, "pageToken": JUNK, "beforeTime": NO_TIME},
        {"page_size", "page_token", "before_time"},
    ),
    "MarketDataService.GetCandles": (
        {
            **{"symbol": NO_SYMBOL, "interval": 77, "startTime": NO_TIME, "endTime": NO_TIME},
            **{"pageSize": -1, "pageToken": JUNK},
        },
        {"symbol", "interval", "start_time", "end_time", "page_size", "page_token"},
    ),
    "MarketDataService.StreamCandles": (
        {
            **{"symbols": [NO_SYMBOL, "BTCUSDT", "?"], "interval": 77, "columns": [1, 77, 78]},
            **{"startTime": NO_TIME, "endTime": NO_TIME, "knownFingerprints": [""]},
        },
        {
            *("symbols[0]", "symbols[2]", "interval", "columns[1]", "columns[2]", "start_time", "end_time"),
            "known_fingerprints",
        },
    ),
    "MarketDataService.ImportCandles": (
        [
            {
                "header": {
                    **{"symbol": NO_SYMBOL, "interval": 3, "onConflict": 9, "candleCount": -1},
                    **{"synthetic": True, "source": NO_SYMBOL},
                    "askedHours": {"startTime": NO_TIME, "endTime": "2024-01-01T00:30:00Z"},
                }
            }
        ],
        {
            *("header.symbol", "header.interval", "header.on_conflict", "header.candle_count"),
            *("header.synthetic", "header.source"),
            *("header.asked_hours.start_time", "header.asked_hours.end_time"),
        },
    ),
    "MarketDataService.DeleteCrypto": ({"symbol": NO_SYMBOL}, {"symbol"}),
    "MarketDataService.ListBreaks": (
        {"symbol": NO_SYMBOL, "pageSize": -1, "pageToken": JUNK},
        {"symbol", "page_size", "page_token"},
    ),
    "MarketDataService.UpdateBreak": (
        {"symbol": NO_SYMBOL, "afterTime": NO_TIME, "state": 77},
        {"symbol", "after_time", "state"},
    ),
    "FeedService.ListFeeds": ({"pageSize": -1, "pageToken": JUNK}, {"page_size", "page_token"}),
    "FeedService.TakeFeedLease": (
        {"exchange": NO_SYMBOL, "quote": NO_SYMBOL, "hourTime": "9999-01-01T00:00:00Z"},
        {"exchange", "quote", "hour_time", "follower"},
    ),
    "FeedService.RecordFeedRound": (
        {
            **{"exchange": "Binance", "quote": "usdt", "hourTime": NO_TIME, "follower": "x" * 129},
            **{"cryptoCount": -1, "failedCount": -1, "leftOutCount": -1, "failure": "x" * 1001},
            **{"insertedCount": -1, "correctedCount": -1, "endedSymbols": ["BTCUSDT", NO_SYMBOL]},
        },
        {
            *("exchange", "quote", "hour_time", "follower", "crypto_count", "failed_count"),
            *("left_out_count", "failure", "inserted_count", "corrected_count", "ended_symbols[1]"),
        },
    ),
    "FeedService.ReleaseFeed": (
        {"exchange": NO_SYMBOL, "quote": NO_SYMBOL},
        {"exchange", "quote", "follower"},
    ),
    "FetchService.CreateFetch": (
        {
            "spec": {
                **{"symbols": [NO_SYMBOL, "BTCUSDT.P"], "startTime": "9999-01-01T00:00:00Z"},
                **{"delisted": True},
            }
        },
        {
            *("spec.exchange", "spec.symbols[0]", "spec.symbols[1]", "spec.start_time", "spec.delisted"),
        },
    ),
    "FetchService.ListFetches": ({"pageSize": -1, "pageToken": JUNK}, {"page_size", "page_token"}),
    "FetchService.CancelFetch": ({"fetchId": JUNK}, {"fetch_id"}),
    "FetchService.TakeFetch": (
        {"fetcher": "", "exchanges": ["binance", NO_SYMBOL]},
        {"fetcher", "exchanges[1]"},
    ),
    "FetchService.ReleaseFetch": ({"fetcher": ""}, {"fetcher"}),
    "FetchService.RecordFetch": (
        {
            **{"fetchId": JUNK, "fetcher": "x" * 129, "doneSymbols": ["BTCUSDT", NO_SYMBOL]},
            **{"error": "x" * 1001},
            "progress": {
                **{"cryptoCount": -1, "failedCount": -1, "insertedCount": -1, "correctedCount": -1},
                **{"unchangedCount": -1, "symbol": NO_SYMBOL, "reachedTime": NO_TIME},
                "failures": [{"symbol": NO_SYMBOL, "reason": "x" * 1001}],
            },
        },
        {
            *("fetch_id", "fetcher", "done_symbols[1]", "error"),
            *(
                f"progress.{name}"
                for name in (
                    *("crypto_count", "failed_count", "inserted_count", "corrected_count"),
                    *("unchanged_count", "symbol", "reached_time"),
                    *("failures[0].symbol", "failures[0].reason"),
                )
            ),
        },
    ),
    "ComputeService.ComputeBacktests": (
        {
            **{"cryptos": [{"symbol": "A"}, {"symbol": "A"}, {"symbol": "?"}], "detail": 77},
            **{"spec": spec({"maCross": MA_CROSS}), "curvePoints": 3, "otherCryptos": [{"symbol": "?"}]},
        },
        {
            *("cryptos[1].symbol", "cryptos[2].symbol", "other_cryptos[0].symbol", "detail", "curve_points"),
            *spec_fields(*MA_CROSS_FIELDS, times=("start_time",)),
        },
    ),
    "ComputeService.ComputeSweep": (
        {
            **{"cryptos": [{"crypto": {"symbol": "?"}}], "spec": spec({"maCross": {"kind": 7}})},
            **{"ranges": RANGES[:2], "windows": [{}], "chunkSize": 0, "stretches": [-1]},
            **{"otherCryptos": [{"symbol": "?"}], "executionRanges": SETTINGS, "positions": [-1]},
        },
        {
            *("cryptos[0].crypto.symbol", *spec_fields("ma_cross.kind", times=("start_time",))),
            *(*RANGES_FIELDS, "windows", "chunk_size", "stretches"),
            *("other_cryptos[0].symbol", *SETTINGS_FIELDS),
        },
    ),
    "ComputeService.ComputePortfolios": (
        {
            **{"cryptos": [{"symbol": "A"}, {"symbol": "?"}], "detail": 77, "curvePoints": 3},
            **{"specs": [{**PORTFOLIO, "benchmark": "B"}], "otherCryptos": [{"symbol": "?"}]},
        },
        {
            *("cryptos[1].symbol", "other_cryptos[0].symbol", "specs[0].benchmark", "detail", "curve_points"),
            *(field.replace("spec.", "specs[0].", 1) for field in PORTFOLIO_FIELDS),
        },
    ),
    "ComputeService.ComputeSeries": (
        {
            **{"crypto": {"symbol": "?"}, "spec": spec({"rules": RULES})},
            **{"skippedCandleCount": -1, "otherCryptos": [{"symbol": "?"}]},
        },
        {
            *("crypto.symbol", "skipped_candle_count", "other_cryptos[0].symbol"),
            *spec_fields(*RULES_FIELDS, times=("start_time",)),
        },
    ),
}
# No value of these is bad: unknown symbols and versions are ignored.
NEVER_BAD = {
    "MarketDataService.ListCryptos": {"symbols", "known_version"},
    "FeedService.RecordFeedRound": {"complete", "done", "rechecked"},
    "FetchService.RecordFetch": {"finished"},
}
# These are checked when all else is right.
CHECKED_LATER = {
    "BacktestService.ParseRules": {"interval"},
    "ComputeService.ComputeSweep": {"positions"},
}


@pytest.fixture
async def channels(stack: LocalStack) -> AsyncIterator[dict[str, grpc.aio.Channel]]:
    """Channels to the services by the names of the services that clients call there."""
    async with open_channel(stack.gateway_address) as gateway, open_channel(stack.compute_address) as compute:
        gateway_services = ("BacktestService", "PortfolioService", "RunService")
        services = (*gateway_services, "MarketDataService", "FeedService", "FetchService")
        yield {**dict.fromkeys(services, gateway), "ComputeService": compute}


async def failure_of(channel: grpc.aio.Channel, method: MethodDescriptor, messages: list[Message]) -> Any:
    kind = "_".join(
        "stream" if streaming else "unary" for streaming in (method.client_streaming, method.server_streaming)
    )
    call: Any = getattr(channel, kind)(
        f"/{method.containing_service.full_name}/{method.name}", lambda message: message.SerializeToString()
    )
    called = call(iter(messages) if method.client_streaming else messages[0])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [message async for message in called] if method.server_streaming else await called
    return caught.value


def headers_size(error: grpc.aio.AioRpcError) -> int:
    """Return about how many bytes of headers a call ended with; gRPC's clients may refuse more than 8 KiB."""
    trailing = sum(32 + len(key) + 4 * len(value) // 3 for key, value in error.trailing_metadata())
    return trailing + 32 + len(quote(error.details() or "", safe=" -~"))


@pytest.mark.parametrize("name", METHODS)
async def test_all_that_is_wrong_with_a_request_is_named_at_once(
    channels: dict[str, grpc.aio.Channel], name: str
) -> None:
    method, (asked, fields) = METHODS[name], CASES[name]
    kind = GetMessageClass(method.input_type)
    messages = [ParseDict(each, kind()) for each in (asked if isinstance(asked, list) else [asked])]
    error = await failure_of(channels[name.partition(".")[0]], method, messages)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert {violation.field for violation in violations_of(error)} == fields
    assert headers_size(error) < 8_000
    # Whoever adds a field to a request says here how it can be wrong.
    bad = {field.partition(".")[0].partition("[")[0] for field in fields}
    if not method.client_streaming:
        cut = {"fold_count"} & set(kind.DESCRIPTOR.fields_by_name) if "split" in bad else set()
        others = NEVER_BAD.get(name, set()) | CHECKED_LATER.get(name, set())
        assert bad | cut | others == set(kind.DESCRIPTOR.fields_by_name)
