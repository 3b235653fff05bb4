"""The task of a backtest: its result, serialized. Workers run it: nothing here may import grpc."""

from backcast.compute.v1.computed_result_pb2 import ComputedResult
from services.domain.history import History
from services.engine import Backtest, run_backtest
from services.wire.result_parts import result_parts
from services.wire.results import packed_metrics, result_message


def computed_result(history: History, backtest: Backtest) -> list[bytes]:
    """Run a backtest as `run_backtest` does, and return its ComputedResult, serialized.

    It is without symbol and fingerprint. Of a long result each part is a ComputedResult: merged in order,
    they are the whole.
    """
    result = run_backtest(history, backtest)
    parts = result_parts(result_message(result))
    computed = [ComputedResult(parts=[part.SerializeToString()]) for part in parts]
    computed[0].metrics = packed_metrics(result.metrics)
    computed[0].has_breaks = bool(result.breaks)
    return [each.SerializeToString() for each in computed]
