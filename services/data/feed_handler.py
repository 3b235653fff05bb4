"""Handler of backcast.marketdata.v1.FeedService: converts requests, calls the store, answers."""

import re
import time

from google.protobuf.duration_pb2 import Duration

from backcast.marketdata.v1 import feed_pb2, feed_service_pb2_grpc
from backcast.marketdata.v1 import feed_service_pb2 as pb
from backcast_engine.errors import InvalidInput, Violation, Violations
from services.data.requests import hour_from, source_from
from services.data.store.feeds import Feed, FeedRound, FeedStore
from services.domain.symbols import canonical_symbol
from services.wire.candles import timestamp_to
from services.wire.paging import page_of, requested_page

_QUOTE = re.compile("[A-Z0-9]{1,32}")
_MOST_FOLLOWER, _MOST_FAILURE, _MOST_COUNT = 128, 1000, 10**9
_COUNTS = ("crypto_count", "failed_count", "left_out_count", "inserted_count", "corrected_count")

_OfFeed = pb.TakeFeedLeaseRequest | pb.RecordFeedRoundRequest


class FeedHandler(feed_service_pb2_grpc.FeedServiceServicer):
    """Lists feeds, gives leases and records rounds."""

    def __init__(self, feeds: FeedStore) -> None:
        self._feeds = feeds

    async def ListFeeds(  # noqa: N802  # the RPC's name
        self, request: pb.ListFeedsRequest, context: object
    ) -> pb.ListFeedsResponse:
        """List feeds in order of exchange and quote currency."""
        requested_page(request)
        page, next_page_token = page_of(
            await self._feeds.all(), request, lambda feed: f"{feed.exchange} {feed.quote}"
        )
        return pb.ListFeedsResponse(feeds=map(_feed_message, page), next_page_token=next_page_token)

    async def TakeFeedLease(  # noqa: N802  # the RPC's name
        self, request: pb.TakeFeedLeaseRequest, context: object
    ) -> pb.TakeFeedLeaseResponse:
        """Give a follower the lease of an hour, or say why not."""
        violations = Violations()
        hour_s = _read_round_of(request, violations)
        violations.raise_if_any()
        lease = await self._feeds.take_lease(request.exchange, request.quote, hour_s, request.follower)
        return pb.TakeFeedLeaseResponse(
            feed=_feed_message(lease.feed),
            taken=lease.is_taken,
            done=lease.is_done,
            retry_after=_duration(lease.wait_s) if lease.wait_s else None,
        )

    async def RecordFeedRound(  # noqa: N802  # the RPC's name
        self, request: pb.RecordFeedRoundRequest, context: object
    ) -> pb.RecordFeedRoundResponse:
        """Record the outcome of a round."""
        violations = Violations()
        hour_s = _read_round_of(request, violations)
        for name in _COUNTS:
            if not 0 <= (count := getattr(request, name)) <= _MOST_COUNT:
                violations.add(Violation(name, f"must be from 0 to {_MOST_COUNT:,}, not {count:,}"))
        if len(request.failure) > _MOST_FAILURE or "\0" in request.failure:
            violations.add(
                Violation("failure", f"at most {_MOST_FAILURE:,} characters are taken, and no NUL")
            )
        ended = [
            violations.read("", canonical_symbol, symbol, f"ended_symbols[{index}]")
            for index, symbol in enumerate(request.ended_symbols)
        ]
        violations.raise_if_any()
        feed = await self._feeds.record(
            FeedRound(
                request.exchange,
                request.quote,
                hour_s,
                request.follower,
                is_complete=request.complete,
                is_done=request.done,
                is_recheck=request.rechecked,
                failure=request.failure,
                ended_symbols=ended,
                **{name: getattr(request, name) for name in _COUNTS},
            )
        )
        return pb.RecordFeedRoundResponse(feed=_feed_message(feed))

    async def ReleaseFeed(  # noqa: N802  # the RPC's name
        self, request: pb.ReleaseFeedRequest, context: object
    ) -> pb.ReleaseFeedResponse:
        """Have another follower take up at once the hour of one that stops."""
        violations = Violations()
        _read_feed_of(request, violations)
        violations.raise_if_any()
        await self._feeds.release(request.exchange, request.quote, request.follower)
        return pb.ReleaseFeedResponse()


def _read_feed_of(request: _OfFeed | pb.ReleaseFeedRequest, violations: Violations) -> None:
    """Check which feed and which follower a request is about."""
    violations.read("", source_from, request.exchange, "exchange")
    if not _QUOTE.fullmatch(request.quote):
        violations.add(Violation("quote", "1 to 32 letters A to Z and digits are needed"))
    if not 1 <= len(request.follower) <= _MOST_FOLLOWER or "\0" in request.follower:
        violations.add(Violation("follower", f"1 to {_MOST_FOLLOWER} characters are needed, and no NUL"))


def _read_round_of(request: _OfFeed, violations: Violations) -> int:
    """Check which round of which feed a request is about; return its hour in Unix seconds."""
    _read_feed_of(request, violations)
    return violations.read(0, _past_hour_from, request)


def _past_hour_from(request: _OfFeed) -> int:
    hour_s = hour_from(request.hour_time, "hour_time")
    if hour_s > time.time():
        # Nobody could take a lease until then.
        raise InvalidInput.of("hour_time", "is in the future")
    return hour_s


def _feed_message(feed: Feed) -> feed_pb2.Feed:
    newest_s, rechecked_s, end_s = feed.newest_hour_s, feed.rechecked_hour_s, feed.round_end_s
    return feed_pb2.Feed(
        exchange=feed.exchange,
        quote=feed.quote,
        newest_hour_time=None if newest_s is None else timestamp_to(newest_s),
        rechecked_hour_time=None if rechecked_s is None else timestamp_to(rechecked_s),
        round_end_time=None if end_s is None else timestamp_to(end_s),
        crypto_count=feed.crypto_count,
        failed_count=feed.failed_count,
        left_out_count=feed.left_out_count,
        failure=feed.failure,
        inserted_count=feed.inserted_count,
        corrected_count=feed.corrected_count,
        failure_count=feed.failure_count,
        ended_symbols=feed.ended_symbols,
    )


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration
