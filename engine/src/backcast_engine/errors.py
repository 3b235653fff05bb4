"""Errors whose messages are meant for people. Each service translates them to gRPC statuses at its edge."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import ParamSpec, TypeVar

_T = TypeVar("_T")
_P = ParamSpec("_P")


class ErrorReason(StrEnum):
    """Why a call failed, for programs: clients find it in google.rpc.ErrorInfo.

    docs/errors.md explains each of them. A reason keeps its name and its meaning for ever.
    """

    CANDLES_CHANGING = "CANDLES_CHANGING"
    CANDLES_CONFLICT = "CANDLES_CONFLICT"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    INVALID_REQUEST = "INVALID_REQUEST"
    INVALID_RULES = "INVALID_RULES"
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
    TOO_MANY_UPLOADS = "TOO_MANY_UPLOADS"
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
    """One invalid field of a request: its path (`execution.fee_rate`) and the reason."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class InvalidInput(BackcastError):
    """The request is invalid, whatever the state of the system."""

    reason = ErrorReason.INVALID_REQUEST

    def __init__(self, *violations: Violation, reason: ErrorReason | None = None, **metadata: str) -> None:
        super().__init__(*violations, reason=reason, **metadata)
        self.violations = violations

    def __str__(self) -> str:
        return "; ".join(map(str, self.violations))

    @classmethod
    def of(cls, field: str, reason: str) -> "InvalidInput":
        """Make the error for a single invalid field."""
        return cls(Violation(field, reason))


# More would not fit into the headers that end a call: 8 KiB, in which bytes are encoded as text.
_MOST_CHARACTERS = 2_500


class Violations:
    """Collects what is wrong with a request, so that one error reports all of it.

    An error has at most some thousands of characters; violations that do not fit are left out.
    """

    def __init__(self) -> None:
        self._found: list[Violation] = []
        self._fields: set[str] = set()

    def add(self, *violations: Violation) -> None:
        """Take in violations, except those of fields that were found wrong before."""
        self._found += [violation for violation in violations if violation.field not in self._fields]
        self._fields.update(violation.field for violation in violations)

    def read(self, default: _T, reading: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what `reading` returns, or `default` where it raises InvalidInput, which is collected.

        Of a field that an earlier reading found wrong, no more is collected: its value is a default.
        """
        try:
            return reading(*args, **kwargs)
        except InvalidInput as error:
            self.add(*error.violations)
            return default

    def raise_if_any(self, others: Callable[[], Iterable[Violation]] = tuple) -> None:
        """Raise InvalidInput if there are violations; the error also names those that `others` returns."""
        if self._found:
            self.add(*others())
            lengths = accumulate(len(str(violation)) for violation in self._found)
            kept = [
                one for one, length in zip(self._found, lengths, strict=True) if length <= _MOST_CHARACTERS
            ]
            raise InvalidInput(*(kept or self._found[:1]))


class NotFound(BackcastError):
    """The requested item does not exist."""

    reason = ErrorReason.NOT_FOUND


class Refused(BackcastError):
    """The request is valid, but the state of the data forbids it."""

    reason = ErrorReason.REFUSED
