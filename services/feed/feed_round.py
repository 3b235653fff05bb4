"""What a follower knows of its feed, who has the lease of an hour, and the outcome of a round."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backcast_engine.errors import BackcastError
from services.feed.errors import shortened

# Failures that a text names; the others are counted.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class FeedState:
    """What is recorded of a feed. Hours are opening times in Unix seconds, None if there was no round yet.

    `newest_s` is the newest hour up to which every crypto was asked for without a failure, `rechecked_s` that
    of the last round that asked for 30 days again. `ended` are symbols that are not traded any more.
    """

    newest_s: int | None = None
    rechecked_s: int | None = None
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FeedLease:
    """Whether this follower has the lease of an hour.

    If not: whether the round is done, or how long to wait for it.
    """

    feed: FeedState
    is_taken: bool
    is_done: bool = False
    wait_s: float = 0.0


@dataclass(slots=True)
class Round:
    """The outcome of a round, or of a repeated one for what was left: `attempt` is 0 the first time.

    `hour_s` is the newest hour that is asked for. `crypto_count` cryptos are followed, of which `asked_count`
    were asked for this time. `missing` have no candle of the hour yet. `failed` and `left_out` are reasons by
    symbol; what is left out cannot be continued with this exchange's candles. `lost_hours` are hours by
    symbol that the exchange does not give any more. `ended` are all symbols that are not traded any more, and
    `newly_ended` those that ended now. `is_left`: another follower has the lease, and this one did nothing;
    it has the lease until `left_until_s` (Unix seconds), None if its round is done. `is_done`: this round is
    not repeated. `error` is why the round ended before its end.
    """

    hour_s: int
    attempt: int
    crypto_count: int = 0
    asked_count: int = 0
    inserted: int = 0
    corrected: int = 0
    missing: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    lost_hours: dict[str, int] = field(default_factory=dict)
    ended: frozenset[str] = frozenset()
    newly_ended: list[str] = field(default_factory=list)
    is_recheck: bool = False
    is_left: bool = False
    left_until_s: float | None = None
    is_done: bool = False
    error: BackcastError | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every crypto was asked for, and nothing failed."""
        return not self.failed and self.error is None

    @property
    def failure(self) -> str:
        """A text about what failed, and what is left out; empty if nothing is."""
        parts = [str(self.error)] if self.error else []
        for what, reasons in (("", self.failed), ("left out: ", self.left_out)):
            named = [_with_symbol(*each) for each in sorted(reasons.items())[:_NAMED]]
            more = [f"and {len(reasons) - _NAMED:,} more"] if len(reasons) > _NAMED else []
            if named:
                parts.append(what + "; ".join([*named, *more]))
        return shortened("; ".join(parts))


def _with_symbol(symbol: str, reason: str) -> str:
    return reason if reason.startswith(f"{symbol} ") else f"{symbol}: {reason}"
