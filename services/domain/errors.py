"""What can go wrong, in the domain's words. The edge of each service turns these into gRPC statuses."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import ParamSpec, TypeVar

_T = TypeVar("_T")
_P = ParamSpec("_P")


class BackcastError(Exception):
    """Base of all errors whose message is meant for the user: one sentence, no secrets."""


@dataclass(frozen=True)
class Violation:
    """One bad field of a request: its path (`execution.fee_rate`) and what is wrong with it."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class InvalidInput(BackcastError):
    """The request cannot be served as it is, whatever the state of the system."""

    def __init__(self, *violations: Violation) -> None:
        super().__init__(*violations)
        self.violations = violations

    def __str__(self) -> str:
        return "; ".join(map(str, self.violations))

    @classmethod
    def of(cls, field: str, reason: str) -> "InvalidInput":
        """Make the error for a single bad field."""
        return cls(Violation(field, reason))


# More would not fit into the headers that end a call: 8 KiB, in which every violation stands twice.
_MOST_CHARACTERS = 2_500


class Violations:
    """Collects what is wrong with a request, so that the client is told all of it at once."""

    def __init__(self) -> None:
        self._found: list[Violation] = []

    def add(self, *violations: Violation) -> None:
        """Take in violations that were found in another way than by `read`."""
        self._found += violations

    def read(self, default: _T, reading: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what `reading` returns, or `default` where it raises InvalidInput, which is collected.

        Of a field that an earlier reading found wrong, no more is collected: its value is a default.
        """
        try:
            return reading(*args, **kwargs)
        except InvalidInput as error:
            known = {violation.field for violation in self._found}
            self._found += [violation for violation in error.violations if violation.field not in known]
            return default

    def raise_if_any(self, others: Callable[[], Iterable[Violation]] = tuple) -> None:
        """Raise InvalidInput where there are violations; then it names those that `others` returns too."""
        if self._found:
            found = dict.fromkeys([*self._found, *others()])
            lengths = accumulate(len(str(violation)) for violation in found)
            kept = [one for one, length in zip(found, lengths, strict=True) if length <= _MOST_CHARACTERS]
            raise InvalidInput(*(kept or list(found)[:1]))


class NotFound(BackcastError):
    """What the request names does not exist."""


class Refused(BackcastError):
    """The request is well formed, but the data's state forbids it."""


class Unavailable(BackcastError):
    """A part of the system that is needed does not answer; trying again later may help."""


class Internal(BackcastError):
    """A part of a request failed of a bug, of which the service's log has more; the others go on."""


class AlreadyExists(BackcastError):
    """What the request would make is there already."""


class Exhausted(BackcastError):
    """A limit does not allow it now; `retry_after_s` tells when trying again may help."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooLarge(InvalidInput):
    """The request asks for more at once than a limit allows, so that trying again does not help."""


class Cancelled(BackcastError):
    """Somebody ended it."""


class Unauthenticated(BackcastError):
    """Nobody knows who asks."""


class Denied(BackcastError):
    """Who asks has no right to it."""
