"""Protobuf to domain and back, for breaks."""

from backcast.marketdata.v1 import break_pb2 as pb
from services.shared.breaks import Break
from services.shared.candle_messages import timestamp_to


def break_from(message: pb.Break) -> Break:
    """Return a break; its times are at full seconds. Who says that it is one is left out."""
    return Break(
        before_s=message.before_time.seconds,
        after_s=message.after_time.seconds,
        close=message.close,
        open=message.open,
    )


def break_to(found: Break) -> pb.Break:
    """Return the message of a break, without who says that it is one."""
    return pb.Break(
        before_time=timestamp_to(found.before_s),
        after_time=timestamp_to(found.after_s),
        close=found.close,
        open=found.open,
    )
