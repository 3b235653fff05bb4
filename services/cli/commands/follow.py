"""`backcast follow`: fetches the newest candles of an exchange every hour, until it is stopped."""

import asyncio
from contextlib import aclosing

import stamina

from backcast.marketdata.v1 import feed_service_pb2 as pb
from backcast.marketdata.v1.feed_service_pb2_grpc import FeedServiceStub
from backcast_engine.errors import InvalidInput, Violation
from services.cli.client.errors import readable_errors
from services.cli.client.gateway_channel import open_gateway
from services.cli.views.console import make_console, say
from services.cli.views.follow import RoundLines
from services.feed.client import ExchangeClient
from services.feed.clock import SystemClock
from services.feed.data_client import DataClient, follower_name
from services.feed.exchanges.all_exchanges import exchange_named
from services.feed.follow import Follower
from services.local.interrupts import Interrupts

_OPTIONS = {"exchange": "EXCHANGE", "quote": "--quote", "base_url": "--url"}


def follow(exchange: str, quote: str, url: str | None, address: str) -> None:
    """Follow all pairs of a quote currency, and print a line for each round, until SIGINT or SIGTERM."""
    # The errors of rounds name the requests that failed.
    stamina.instrumentation.set_on_retry_hooks([])
    try:
        asyncio.run(_follow(exchange, quote.strip().upper(), url, address))
    except InvalidInput as error:
        raise InvalidInput(
            *(Violation(_OPTIONS.get(each.field, each.field), each.reason) for each in error.violations)
        ) from None


async def _follow(name: str, quote: str, url: str | None, address: str) -> None:
    console, clock = make_console(), SystemClock()
    async with ExchangeClient(exchange_named(name), clock, url) as client, open_gateway(address) as channel:
        with readable_errors("gateway", address):
            await FeedServiceStub(channel).ListFeeds(pb.ListFeedsRequest(page_size=1))
        exchange = client.exchange
        store = DataClient(channel, "gateway", exchange.name, quote, follower_name())
        say(console, f"following all {quote} pairs of {exchange.title}, until Ctrl-C")
        lines, skew = RoundLines(exchange.title), ""
        with Interrupts():
            async with aclosing(Follower(client, quote, store, clock).rounds()) as rounds:
                async for each in rounds:
                    if client.skew and not skew:
                        say(console, f"[yellow]{client.skew}: a candle counts as closed when both say so[/]")
                    skew = client.skew
                    for line in lines.of(each):
                        say(console, line)
        say(console, "stopped: the next follower makes up for the hours until then")
