"""`backcast fetch`: fetches candles from an exchange, and has the data service write them."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

import stamina
from rich.console import Console
from rich.markup import escape
from stamina.instrumentation import RetryDetails, RetryHook

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.errors import InvalidInput, Violation, Violations
from services.cli.client.errors import readable_errors
from services.cli.client.gateway_channel import open_gateway
from services.cli.options.requests import parse_time
from services.cli.views.console import make_console, say
from services.cli.views.fetch import FetchScreen, report_line
from services.domain.counted import counted
from services.domain.fetch_request import hours_wanted, spot_symbol
from services.feed.client import ExchangeClient
from services.feed.clock import SystemClock
from services.feed.data_client import stored_cryptos
from services.feed.errors import Unanswered
from services.feed.exchanges.all_exchanges import exchange_named
from services.feed.fetch import fetch_all
from services.feed.markets import with_quote, with_symbols, without_unstorable
from services.feed.spans import Span
from services.feed.writing import reason_against, spans_asked, writer_to

_OPTIONS = {"exchange": "EXCHANGE", "quote": "--quote", "since": "--since", "base_url": "--url"}


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """What is fetched: symbols, separated by commas, or all of a quote currency, from one time to another."""

    symbols: str | None
    quote: str | None
    delisted: bool
    since: str
    until: str | None
    again: bool
    url: str | None


def fetch(exchange: str, options: FetchOptions, address: str) -> bool:
    """Fetch candles, and print a line for each crypto; return whether all of them succeeded."""
    if (options.symbols is None) == (options.quote is None):
        raise InvalidInput.of("--symbols", "either --symbols or --quote is needed")
    if options.delisted and options.quote is None:
        raise InvalidInput.of("--delisted", "is for --quote: --symbols are fetched whether traded or not")
    span = _span(options.since, options.until, int(time.time()))
    try:
        symbols = [] if options.symbols is None else _symbols(options.symbols)
        return asyncio.run(_fetch(exchange, symbols, options, span, address))
    except InvalidInput as error:
        raise InvalidInput(*map(_of_option, error.violations)) from None


def _span(since: str, until: str | None, now_s: int) -> Span:
    """Return the hours from `since` up to `until`, or up to now; raise InvalidInput if there are none."""
    start_s = int(parse_time(since, "--since").timestamp())
    end_s = None if until is None else int(parse_time(until, "--until").timestamp())
    return Span(*hours_wanted(start_s, end_s, now_s, start=since, end=until, fields=("--since", "--until")))


def _symbols(text: str) -> list[str]:
    """Return the spot symbols of a list; raise InvalidInput before the exchange is asked for anything."""
    violations = Violations()
    texts = [each for each in text.split(",") if each.strip()]
    symbols = [
        violations.read("", spot_symbol, each, f"symbols[{index}]") for index, each in enumerate(texts)
    ]
    violations.raise_if_any()
    if not symbols:
        raise InvalidInput.of("symbols", "a symbol is needed")
    return symbols


def _of_option(violation: Violation) -> Violation:
    name = violation.field.partition("[")[0]
    return Violation("--symbols" if name == "symbols" else _OPTIONS.get(name, name), violation.reason)


async def _fetch(
    exchange: str, symbols: Sequence[str], options: FetchOptions, span: Span, address: str
) -> bool:
    console, clock = make_console(), SystemClock()
    stamina.instrumentation.set_on_retry_hooks([_retry_report(console, exchange_named(exchange).title)])
    async with (
        ExchangeClient(exchange_named(exchange), clock, options.url) as client,
        open_gateway(address) as channel,
    ):
        stub = MarketDataServiceStub(channel)
        listed = await client.markets()
        if options.quote is None:
            chosen = with_symbols(client.exchange, listed, symbols)
        else:
            chosen = with_quote(client.exchange, listed, options.quote, options.delisted)
        markets, unstorable = without_unstorable(client.exchange, chosen)
        if client.skew:
            say(console, f"[yellow]{client.skew}: a candle counts as closed when both say so[/yellow]")
        with readable_errors("gateway", address):
            stored = await stored_cryptos(stub)
        source, title = client.exchange.name, client.exchange.title
        reasons = {symbol: reason_against(crypto, source) for symbol, crypto in stored.items()}
        asked = {symbol: spans for symbol, crypto in stored.items() if (spans := spans_asked(crypto, source))}
        wanted = {market.symbol: (market, span) for market in markets if not reasons.get(market.symbol)}
        failures = done = len(chosen) - len(wanted)
        refused = filter(None, (reasons.get(market.symbol) for market in markets))
        for reason in (*unstorable.values(), *refused):
            say(console, f"[red]{escape(reason)}[/red]")
        with FetchScreen(console, client, clock, len(wanted)) as progress:
            reports = fetch_all(
                client,
                wanted,
                asked,
                writer_to(stub, "gateway", source),
                progress.reached,
                options.again,
            )
            async with aclosing(reports):
                async for report in reports:
                    progress.done()
                    done += 1
                    failures += report.error is not None
                    say(console, report_line(report, title, span, report.symbol not in asked))
    if done > 1:
        say(console, f"{counted(done, 'crypto')}: {done - failures:,} fetched, {failures:,} failed")
    return not failures


def _retry_report(console: Console, title: str) -> RetryHook:
    """Return a hook that prints why requests are repeated, each reason once."""
    printed = set[str]()

    def report(details: RetryDetails) -> None:
        reason = str(details.caused_by)
        if isinstance(details.caused_by, Unanswered):
            reason = f"{title}: {reason}"
        if reason not in printed:
            printed.add(reason)
            say(console, f"[yellow]{escape(reason)}: trying again[/yellow]")

    return report
