"""Errors of the domain. Each service translates them to gRPC statuses at its edge."""

from dataclasses import dataclass


class BackcastError(Exception):
    """Base of all errors whose message is meant for the user: one sentence, no secrets."""


@dataclass(frozen=True)
class Violation:
    """One invalid field of a request: its path (`execution.fee_rate`) and the reason."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class InvalidInput(BackcastError):
    """The request is invalid, whatever the state of the system."""

    def __init__(self, *violations: Violation) -> None:
        super().__init__(*violations)
        self.violations = violations

    def __str__(self) -> str:
        return "; ".join(map(str, self.violations))

    @classmethod
    def of(cls, field: str, reason: str) -> "InvalidInput":
        """Make the error for a single invalid field."""
        return cls(Violation(field, reason))


class NotFound(BackcastError):
    """The requested item does not exist."""


class Refused(BackcastError):
    """The request is valid, but the state of the data forbids it."""


class Unavailable(BackcastError):
    """A required part of the system does not answer; a retry may help."""


class Internal(BackcastError):
    """A part of a request failed because of a bug, which the service logged; the other parts go on."""


class AlreadyExists(BackcastError):
    """The item that the request would create exists already."""


class Exhausted(BackcastError):
    """A limit is reached at the moment; a retry after `retry_after_s` may help."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooLarge(InvalidInput):
    """The request itself exceeds a limit, so that a retry does not help."""


class Cancelled(BackcastError):
    """The run or sweep was cancelled."""


class Unauthenticated(BackcastError):
    """The caller has no valid token."""


class Denied(BackcastError):
    """The caller lacks the right."""
