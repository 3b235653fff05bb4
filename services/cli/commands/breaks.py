"""`backcast data breaks`: lists breaks and corrects them by hand."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.breaks import BreakState
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.times import utc
from services.cli.client.errors import readable_errors
from services.cli.client.gateway_channel import open_gateway, pages_of
from services.cli.client.symbols import all_symbols, named_symbols
from services.cli.options.requests import parse_time
from services.cli.views.console import make_console, say
from services.cli.views.fitted_table import TableColumn, fitted_table
from services.domain.counted import counted
from services.domain.symbols import canonical_symbol
from services.wire.breaks import break_from, state_from, state_to

if TYPE_CHECKING:
    from backcast.marketdata.v1.break_pb2 import Break
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

# The state that each option sets.
_OPTIONS = {
    "--confirm": BreakState.CONFIRMED,
    "--add": BreakState.CONFIRMED,
    "--remove": BreakState.REMOVED,
    "--reset": BreakState.DETECTED,
}


def breaks(symbols: list[str], corrections: dict[str, str | None], address: str) -> None:
    """Print the breaks of `symbols`, or of all cryptos if none is given.

    Before that, apply the `corrections`: the opening time of the candle after a break, by option.
    """
    wanted = list(dict.fromkeys(canonical_symbol(symbol, "SYMBOL") for symbol in symbols))
    requests: dict[str, pb.UpdateBreakRequest] = {}
    for option, text in corrections.items():
        if text is None:
            continue
        if len(wanted) != 1:
            raise InvalidInput.of(option, "is for the breaks of one SYMBOL")
        request = pb.UpdateBreakRequest(symbol=wanted[0], state=state_to(_OPTIONS[option]))
        try:
            # The command prints times with this zone.
            request.after_time.FromDatetime(parse_time(text.removesuffix(" UTC"), option))
        except (OverflowError, ValueError):
            raise InvalidInput.of(option, "is not in the years 1 to 9999, UTC") from None
        requests[option] = request
    asyncio.run(_print(wanted, requests, address))


async def _print(symbols: list[str], requests: dict[str, pb.UpdateBreakRequest], address: str) -> None:
    console = make_console()
    found: list[tuple[str, Break]] = []
    async with open_gateway(address) as channel:
        stub = MarketDataServiceStub(channel)
        async with named_symbols(stub, symbols, address):
            await _check(stub, requests)
        # Only the service can check an added break. So it comes first: if it is refused, nothing has changed.
        for option in sorted(requests, key=lambda option: option != "--add"):
            request = requests[option]
            async with named_symbols(stub, symbols, address, {"after_time": option}):
                await stub.UpdateBreak(request)
            if option == "--add":
                say(
                    console,
                    f"{request.symbol}: the break at {utc(request.after_time.seconds)} was added by hand",
                )
        with readable_errors("gateway", address):
            symbols = symbols or await all_symbols(stub)
        for symbol in symbols:
            async with named_symbols(stub, [symbol], address):
                found += [(symbol, each) for each in await _breaks_of(stub, symbol)]
    if found:
        console.print(breaks_table(console.width, found))
    removed = sum(state_from(each.state) is BreakState.REMOVED for _, each in found)
    also = f", and {removed:,} that {'was' if removed == 1 else 'were'} removed" if removed else ""
    say(
        console,
        f"{counted(len(found) - removed, 'break')} of {counted(len(symbols), 'crypto')}{also}; times are UTC",
    )
    if found:
        say(console, 'the column "first after" has the TIME that the options take')


async def _breaks_of(stub: "MarketDataServiceAsyncStub", symbol: str) -> "list[Break]":
    request = pb.ListBreaksRequest(symbol=symbol)
    return [each async for page in pages_of(stub.ListBreaks, request) for each in page.breaks]


async def _check(stub: "MarketDataServiceAsyncStub", requests: "dict[str, pb.UpdateBreakRequest]") -> None:
    """Raise InvalidInput if one of the requests would be refused; then none is sent."""
    if not requests:
        return
    symbol = next(iter(requests.values())).symbol
    known = {each.after_time.seconds for each in await _breaks_of(stub, symbol)}
    seen: set[int] = set()
    for option, request in requests.items():
        after_s = request.after_time.seconds
        if after_s % Interval.HOUR_1.seconds:
            raise InvalidInput.of(option, "is not a full hour")
        if after_s in seen:
            raise InvalidInput.of(option, f"is about the break at {utc(after_s)}, as another option is")
        seen.add(after_s)
        if option == "--add":
            if after_s in known:
                reason = f"{symbol} has a break at {utc(after_s)} already: --confirm confirms it"
                raise InvalidInput.of(option, reason)
        elif after_s not in known:
            hint = ": --add adds one by hand" if option == "--confirm" else ""
            raise InvalidInput.of(option, f"{symbol} has no break at {utc(after_s)}{hint}")


def breaks_table(width: int, found: "Sequence[tuple[str, Break]]") -> Table:
    """Return a table with a row for each break; `width` is the console's, in characters."""
    breaks_ = [break_from(message) for _, message in found]
    states = [state_from(message.state).value for _, message in found]
    return fitted_table(
        width,
        [
            TableColumn("crypto", [symbol for symbol, _ in found], left=True),
            TableColumn("last before", [_time(each.before_s) for each in breaks_], left=True),
            TableColumn("first after", [_time(each.after_s) for each in breaks_], left=True),
            TableColumn("close", [f"{each.close:,.8g}" for each in breaks_], 2),
            TableColumn("open", [f"{each.open:,.8g}" for each in breaks_], 1),
            TableColumn("factor", [_factor(each.open / each.close) for each in breaks_], 3),
            TableColumn("state", states, left=True),
        ],
    )


def _time(time_s: int) -> str:
    return utc(time_s).removesuffix(" UTC")


def _factor(factor: float) -> str:
    return f"{float(f'{factor:.3g}'):,.15g}"
