"""`backcast feeds`: what is followed, and how current it is."""

import asyncio
import time

from rich import box
from rich.markup import escape
from rich.table import Table

from backcast.marketdata.v1 import feed_service_pb2 as pb
from backcast.marketdata.v1.feed_pb2 import Feed
from backcast.marketdata.v1.feed_service_pb2_grpc import FeedServiceStub
from backcast_engine.interval import Interval
from services.cli.client.errors import readable_errors
from services.cli.client.gateway_channel import open_gateway, pages_of
from services.cli.views.console import make_console, say

# As the alert has it: a round is late, and the next one did not make up for it.
_LATE_S = 2 * 3600


def list_feeds(gateway: str) -> None:
    """Print the feeds."""
    asyncio.run(_list_feeds(gateway))


async def _list_feeds(gateway: str) -> None:
    with readable_errors("gateway", gateway):
        async with open_gateway(gateway) as channel:
            pages = pages_of(FeedServiceStub(channel).ListFeeds, pb.ListFeedsRequest())
            feeds = [feed async for page in pages for feed in page.feeds]
    console = make_console()
    if not feeds:
        say(console, "nothing is followed yet: `backcast follow binance --quote USDT` does it")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("feed")
    table.add_column("newest hour")
    for heading in ("lag", "cryptos", "failed", "left out", "ended", "inserted", "corrected", "failures"):
        table.add_column(heading, justify="right")
    for feed in feeds:
        table.add_row(
            f"{feed.exchange} {feed.quote}",
            f"{feed.newest_hour_time.ToDatetime():%Y-%m-%d %H:%M}"
            if feed.HasField("newest_hour_time")
            else "",
            _lag(feed, time.time()),
            *(
                f"{count:,}"
                for count in (
                    feed.crypto_count,
                    feed.failed_count,
                    feed.left_out_count,
                    len(feed.ended_symbols),
                    feed.inserted_count,
                    feed.corrected_count,
                    feed.failure_count,
                )
            ),
        )
    console.print(table)
    for feed in feeds:
        if feed.failure:
            colour = "red" if feed.failed_count or not feed.left_out_count else "yellow"
            say(console, f"[{colour}]{escape(f'{feed.exchange} {feed.quote}: {feed.failure}')}[/{colour}]")
    say(console, "hours are named by their openings; times are UTC")


def _lag(feed: Feed, now_s: float) -> str:
    """Return the time since the end of the newest hour, red if it is late."""
    if not feed.HasField("newest_hour_time"):
        return "[red]no round yet[/red]"
    lag_s = max(now_s - feed.newest_hour_time.seconds - Interval.HOUR_1.seconds, 0.0)
    minutes = int(lag_s // 60)
    if minutes < 60:
        text = f"{minutes} min"
    elif minutes < 48 * 60:
        text = f"{minutes // 60} h {minutes % 60} min"
    else:
        text = f"{minutes // (24 * 60):,} days"
    return f"[red]{text}[/red]" if lag_s > _LATE_S else text
