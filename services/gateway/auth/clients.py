"""Who asks: a client's name, what it may do, and how much of it at once."""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Right(StrEnum):
    """What a client may do."""

    RUN = "run"
    """Run backtests and sweeps, and see candles and runs of its own."""
    IMPORT = "import"
    """Write candles."""
    ADMIN = "admin"
    """See and cancel the runs of everybody, and look into the servers."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client; limits of its own (see the settings max_…) are None where those of all clients hold."""

    name: str
    rights: frozenset[Right]
    max_runs: int | None = None
    max_backtests: int | None = None
    max_backtests_per_request: int | None = None
    max_symbols_per_request: int | None = None


ANONYMOUS = Client("anonymous", frozenset(Right))
"""Whoever asks a gateway that has no tokens."""

current_client: ContextVar[Client] = ContextVar("current_client", default=ANONYMOUS)
"""Who asks for the call that is being served."""
