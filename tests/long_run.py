"""A run whose results are 25 MB: more than fits into all buffers between the gateway and a reader."""

from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.strategies.rsi import Rsi
from services.wire.backtests import strategy_to
from tests.candle_making import START_S

LONG_SYMBOLS = [f"LONG{number}USDT" for number in range(30)]
LONG_HOURS = 24 * 365 * 6
LONG_START_S = START_S - 3600 * LONG_HOURS


def long_request(run_id: str = "") -> pb.RunBacktestsRequest:
    """Return the request of the run: the equity curves of the thirty cryptos of the fixture `long_market`."""
    return pb.RunBacktestsRequest(
        run_id=run_id,
        symbols=LONG_SYMBOLS,
        spec=BacktestSpec(start_time=Timestamp(seconds=LONG_START_S), strategy=strategy_to(Rsi())),
        detail=result_pb2.DETAIL_EQUITY,
        cache_mode=pb.CACHE_MODE_BYPASS,
    )
