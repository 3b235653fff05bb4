"""`backcast data check`: the quality of stored histories."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast.marketdata.v1.crypto_pb2 import Crypto
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.interval import Interval
from backcast_engine.times import utc
from services.cli.client.gateway_channel import open_gateway, pages_of
from services.cli.client.symbols import all_symbols, named_symbols
from services.cli.views.console import CountColumn, make_console, say
from services.domain.counted import counted
from services.domain.symbols import canonical_symbol, renamed
from services.imports.report import break_line
from services.ingest.quality.check import HistoryCheck, check_history
from services.ingest.quality.suspicions import Sign, Suspicion, find_suspicions
from services.wire.breaks import break_from
from services.wire.candles import candles_from, columns_to
from services.wire.paging import MAX_SYMBOLS

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

_NONE = "[dim]–[/dim]"
# A table with times is wider than most terminals.
_ROOM_FOR_MORE = 120


def check_histories(symbols: list[str], address: str, jsonl: bool) -> None:
    """Print the findings in the histories of `symbols`, or of all cryptos if none is given."""
    wanted = list(dict.fromkeys(canonical_symbol(symbol, "SYMBOL") for symbol in symbols))
    asyncio.run(_print_json(wanted, address) if jsonl else _print_table(wanted, address, make_console()))


async def _print_json(symbols: list[str], address: str) -> None:
    async with open_gateway(address) as channel:
        stub = MarketDataServiceStub(channel)
        async with (
            named_symbols(stub, symbols, address),
            aclosing(_checks(stub, symbols or await all_symbols(stub))) as checks,
        ):
            async for symbol, check, suspicions in checks:
                record = {"symbol": symbol, **asdict(check), "suspicions": [*map(asdict, suspicions)]}
                sys.stdout.write(f"{json.dumps(record)}\n")
                sys.stdout.flush()


async def _print_table(symbols: list[str], address: str, console: Console) -> None:
    found: dict[str, HistoryCheck] = {}
    suspicious: dict[str, tuple[Suspicion, ...]] = {}
    progress = Progress(
        TextColumn("checking"),
        BarColumn(bar_width=40),
        CountColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    async with open_gateway(address) as channel:
        stub = MarketDataServiceStub(channel)
        async with named_symbols(stub, symbols, address):
            symbols = symbols or await all_symbols(stub)
            bar = progress.add_task("", total=len(symbols))
            try:
                async with aclosing(_checks(stub, symbols)) as checks:
                    async for symbol, check, suspicions in checks:
                        # Started late: otherwise a bar would stay above the message that a symbol is wrong.
                        progress.start()
                        found[symbol], suspicious[symbol] = check, suspicions
                        progress.advance(bar)
            finally:
                progress.stop()
    if not found:
        say(console, "there are no candles yet: `backcast import PATH` brings some")
        return
    console.print(_table(console.width, found))
    for symbol, check in found.items():
        for each in check.breaks:
            say(console, f"[yellow]{symbol}: {break_line(each)}[/yellow]")
    for symbol, suspicions in suspicious.items():
        for suspicion in suspicions:
            say(console, f"[yellow]{symbol}: {suspicion_line(symbol, suspicion)}[/yellow]")
    for symbol, check in found.items():
        if check.source and check.never_asked:
            say(console, f"[yellow]{symbol}: {never_asked_line(symbol, check)}[/yellow]")
    if fetched := [check for check in found.values() if check.source]:
        say(console, missing_line(fetched))
    candles = sum(check.candles for check in found.values())
    say(console, f"{counted(len(found), 'crypto')}, {counted(candles, 'hourly candle')}; times are UTC")


async def _checks(
    stub: "MarketDataServiceAsyncStub", symbols: list[str]
) -> AsyncGenerator[tuple[str, HistoryCheck, tuple[Suspicion, ...]]]:
    """Yield the findings in each history that has candles; only one history is in memory at a time."""
    for start in range(0, len(symbols), MAX_SYMBOLS):
        some = symbols[start : start + MAX_SYMBOLS]
        pages = pages_of(stub.ListCryptos, pb.ListCryptosRequest(symbols=some))
        cryptos = {crypto.symbol: crypto async for page in pages for crypto in page.cryptos}
        request = pb.StreamCandlesRequest(symbols=some, columns=columns_to(VALUE_COLUMNS))
        call = stub.StreamCandles(request)
        blocks: list[Candles] = []
        try:
            async for response in call:
                for block in response.blocks:
                    blocks.append(candles_from(block.columns))
                    if block.last_block:
                        candles, blocks = Candles.concatenate(blocks), []
                        if len(candles):
                            check = _check(candles, block, cryptos.get(block.symbol, Crypto()))
                            yield block.symbol, check, find_suspicions(block.symbol, candles)
        finally:
            call.cancel()


def _check(candles: Candles, last_block: pb.CandleBlock, crypto: Crypto) -> HistoryCheck:
    breaks = tuple(map(break_from, last_block.breaks))
    asked = [(each.start_time.seconds, each.end_time.seconds) for each in crypto.asked_hours]
    return check_history(candles, Interval.HOUR_1, breaks, crypto.source, asked)


def never_asked_line(symbol: str, check: HistoryCheck) -> str:
    """Return a sentence about the missing hours of which it is not known whether the exchange has them."""
    assert check.never_asked_from_s is not None
    hours = f"{check.never_asked:,} of {counted(check.missing, 'missing hour')}"
    day = utc(check.never_asked_from_s)[:10]
    return (
        f"{check.source} was never asked for {hours}, the first at {utc(check.never_asked_from_s)}: "
        f"`backcast fetch {check.source} --symbols {symbol} --since {day}` asks for them"
    )


def missing_line(fetched: Sequence[HistoryCheck]) -> str:
    """Return a sentence about the missing hours of cryptos that were fetched."""
    missing, never_asked = (
        sum(getattr(check, name) for check in fetched) for name in ("missing", "never_asked")
    )
    return (
        f"fetched: {counted(missing, 'missing hour')}, of which exchanges do not have "
        f"{missing - never_asked:,} and were never asked for {never_asked:,}"
    )


def suspicion_line(symbol: str, suspicion: Suspicion) -> str:
    """Return a sentence about stored candles that look wrong."""
    first, last = utc(suspicion.first_s), utc(suspicion.last_s)
    place = f"from {first} to {last}"
    some = counted(suspicion.candles, "candle")
    match suspicion.sign:
        case Sign.NO_PAIR:
            return _no_pair(symbol)
        case Sign.LONGER_CANDLES:
            return f"{some} are {suspicion.hours} hours apart {place}: longer candles, stored as hours?"
        case Sign.LONGER_CANDLES_OVER_HOURS:
            return (
                f"{counted(suspicion.candles, 'hour')} {place} have the high, low and close of the "
                f"{suspicion.hours} hours that start with them: longer candles, written over hours?"
            )
        case Sign.NO_VOLUME:
            return f"{some} {place} have no volume, though their prices change: mark or index prices?"
        case Sign.JUMP_WITHIN_HOUR:
            times = utc(suspicion.first_s) if suspicion.candles == 1 else place
            factor = f"a factor of up to {suspicion.factor:,.4g}"
            hours = counted(suspicion.candles, "hour")
            return f"the price changes by {factor} within {hours}, {times}: a split, or a wrong price?"
        case Sign.TWO_MARKETS:
            return (
                f"between {first} and {last}, {some} differ from their neighbours by more than a "
                "factor of 1.5: a thin market, or candles of two markets"
            )


def _no_pair(symbol: str) -> str:
    if now := renamed(symbol):
        spelled = now.replace(".P", "_PERP")
        return f"imports of {spelled} go to {now} now: delete {symbol}, and import its files again"
    return "the symbol is no pair like BTCUSDT, BTCUSDT.P or BTCUSDT_240329: what are these candles?"


def _table(width: int, found: dict[str, HistoryCheck]) -> Table:
    """Return a table with a row for each crypto; `width`, the console's in characters, limits its columns."""
    wide = width >= _ROOM_FOR_MORE
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("crypto", no_wrap=True)
    table.add_column("candles", justify="right", no_wrap=True)
    for heading in ("first", "last"):
        table.add_column(heading, no_wrap=True)
    longest = ("longest gap",) if wide else ()
    never_asked = ("never asked",) if wide and any(check.source for check in found.values()) else ()
    for heading in ("gaps", "missing", *never_asked, *longest, "no volume", "breaks"):
        table.add_column(heading, justify="right", no_wrap=True)
    for symbol, check in found.items():
        table.add_row(
            symbol,
            f"{check.candles:,}",
            *(_time(time_s, wide) for time_s in (check.first_s, check.last_s)),
            *(f"{count:,}" if count else _NONE for count in (check.gaps, check.missing)),
            *((_never_asked(check),) if never_asked else ()),
            *((_longest_gap(check),) if wide else ()),
            _share(check.zero_volume_share),
            f"[yellow]{len(check.breaks)}[/yellow]" if check.breaks else _NONE,
        )
    return table


def _time(time_s: int, wide: bool) -> str:
    day_and_hour = utc(time_s).removesuffix(" UTC")
    return day_and_hour if wide else day_and_hour.split()[0]


def _longest_gap(check: HistoryCheck) -> str:
    gap = check.longest_gap
    return f"{gap.missing:,} h from {_time(gap.start_s, wide=False)}" if gap else _NONE


def _never_asked(check: HistoryCheck) -> str:
    """Return how many hours were never asked for; nothing where there is nobody to ask."""
    if not check.source:
        return ""
    return f"{check.never_asked:,}" if check.never_asked else _NONE


def _share(share: float) -> str:
    if not share:
        return _NONE
    # A share that is small but not 0 is not shown as none.
    return f"{share:.2%}" if share >= 0.0001 else "<0.01%"
