"""The feed's process: follows one feed and does fetches for as long as it runs, by the data service."""

import asyncio
from contextlib import AsyncExitStack, aclosing

import stamina
import structlog

from backcast_engine.errors import InvalidInput, Violation
from backcast_engine.times import utc
from services.feed.client import ExchangeClient
from services.feed.clock import SystemClock
from services.feed.data_client import DataClient, follower_name
from services.feed.exchanges.all_exchanges import EXCHANGES, exchange_named
from services.feed.feed_round import Round
from services.feed.fetch_queue import FetchQueue
from services.feed.fetcher import Fetcher
from services.feed.follow import Follower
from services.rpc.channel import open_channel
from services.rpc.health import HealthServicer
from services.rpc.server import health_served
from services.rpc.stopping import stop_signal
from services.rpc.tls import channel_credentials
from services.settings import Settings
from services.telemetry.observation import observed

_log = structlog.get_logger()

_VARIABLES = {
    "exchange": "BACKCAST_FEED_EXCHANGE",
    "quote": "BACKCAST_FEED_QUOTE",
    "base_url": "BACKCAST_FEED_URL",
}
# Cryptos that a record names.
_MOST_NAMED = 10


async def run(settings: Settings) -> None:
    """Follow until the process is stopped; raise InvalidInput, naming the variable, if a setting is wrong."""
    try:
        await _run(settings)
    except InvalidInput as error:
        raise InvalidInput(
            *(Violation(_VARIABLES.get(each.field, each.field), each.reason) for each in error.violations)
        ) from None


async def _run(settings: Settings) -> None:
    # The record of a round names the requests that failed.
    stamina.instrumentation.set_on_retry_hooks([])
    stop, clock, health = stop_signal(), SystemClock(), HealthServicer(())
    exchange, quote = exchange_named(settings.required("feed_exchange")), settings.feed_quote
    await health.start()
    async with (
        observed("feed", settings),
        open_channel(settings.data, channel_credentials(settings)) as channel,
        ExchangeClient(exchange, clock, settings.feed_url) as client,
        AsyncExitStack() as others,
        health_served(settings, health),
    ):
        name = follower_name()
        store = DataClient(channel, "data", exchange.name, quote.upper(), name)
        following = asyncio.create_task(_follow(Follower(client, quote, store, clock), client))
        # Where it follows an exchange too, both share its limit.
        clients = {exchange.name: client}

        def client_of(name: str) -> ExchangeClient:
            if name not in clients:
                clients[name] = ExchangeClient(exchange_named(name), clock)
                others.push_async_exit(clients[name])
            return clients[name]

        fetcher = Fetcher(FetchQueue(channel, name), EXCHANGES, client_of)
        fetching = asyncio.create_task(fetcher.run())
        stopping = asyncio.create_task(stop.wait())
        await health.ready()
        _log.info("feed started", exchange=exchange.name, quote=quote.upper())
        await asyncio.wait({following, fetching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        _log.info("feed stopping")
        await health.enter_graceful_shutdown()
        for task in (following, fetching, stopping):
            task.cancel()
        await asyncio.wait({following, fetching, stopping})
        for task in (following, fetching):
            if not task.cancelled():
                task.result()


async def _follow(follower: Follower, client: ExchangeClient) -> None:
    skew = ""
    async with aclosing(follower.rounds()) as rounds:
        async for each in rounds:
            if client.skew and not skew:
                _log.warning("clock skew detected", skew=client.skew)
            skew = client.skew
            _log_round(each)


def _log_round(outcome: Round) -> None:
    """Log a round: as a warning if something failed."""
    if outcome.is_left:
        until = {} if outcome.left_until_s is None else {"until": utc(int(outcome.left_until_s))}
        _log.info("round left to another follower", hour=utc(outcome.hour_s), **until)
        return
    reasons = {
        "missing": outcome.missing[:_MOST_NAMED],
        "ended": outcome.newly_ended[:_MOST_NAMED],
        "lost_hours": dict(list(outcome.lost_hours.items())[:_MOST_NAMED]),
        "failure": outcome.failure,
    }
    log = _log.info if outcome.is_complete else _log.warning
    log(
        "round ended",
        hour=utc(outcome.hour_s),
        attempt=outcome.attempt + 1,
        cryptos=outcome.asked_count,
        inserted=outcome.inserted,
        corrected=outcome.corrected,
        failed=len(outcome.failed),
        **{name: reason for name, reason in reasons.items() if reason},
    )
