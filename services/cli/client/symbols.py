"""The symbols of all cryptos, and readable errors about the symbols that a command takes as arguments."""

import re
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc

from backcast.marketdata.v1 import market_data_service_pb2 as market_data_pb
from backcast_engine.errors import InvalidInput, Violation
from backcast_engine.near_names import no_such_crypto
from services.cli.client.errors import readable_errors
from services.cli.client.gateway_channel import pages_of

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

_FIELD = re.compile(r"symbols?(?:\[(\d+)\])?")


async def all_symbols(stub: "MarketDataServiceAsyncStub") -> list[str]:
    """Return the symbols of all cryptos that have hourly candles."""
    pages = pages_of(stub.ListCryptos, market_data_pb.ListCryptosRequest())
    return [crypto.symbol async for page in pages for crypto in page.cryptos]


@asynccontextmanager
async def named_symbols(
    stub: "MarketDataServiceAsyncStub",
    symbols: Sequence[str],
    address: str,
    options: Mapping[str, str] | None = None,
) -> AsyncGenerator[None]:
    """Make the errors of calls about `symbols` readable: they name SYMBOL, and suggest what was meant.

    `options` names the options that set other fields.
    """
    try:
        with readable_errors("gateway", address):
            yield
    except InvalidInput as error:
        known = await _known(stub)
        raise InvalidInput(
            *(_as_typed(violation, symbols, known, options or {}) for violation in error.violations)
        ) from None


def _as_typed(
    violation: Violation, symbols: Sequence[str], known: Collection[str], options: Mapping[str, str]
) -> Violation:
    field = _FIELD.fullmatch(violation.field)
    if field is None:
        return Violation(options.get(violation.field, violation.field), violation.reason)
    symbol = symbols[int(field[1] or 0)]
    is_unknown = violation.reason == no_such_crypto(symbol, ())
    return Violation("SYMBOL", no_such_crypto(symbol, known) if is_unknown else violation.reason)


async def _known(stub: "MarketDataServiceAsyncStub") -> list[str]:
    try:
        return await all_symbols(stub)
    except grpc.aio.AioRpcError:
        # A client that may delete need not have the right to list cryptos.
        return []
