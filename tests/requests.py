"""Requests of tests, from fields without the message in which some of them are embedded; and executions."""

from typing import Any

from backcast.backtest.v1.execution_pb2 import Execution as ExecutionMessage
from backcast_engine import Execution
from backcast_engine.errors import Violations
from services.wire.backtests import read_execution

_IN_SPEC = ("strategy", "interval", "start_time", "startTime", "end_time", "endTime", "execution")


def with_spec(**fields: Any) -> dict[str, Any]:
    """Return a request's fields with those of its backtest in `spec`."""
    spec = {name: value for name, value in fields.items() if name in _IN_SPEC}
    others = {name: value for name, value in fields.items() if name not in _IN_SPEC}
    return {**others, "spec": spec} if spec else others


def execution_of(message: ExecutionMessage) -> Execution:
    """Return the execution of a message; raise InvalidInput where a part of it cannot be read."""
    violations = Violations()
    execution = read_execution(message, violations)
    violations.raise_if_any()
    return execution
