"""What can go wrong, in the domain's words. The edge of each service turns these into gRPC statuses."""

from dataclasses import dataclass
from enum import StrEnum


class ErrorReason(StrEnum):
    """Why a call failed, for programs: clients find it in google.rpc.ErrorInfo.

    docs/errors.md says what each of them means. A reason keeps its name and its meaning for ever.
    """

    CANDLES_CHANGING = "CANDLES_CHANGING"
    CANDLES_CONFLICT = "CANDLES_CONFLICT"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    INVALID_REQUEST = "INVALID_REQUEST"
    NOT_CACHED = "NOT_CACHED"
    NOT_FOUND = "NOT_FOUND"
    NO_CANDLES = "NO_CANDLES"
    NO_CANDLES_IN_WINDOW = "NO_CANDLES_IN_WINDOW"
    PRICES_OUT_OF_RANGE = "PRICES_OUT_OF_RANGE"
    REFUSED = "REFUSED"
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
    RIGHT_MISSING = "RIGHT_MISSING"
    RUN_ALREADY_EXISTS = "RUN_ALREADY_EXISTS"
    RUN_CANCELLED = "RUN_CANCELLED"
    RUN_EVENTS_NOT_KEPT = "RUN_EVENTS_NOT_KEPT"
    RUN_NOT_FOUND = "RUN_NOT_FOUND"
    RUN_NOT_WATCHABLE = "RUN_NOT_WATCHABLE"
    RUN_READER_IDLE = "RUN_READER_IDLE"
    SERVICE_STOPPING = "SERVICE_STOPPING"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    TOKEN_MISSING = "TOKEN_MISSING"
    TOKEN_UNKNOWN = "TOKEN_UNKNOWN"
    TOO_FEW_CANDLES = "TOO_FEW_CANDLES"
    TOO_MANY_BACKTESTS = "TOO_MANY_BACKTESTS"
    TOO_MANY_RUNS = "TOO_MANY_RUNS"
    UNAVAILABLE = "UNAVAILABLE"
    WORKER_DIED = "WORKER_DIED"


class BackcastError(Exception):
    """Base of all errors whose message is meant for the user: one sentence, no secrets.

    `reason` and `metadata` say the same to programs. Each class has a reason of its own, which holds where no
    more exact one is given.
    """

    reason: ErrorReason = ErrorReason.INTERNAL_ERROR

    def __init__(self, *args: object, reason: ErrorReason | None = None, **metadata: str) -> None:
        super().__init__(*args)
        if reason:
            self.reason = reason
        self.metadata = metadata


@dataclass(frozen=True)
class Violation:
    """One bad field of a request: its path (`execution.fee_rate`) and what is wrong with it."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class InvalidInput(BackcastError):
    """The request cannot be served as it is, whatever the state of the system."""

    reason = ErrorReason.INVALID_REQUEST

    def __init__(self, *violations: Violation, reason: ErrorReason | None = None, **metadata: str) -> None:
        super().__init__(*violations, reason=reason, **metadata)
        self.violations = violations

    def __str__(self) -> str:
        return "; ".join(map(str, self.violations))

    @classmethod
    def of(cls, field: str, reason: str) -> "InvalidInput":
        """Make the error for a single bad field."""
        return cls(Violation(field, reason))


class NotFound(BackcastError):
    """What the request names does not exist."""

    reason = ErrorReason.NOT_FOUND


class Refused(BackcastError):
    """The request is well formed, but the data's state forbids it."""

    reason = ErrorReason.REFUSED


class Unavailable(BackcastError):
    """A part of the system that is needed does not answer; trying again later may help."""

    reason = ErrorReason.UNAVAILABLE


class Internal(BackcastError):
    """A part of a request failed of a bug, of which the service's log has more; the others go on."""


class AlreadyExists(BackcastError):
    """What the request would make is there already."""

    reason = ErrorReason.RUN_ALREADY_EXISTS


class Exhausted(BackcastError):
    """A limit does not allow it now; `retry_after_s` tells when trying again may help."""

    reason = ErrorReason.TOO_MANY_RUNS

    def __init__(
        self, message: str, retry_after_s: float, reason: ErrorReason | None = None, **metadata: str
    ) -> None:
        super().__init__(message, reason=reason, **metadata)
        self.retry_after_s = retry_after_s


class TooLarge(InvalidInput):
    """The request asks for more at once than a limit allows, so that trying again does not help."""

    reason = ErrorReason.REQUEST_TOO_LARGE


class Cancelled(BackcastError):
    """Somebody ended it."""

    reason = ErrorReason.RUN_CANCELLED


class Unauthenticated(BackcastError):
    """Nobody knows who asks."""

    reason = ErrorReason.TOKEN_UNKNOWN


class Denied(BackcastError):
    """Who asks has no right to it."""

    reason = ErrorReason.RIGHT_MISSING
