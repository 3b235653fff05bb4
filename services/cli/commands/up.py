"""`backcast up`: runs the embedded servers, the services, the page and a feed until it is stopped."""

import asyncio
import sys
from pathlib import Path

from backcast_engine.errors import InvalidInput
from services.feed.exchanges.all_exchanges import exchange_named
from services.local.interrupts import Interrupts
from services.local.stack import LocalStack, StackSettings
from services.settings import Settings


def up(settings: Settings, data_dir: Path | None, follow: str | None, quote: str | None) -> None:
    """Run the embedded servers, the three services and the page until SIGINT or SIGTERM.

    With `follow`, the pairs of `quote` of this exchange are followed, too. Raises InvalidInput if there is no
    such exchange.
    """
    if follow is None and quote is not None:
        raise InvalidInput.of("--quote", "is for --follow")
    try:
        exchange = exchange_named(follow).name if follow is not None else None
    except InvalidInput as error:
        raise InvalidInput.of("--follow", error.violations[0].reason) from None
    asyncio.run(_up(settings, data_dir or settings.data_dir, exchange, quote or settings.feed_quote))


async def _up(settings: Settings, data_dir: Path, exchange: str | None, quote: str) -> None:
    stack_settings = StackSettings(
        data_dir=data_dir,
        gateway_port=settings.gateway_port,
        compute_port=settings.compute_port,
        data_port=settings.data_port,
        database_url=settings.database_url,
        redis_url=settings.redis_url,
        web_port=settings.web_port,
        follow=exchange,
        quote=quote,
    )
    with Interrupts():
        async with LocalStack(stack_settings) as stack:
            print("Ctrl-C stops everything; the data stays in", data_dir, file=sys.stderr)
            print(f"ready: gateway {stack.gateway_address}\npage: {stack.page_url}", flush=True)
            try:
                await stack.wait()
            finally:
                print("stopping…", file=sys.stderr, flush=True)
