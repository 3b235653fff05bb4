"""Errors of services, beside those of backcast_engine.errors that the engine raises too."""

from backcast_engine.errors import BackcastError, ErrorReason, InvalidInput


class Unavailable(BackcastError):
    """A required part of the system does not answer; a retry may help."""

    reason = ErrorReason.UNAVAILABLE


class Internal(BackcastError):
    """A part of a request failed because of a bug, which the service logged; the other parts go on."""


class AlreadyExists(BackcastError):
    """The item that the request would create exists already."""

    reason = ErrorReason.RUN_ALREADY_EXISTS


class Exhausted(BackcastError):
    """A limit is reached at the moment; a retry after `retry_after_s` may help."""

    reason = ErrorReason.TOO_MANY_RUNS

    def __init__(
        self, message: str, retry_after_s: float, reason: ErrorReason | None = None, **metadata: str
    ) -> None:
        super().__init__(message, reason=reason, **metadata)
        self.retry_after_s = retry_after_s


class TooLarge(InvalidInput):
    """The request itself exceeds a limit, so that a retry does not help."""

    reason = ErrorReason.REQUEST_TOO_LARGE


class Cancelled(BackcastError):
    """The run or sweep was cancelled."""

    reason = ErrorReason.RUN_CANCELLED


class Unauthenticated(BackcastError):
    """The caller has no valid token."""

    reason = ErrorReason.TOKEN_UNKNOWN


class Denied(BackcastError):
    """The caller lacks the right."""

    reason = ErrorReason.RIGHT_MISSING
