"""Messages of the engine's results, to compare the services' results with."""

import backcast_engine
from backcast.backtest.v1.result_pb2 import BacktestResult
from services.wire.results import result_message


def message_of(
    symbol: str, fingerprint: str, result: backcast_engine.BacktestResult, *, from_cache: bool = False
) -> BacktestResult:
    """Return the message that the gateway sends of a result."""
    message = result_message(result)
    message.symbol, message.data_fingerprint, message.from_cache = symbol, fingerprint, from_cache
    return message
