"""The exceptions of this package: a message is one sentence for people, attributes are for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class BackcastError(Exception):
    """Base of all exceptions of this package.

    `reason` is the server's name for what happened, such as TOO_MANY_RUNS (docs/errors.md has them all), or
    empty where gRPC or this package found the error. `metadata` has what the server says beside it.
    """

    def __init__(self, message: str, *, reason: str = "", metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.metadata = dict(metadata or {})


@dataclass(frozen=True, slots=True)
class Violation:
    """One bad argument.

    `field` is its name in this package, such as `fee`; `path` is that of the API, `spec.execution.fee_rate`.
    """

    field: str
    path: str
    reason: str


class InvalidRequestError(BackcastError, ValueError):
    """An argument is invalid, or names what does not exist; `violations` has all bad arguments."""

    def __init__(
        self,
        violations: Sequence[Violation],
        *,
        reason: str = "INVALID_REQUEST",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        message = "; ".join(f"{violation.field}: {violation.reason}" for violation in violations)
        super().__init__(message, reason=reason, metadata=metadata)
        self.violations = tuple(violations)

    @classmethod
    def of(cls, field: str, reason: str) -> "InvalidRequestError":
        """Return the error of one argument that this package refuses itself."""
        return cls([Violation(field, "", reason)])

    @property
    def field(self) -> str:
        """The name of the first bad argument."""
        return self.violations[0].field


class NotFoundError(BackcastError, LookupError):
    """What the request names does not exist, such as a run that is not kept any more."""


class AlreadyExistsError(BackcastError):
    """A run with this `run_id` is under way."""


class RefusedError(BackcastError):
    """The state of the data does not allow the request: no crypto has candles in the window, for example."""


class BusyError(BackcastError):
    """A limit is reached now; trying again after `retry_after` seconds may help."""

    def __init__(
        self, message: str, retry_after: float, *, reason: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.retry_after = retry_after


class TooLargeError(BackcastError):
    """The request asks for more than one request may; trying again does not help."""


class AuthenticationError(BackcastError):
    """The server requires a token, or does not know this one."""


class PermissionDeniedError(BackcastError):
    """The token lacks a right."""


class CancelledError(BackcastError):
    """The run was cancelled: by this client, or by another one."""


class DeadlineError(BackcastError, TimeoutError):
    """The server did not answer within the timeout."""


class UnavailableError(BackcastError):
    """The server, or a part of it, does not answer; trying again may help."""


class ConnectionFailedError(UnavailableError, ConnectionError):
    """There is no connection to the server, or it is lost."""


class VersionError(BackcastError):
    """The server and this client are of versions that do not work together."""


class ServerError(BackcastError):
    """A bug of the server, whose log has more; or an answer that this client does not understand."""


class MissingLibraryError(BackcastError, ImportError):
    """A required library is not installed."""
