"""Messages of the engine's results, to compare the services' results with."""

from backcast.backtest.v1.result_pb2 import BacktestResult
from services import engine
from services.wire.results import result_message


def message_of(
    symbol: str, fingerprint: str, result: engine.BacktestResult, *, from_cache: bool = False
) -> BacktestResult:
    """Return the message that the gateway sends of a result."""
    message = result_message(result)
    message.symbol, message.data_fingerprint, message.from_cache = symbol, fingerprint, from_cache
    return message
