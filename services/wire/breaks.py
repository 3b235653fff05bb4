"""Conversion of breaks.

Apart from candles, as their messages are: a file for each family.
"""

from backcast.marketdata.v1 import break_pb2
from backcast_engine.breaks import Break, BreakState
from backcast_engine.errors import InvalidInput
from services.wire.candles import timestamp_to

_STATES = {break_pb2.BreakState.Value(f"BREAK_STATE_{state.name}"): state for state in BreakState}
_STATE_VALUES = {state: value for value, state in _STATES.items()}


def break_from(message: break_pb2.Break) -> Break:
    """Return the break of a message, without its state, which is `state_from(message.state)`."""
    return Break(message.before_time.seconds, message.after_time.seconds, message.close, message.open)


def break_to(each: Break, state: BreakState | None = None) -> break_pb2.Break:
    """Return the message of a break; results of backtests have no state."""
    return break_pb2.Break(
        before_time=timestamp_to(each.before_s),
        after_time=timestamp_to(each.after_s),
        close=each.close,
        open=each.open,
        state=break_pb2.BREAK_STATE_UNSPECIFIED if state is None else state_to(state),
    )


def state_from(value: int) -> BreakState:
    """Return the state of an enum value; raise InvalidInput if there is no such state."""
    if value not in _STATES:
        raise InvalidInput.of("state", f"there is no state {value}" if value else "is needed")
    return _STATES[break_pb2.BreakState.ValueType(value)]


def state_to(state: BreakState) -> break_pb2.BreakState.ValueType:
    """Return the enum value of a state."""
    return _STATE_VALUES[state]
