"""A connection that is too old is replaced by a new one; the streams on it go on."""

import asyncio
from pathlib import Path

import grpc

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.end_to_end.one_service import service_beside
from tests.waiting import LIMIT_S


async def test_a_run_outlives_its_connections_age(
    stack: LocalStack, market: dict[str, Candles], tmp_path: Path
) -> None:
    request = pb.RunBacktestsRequest(
        symbols=market,
        spec=BacktestSpec(strategy=strategy_to(Rsi())),
        detail=3,
        cache_mode=pb.CACHE_MODE_BYPASS,
    )
    async with (
        service_beside(stack, "gateway", tmp_path, connection_max_age_s=0.2) as gateway,
        open_channel(gateway.address) as channel,
        asyncio.timeout(LIMIT_S),
    ):
        call = BacktestServiceStub(channel).RunBacktests(request)
        events = [await anext(aiter(call))]
        for _ in range(2):
            # The server has said that it takes no more calls on the connection.
            await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
            await channel.channel_ready()
        events += [event async for event in call]
    assert events[-1].summary.progress.completed == len(market)
