"""The clients of the gateway: their names, rights and limits, and which right each method needs."""

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

# Any of the rights will do; all of them: any token.
_NEEDED = {
    "backcast.gateway.v1.BacktestService": {Right.RUN},
    "backcast.gateway.v1.PortfolioService": {Right.RUN},
    "backcast.gateway.v1.RunService": {Right.RUN, Right.ADMIN},
    "backcast.marketdata.v1.MarketDataService": {Right.RUN},
    "backcast.marketdata.v1.MarketDataService/ImportCandles": {Right.IMPORT},
    "backcast.marketdata.v1.MarketDataService/UpdateBreak": {Right.IMPORT, Right.ADMIN},
    "backcast.marketdata.v1.MarketDataService/DeleteCrypto": {Right.ADMIN},
    "backcast.marketdata.v1.FeedService": {Right.IMPORT},
    "backcast.marketdata.v1.FeedService/ListFeeds": {Right.RUN},
    "backcast.marketdata.v1.FetchService": {Right.IMPORT},
    "backcast.marketdata.v1.FetchService/ListFetches": {Right.RUN},
    "grpc.channelz.v1.Channelz": {Right.ADMIN},
    "grpc.reflection.v1.ServerReflection": set(Right),
    "grpc.reflection.v1alpha.ServerReflection": set(Right),
}
_OPEN = "grpc.health.v1.Health"


def is_open(method: str) -> bool:
    """Return whether everybody may call `method`: /package.Service/Method."""
    return _service(method) == _OPEN


def rights_needed(method: str) -> frozenset[Right]:
    """Return the rights of which a client needs one to call `method`: /package.Service/Method.

    Methods that are not in the table need the right admin.
    """
    name = method.removeprefix("/")
    return frozenset(_NEEDED.get(name) or _NEEDED.get(_service(method)) or {Right.ADMIN})


def _service(method: str) -> str:
    return method.removeprefix("/").partition("/")[0]
