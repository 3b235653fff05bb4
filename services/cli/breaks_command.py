"""`backcast data breaks`: lists breaks, and says by hand what is one."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.cli.console import counted, make_console, say
from services.cli.errors import readable_errors
from services.cli.gateway_channel import open_gateway
from services.cli.list_commands import all_symbols
from services.cli.run_request import parse_time
from services.shared.break_messages import break_from, state_from, state_to
from services.shared.breaks import BreakState
from services.shared.clock import utc
from services.shared.errors import InvalidInput
from services.shared.symbols import canonical_symbol

if TYPE_CHECKING:
    from backcast.marketdata.v1.break_pb2 import Break
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

# What is said by which option, in the order in which the service is told.
_OPTIONS = {
    "--confirm": BreakState.CONFIRMED,
    "--remove": BreakState.REMOVED,
    "--reset": BreakState.DETECTED,
}


def breaks(symbols: list[str], said: dict[str, str | None], address: str) -> None:
    """Print the breaks of `symbols`, of all cryptos where none is given.

    Before that, tell the service what is `said`: the time of the candle after a break, by option.
    """
    wanted = list(dict.fromkeys(canonical_symbol(symbol, "SYMBOL") for symbol in symbols))
    requests = []
    for option, text in said.items():
        if text is None:
            continue
        if len(wanted) != 1:
            raise InvalidInput.of(option, "is for the breaks of one SYMBOL")
        request = pb.UpdateBreakRequest(symbol=wanted[0], state=state_to(_OPTIONS[option]))
        try:
            # Without the zone that we print.
            request.after_time.FromDatetime(parse_time(text.removesuffix(" UTC"), option))
        except (OverflowError, ValueError):
            raise InvalidInput.of(option, "is not in the years 1 to 9999, UTC") from None
        requests.append(request)
    asyncio.run(_print(wanted, requests, address))


async def _print(symbols: list[str], requests: list[pb.UpdateBreakRequest], address: str) -> None:
    console = make_console()
    found: dict[str, Iterable[Break]] = {}
    with readable_errors("gateway", address):
        async with open_gateway(address) as channel:
            stub = MarketDataServiceStub(channel)
            await _check(stub, requests)
            for request in requests:
                await stub.UpdateBreak(request)
            symbols = symbols or await all_symbols(stub)
            for symbol in symbols:
                found[symbol] = (await stub.ListBreaks(pb.ListBreaksRequest(symbol=symbol))).breaks
    table = _table(found)
    if table.row_count:
        console.print(table)
    say(
        console,
        f"{counted(table.row_count, 'break')} of {counted(len(symbols), 'crypto')}; times are UTC, "
        "and the first candle after a break is its name",
    )


async def _check(stub: "MarketDataServiceAsyncStub", requests: list[pb.UpdateBreakRequest]) -> None:
    """Raise InvalidInput where one of several requests would be refused: then none is sent.

    Only a break can be removed or reset. What is confirmed the service looks at: that request is the first.
    """
    if len(requests) < 2:
        return
    symbol = requests[0].symbol
    listed = await stub.ListBreaks(pb.ListBreaksRequest(symbol=symbol))
    known = {each.after_time.seconds for each in listed.breaks}
    seen: set[int] = set()
    for request in requests:
        after_s, state = request.after_time.seconds, state_from(request.state)
        option = next(option for option, said in _OPTIONS.items() if said is state)
        if after_s in seen:
            raise InvalidInput.of(option, f"is about the break at {utc(after_s)}, as another option is")
        seen.add(after_s)
        if state is not BreakState.CONFIRMED and after_s not in known:
            raise InvalidInput.of(option, f"{symbol} has no break at {utc(after_s)}")


def _table(found: "dict[str, Iterable[Break]]") -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for heading in ("crypto", "last before", "first after"):
        table.add_column(heading, no_wrap=True)
    for heading in ("close", "open", "factor"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for symbol, breaks_ in found.items():
        for message in breaks_:
            each = break_from(message)
            times = (utc(time_s).removesuffix(" UTC") for time_s in (each.before_s, each.after_s))
            state = state_from(message.state)
            prices = (each.close, each.open, each.open / each.close)
            table.add_row(symbol, *times, *(f"{price:,.8g}" for price in prices), state.value)
    return table
