"""Why an exchange gives no candles, or they cannot be stored."""

from backcast_engine.errors import BackcastError, ErrorReason, Refused
from backcast_engine.times import utc
from services.domain.errors import Unavailable

# Of the reason of a failure, as the data service takes it.
_MOST_CHARACTERS = 1000


class Unanswered(Unavailable):
    """The exchange gave no usable answer; asking again may help."""


class Unreachable(Unavailable):
    """The exchange cannot be reached from here; asking again at once does not help."""


class Forbidden(BackcastError):
    """The exchange refuses to answer this machine."""

    reason = ErrorReason.UNAVAILABLE


class Banned(BackcastError):
    """The exchange has banned this machine for some time, because it was asked too often."""

    reason = ErrorReason.UNAVAILABLE

    def __init__(self, exchange: str, until_s: float) -> None:
        super().__init__(
            f"{exchange} has banned this machine until {utc(int(until_s))}, because it was asked too often"
        )
        self.until_s = until_s


class Unwritten(BackcastError):
    """The data service answers, and cannot write candles: it is not away, and the candles are not refused."""

    reason = ErrorReason.SERVICE_UNAVAILABLE


class Conflicting(Refused):
    """The data service refuses candles, because they do not fit those that are stored of the crypto."""


def shortened(reason: str) -> str:
    """Return a reason as the data service takes it: where it is too long, it ends with an ellipsis."""
    return reason if len(reason) <= _MOST_CHARACTERS else f"{reason[: _MOST_CHARACTERS - 1]}…"
