"""The clients of the gateway: their names, rights and limits."""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Right(StrEnum):
    """A right of a client."""

    RUN = "run"
    """Run backtests and sweeps, and see candles and its own runs."""
    IMPORT = "import"
    """Write candles."""
    ADMIN = "admin"
    """See and cancel the runs of all clients, and inspect the servers."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client; its limits (see the settings max_…) are None where the settings' limits apply."""

    name: str
    rights: frozenset[Right]
    max_runs: int | None = None
    max_backtests: int | None = None
    max_backtests_per_request: int | None = None
    max_symbols_per_request: int | None = None


ANONYMOUS = Client("anonymous", frozenset(Right))
"""The client of every call to a gateway without tokens."""

current_client: ContextVar[Client] = ContextVar("current_client", default=ANONYMOUS)
"""The client of the call that is being served."""
