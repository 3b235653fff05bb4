"""`backcast data delete`: deletes cryptos."""

import asyncio
import sys
from typing import TYPE_CHECKING

import typer

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.errors import InvalidInput, Refused
from backcast_engine.near_names import no_such_crypto
from backcast_engine.times import utc
from services.cli.client.errors import readable_errors
from services.cli.client.gateway_channel import open_gateway
from services.cli.client.symbols import all_symbols, named_symbols
from services.cli.views.console import make_console, say
from services.domain.counted import counted
from services.domain.errors import Denied
from services.domain.symbols import canonical_symbol

if TYPE_CHECKING:
    from backcast.marketdata.v1.crypto_pb2 import Crypto


def delete_cryptos(symbols: list[str], yes: bool, address: str) -> bool:
    """Delete cryptos, after asking for confirmation unless `yes`; return whether they were deleted."""
    wanted = list(dict.fromkeys(canonical_symbol(symbol, "SYMBOL") for symbol in symbols))
    if not yes and not sys.stdin.isatty():
        raise Refused("there is no terminal to ask for confirmation: add --yes")
    # If one of them does not exist, none is deleted.
    lines = asyncio.run(_what_goes(wanted, address))
    if not yes:
        console = make_console()
        for line in lines:
            say(console, line)
        if not typer.confirm("Delete this for ever?"):
            say(console, "nothing was deleted")
            return False
    asyncio.run(_delete(wanted, address))
    return True


async def _what_goes(symbols: list[str], address: str) -> list[str]:
    """Return a line for each crypto; raise InvalidInput if there is no crypto of a symbol."""
    request = pb.ListCryptosRequest(symbols=symbols, page_size=len(symbols))
    try:
        with readable_errors("gateway", address):
            async with open_gateway(address) as channel:
                stub = MarketDataServiceStub(channel)
                page = await stub.ListCryptos(request)
                found = {crypto.symbol: crypto for crypto in page.cryptos}
                known = await all_symbols(stub) if len(found) < len(symbols) else []
    except Denied:
        # A client that may delete need not have the right to read.
        return symbols
    for symbol in symbols:
        if symbol not in found:
            raise InvalidInput.of("SYMBOL", no_such_crypto(symbol, known))
    return [f"{symbol}: {_stored(found[symbol])}" for symbol in symbols]


async def _delete(symbols: list[str], address: str) -> None:
    console = make_console()
    async with open_gateway(address) as channel:
        stub = MarketDataServiceStub(channel)
        for symbol in symbols:
            async with named_symbols(stub, [symbol], address):
                deleted = await stub.DeleteCrypto(pb.DeleteCryptoRequest(symbol=symbol))
            say(console, f"{symbol}: deleted {_stored(deleted.crypto)}")


def _stored(crypto: "Crypto") -> str:
    if not crypto.candle_count:
        return "longer candles, whose hours retention has dropped"
    first, last = (utc(time.seconds) for time in (crypto.first_candle_time, crypto.last_candle_time))
    return f"{counted(crypto.candle_count, 'hourly candle')} from {first} to {last}"
