"""Which right each method of the gateway needs, in one place."""

from services.gateway.auth.clients import Right

# Any of the rights will do; all of them: any token.
_NEEDED = {
    "backcast.gateway.v1.BacktestService": {Right.RUN},
    "backcast.gateway.v1.RunService": {Right.RUN, Right.ADMIN},
    "backcast.marketdata.v1.MarketDataService": {Right.RUN},
    "backcast.marketdata.v1.MarketDataService/ImportCandles": {Right.IMPORT},
    "backcast.marketdata.v1.MarketDataService/UpdateBreak": {Right.IMPORT, Right.ADMIN},
    "backcast.marketdata.v1.MarketDataService/DeleteCrypto": {Right.ADMIN},
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
