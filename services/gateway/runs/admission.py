"""How much clients may have under way: each request by itself, each client, and all of them."""

from collections import Counter
from dataclasses import dataclass, field

from services.domain.errors import ErrorReason, Exhausted, TooLarge, Violation
from services.gateway.auth.clients import Client

# Runs take a second or two; who is refused may well find room then.
_RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What all clients may have; a client's own limits go first."""

    max_runs: int
    max_runs_per_client: int
    max_backtests: int
    max_backtests_per_client: int
    max_backtests_per_request: int
    max_symbols_per_request: int


@dataclass(frozen=True, slots=True)
class RequestSize:
    """What one request asks for; `factors` are its backtests in words, and `field` asks for them."""

    symbols: int
    backtests: int
    factors: str
    field: str


class Admission:
    """What is under way."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._runs: Counter[str] = Counter()
        self._backtests: Counter[str] = Counter()

    @property
    def runs(self) -> int:
        """How many runs are under way."""
        return self._runs.total()

    @property
    def backtests(self) -> int:
        """How many backtests they have."""
        return self._backtests.total()

    def enter(self, client: Client) -> "Place":
        """Let a run begin; raise Exhausted where there are too many."""
        limits = self._limits
        most = _limit(client.max_runs, limits.max_runs_per_client)
        if self._runs[client.name] >= most:
            raise Exhausted(
                f"{client.name} has as many runs under way as it may have at once: {most:,}",
                _RETRY_AFTER_S,
                ErrorReason.TOO_MANY_RUNS,
                limit=str(most),
            )
        if self._runs.total() >= limits.max_runs:
            raise Exhausted(
                f"as many runs are under way as there may be at once: {limits.max_runs:,}",
                _RETRY_AFTER_S,
                ErrorReason.TOO_MANY_RUNS,
                limit=str(limits.max_runs),
            )
        self._runs[client.name] += 1
        return Place(self, client)

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
        """Let a client's run have backtests under way; raise Exhausted where they are too many."""
        most = _limit(client.max_backtests, self._limits.max_backtests_per_client)
        if self._backtests[client.name] + backtests > most:
            raise Exhausted(
                f"{client.name} has {self._backtests[client.name]:,} backtests under way, and with "
                f"{backtests:,} more they were above the {most:,} that are allowed",
                _RETRY_AFTER_S,
                ErrorReason.TOO_MANY_BACKTESTS,
                limit=str(most),
            )
        if self._backtests.total() + backtests > self._limits.max_backtests:
            raise Exhausted(
                f"{self._backtests.total():,} backtests are under way, and with {backtests:,} more they were "
                f"above the {self._limits.max_backtests:,} that are allowed",
                _RETRY_AFTER_S,
                ErrorReason.TOO_MANY_BACKTESTS,
                limit=str(self._limits.max_backtests),
            )
        self._backtests[client.name] += backtests

    def leave(self, client: Client, backtests: int) -> None:
        """Take note of a run's end."""
        for counter, count in ((self._runs, 1), (self._backtests, backtests)):
            counter[client.name] -= count
            if not counter[client.name]:
                del counter[client.name]


@dataclass(slots=True)
class Place:
    """A run's place among those under way, until it is left."""

    admission: Admission
    client: Client
    backtests: int = 0
    left: bool = field(default=False, init=False)

    def take(self, size: RequestSize) -> None:
        """Claim what the run turned out to be; raise TooLarge or Exhausted where that is too much."""
        self.admission.check(self.client, size)
        self.take_again(size.backtests)

    def take_again(self, backtests: int) -> None:
        """Claim what a run had that rested; raise Exhausted where that is too much now."""
        self.admission.take(self.client, backtests)
        self.backtests = backtests

    def leave(self) -> None:
        """Give the place back; once more does nothing."""
        if not self.left:
            self.left = True
            self.admission.leave(self.client, self.backtests)


def _limit(own: int | None, of_all: int) -> int:
    """Return which limit holds for a client: its own, where it has one."""
    return of_all if own is None else own
