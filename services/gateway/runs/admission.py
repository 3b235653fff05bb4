"""Admission of runs: limits for each request, for each client, and for all clients together."""

from collections import Counter
from dataclasses import dataclass, field

from backcast_engine.errors import ErrorReason, Violation
from services.domain.errors import Exhausted, TooLarge
from services.gateway.auth.clients import Client

# Most runs take a second or two, so a slot may be free then.
_RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The limits of the settings; a client's own limits take precedence over those per client."""

    max_runs: int
    max_runs_per_client: int
    max_backtests: int
    max_backtests_per_client: int
    max_backtests_per_request: int
    max_symbols_per_request: int


@dataclass(frozen=True, slots=True)
class RequestSize:
    """The size of one request; `factors` explains it in words, errors name `field`."""

    symbols: int
    backtests: int
    factors: str
    field: str


class Admission:
    """Counts the runs and backtests under way, and refuses more than the limits allow."""

    def __init__(self, limits: RunLimits) -> None:
        self._limits = limits
        self._runs: Counter[str] = Counter()
        self._backtests: Counter[str] = Counter()

    @property
    def runs(self) -> int:
        """How many runs are under way."""
        return self._runs.total()

    @property
    def backtests(self) -> int:
        """How many backtests the runs under way have."""
        return self._backtests.total()

    def enter(self, client: Client) -> "Slot":
        """Return a slot for a new run; raise Exhausted where too many runs are under way."""
        limits = self._limits
        most = _limit(client.max_runs, limits.max_runs_per_client)
        if self._runs[client.name] >= most:
            raise Exhausted(
                f"at most {most:,} runs of {client.name} may be under way at once",
                _RETRY_AFTER_S,
                ErrorReason.TOO_MANY_RUNS,
                limit=str(most),
            )
        if self._runs.total() >= limits.max_runs:
            raise Exhausted(
                f"at most {limits.max_runs:,} runs may be under way at once",
                _RETRY_AFTER_S,
                ErrorReason.TOO_MANY_RUNS,
                limit=str(limits.max_runs),
            )
        self._runs[client.name] += 1
        return Slot(self, client)

    def check(self, client: Client, size: "RequestSize") -> None:
        """Raise TooLarge, naming the field, where one request asks for too much."""
        limits = self._limits
        most = _limit(client.max_symbols_per_request, limits.max_symbols_per_request)
        if size.symbols > most:
            reason = f"at most {most:,} are allowed, not {size.symbols:,}"
            raise TooLarge(Violation("symbols", reason), limit=str(most), requested=str(size.symbols))
        most = _limit(client.max_backtests_per_request, limits.max_backtests_per_request)
        if size.backtests > most:
            reason = f"{size.factors} are {size.backtests:,} backtests, and at most {most:,} are allowed"
            raise TooLarge(Violation(size.field, reason), limit=str(most), requested=str(size.backtests))

    def take(self, client: Client, backtests: int) -> None:
        """Count backtests of a client's run as under way; raise Exhausted where they are too many."""
        most = _limit(client.max_backtests, self._limits.max_backtests_per_client)
        if self._backtests[client.name] + backtests > most:
            raise Exhausted(
                f"at most {most:,} backtests of {client.name} may be under way at once: "
                f"{self._backtests[client.name]:,} are, and this run has {backtests:,}",
                _RETRY_AFTER_S,
                ErrorReason.TOO_MANY_BACKTESTS,
                limit=str(most),
            )
        if self._backtests.total() + backtests > self._limits.max_backtests:
            raise Exhausted(
                f"at most {self._limits.max_backtests:,} backtests may be under way at once: "
                f"{self._backtests.total():,} are, and this run has {backtests:,}",
                _RETRY_AFTER_S,
                ErrorReason.TOO_MANY_BACKTESTS,
                limit=str(self._limits.max_backtests),
            )
        self._backtests[client.name] += backtests

    def leave(self, client: Client, backtests: int) -> None:
        """Count a run and its backtests as ended."""
        for counter, count in ((self._runs, 1), (self._backtests, backtests)):
            counter[client.name] -= count
            if not counter[client.name]:
                del counter[client.name]


@dataclass(slots=True)
class Slot:
    """A run's slot among the runs under way, until it is released."""

    admission: Admission
    client: Client
    backtests: int = 0
    released: bool = field(default=False, init=False)

    def take(self, size: RequestSize) -> None:
        """Take the backtests of a planned run; raise TooLarge or Exhausted where they are too many."""
        self.admission.check(self.client, size)
        self.take_again(size.backtests)

    def take_again(self, backtests: int) -> None:
        """Take the backtests of a run that was paused; raise Exhausted where they are too many now."""
        self.admission.take(self.client, backtests)
        self.backtests = backtests

    def release(self) -> None:
        """Release the slot; releasing it again does nothing."""
        if not self.released:
            self.released = True
            self.admission.leave(self.client, self.backtests)


def _limit(own: int | None, of_all: int) -> int:
    """Return the limit of a client: its own where it has one."""
    return of_all if own is None else own
