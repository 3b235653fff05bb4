"""The feeds: how current the candles are that are followed, and which follower has the lease of an hour.

One row for each feed. The follower that writes an hour into it does the round of that hour: no leader is
needed. Its columns turn_… are the lease.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from backcast_engine.errors import InvalidInput
from services.data.store.database import Database

# A lease whose round is not done after so many seconds may be taken by another follower.
LEASE_S = 600

# The columns of Feed, in its order.
_COLUMNS = (
    "exchange, quote, extract(epoch FROM newest_hour)::bigint, extract(epoch FROM rechecked_hour)::bigint, "
    "extract(epoch FROM round_ended_at)::bigint, crypto_count, failed_count, left_out_count, failure, "
    "inserted_count, corrected_count, failure_count, ended_symbols"
)


@dataclass(frozen=True, slots=True)
class Feed:
    """All pairs of a quote currency on an exchange; hours are opening times, all times are in Unix seconds.

    `newest_hour_s` is the newest hour up to which every crypto was asked for without a failure,
    `rechecked_hour_s` that of the last round that asked for 30 days again, and `round_end_s` when the last
    round ended: None if there was none. Numbers of cryptos, and `failure`, are of the last round; those of
    candles are of all rounds, and `failure_count` is the number of rounds in which something failed.
    """

    exchange: str
    quote: str
    newest_hour_s: int | None = None
    rechecked_hour_s: int | None = None
    round_end_s: int | None = None
    crypto_count: int = 0
    failed_count: int = 0
    left_out_count: int = 0
    failure: str = ""
    inserted_count: int = 0
    corrected_count: int = 0
    failure_count: int = 0
    ended_symbols: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class FeedLease:
    """Whether a follower has the lease of an hour.

    If not: whether the round is done, or for how long nobody else can take it.
    """

    feed: Feed
    is_taken: bool
    is_done: bool = False
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FeedRound:
    """The outcome of a round: `hour_s` is the newest hour that it asked for, in Unix seconds.

    `is_complete`: nothing failed. `is_done`: the follower does not ask again. `is_recheck`: it asked for 30
    days again.
    """

    exchange: str
    quote: str
    hour_s: int
    follower: str
    is_complete: bool
    is_done: bool
    is_recheck: bool
    crypto_count: int
    failed_count: int
    left_out_count: int
    failure: str
    inserted_count: int
    corrected_count: int
    ended_symbols: Sequence[str]


class FeedStore:
    """The feeds in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Feed]:
        """Return all feeds, ordered by exchange and quote currency."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(f"SELECT {_COLUMNS} FROM feeds ORDER BY exchange, quote")
        return [Feed(*row) for row in rows]

    async def take_lease(self, exchange: str, quote: str, hour_s: int, follower: str) -> FeedLease:
        """Take the lease of an hour, which opens at `hour_s` (Unix seconds), or say why not.

        It can be taken if nobody has, by who has it, and by another one after ten minutes by the database's
        clock.
        """
        async with self._database.connection() as connection, connection.transaction():
            taken = await connection.fetchrow(_TAKE, exchange, quote, hour_s, follower, LEASE_S)
            if taken:
                return FeedLease(Feed(*taken), is_taken=True)
            # The row that was not changed is there, as feeds are not deleted.
            *feed, is_done, wait_s = await connection.fetchrow(_HELD, exchange, quote, hour_s, LEASE_S)  # type: ignore[misc]
        return FeedLease(Feed(*feed), is_taken=False, is_done=is_done, wait_s=0.0 if is_done else wait_s)

    async def record(self, outcome: FeedRound) -> Feed:
        """Record the outcome of a round; raise InvalidInput if there is no such feed."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                _RECORD,
                outcome.exchange,
                outcome.quote,
                outcome.hour_s,
                outcome.follower,
                outcome.is_complete,
                outcome.is_done,
                outcome.is_recheck,
                outcome.crypto_count,
                outcome.failed_count,
                outcome.left_out_count,
                outcome.failure,
                outcome.inserted_count,
                outcome.corrected_count,
                sorted(set(outcome.ended_symbols)),
            )
        if row is None:
            raise InvalidInput.of("exchange", f"there is no feed of {outcome.exchange} {outcome.quote}")
        return Feed(*row)

    async def release(self, exchange: str, quote: str, follower: str) -> None:
        """Note that a follower stops: another one may take up at once the hour that it has not done."""
        async with self._database.connection() as connection:
            await connection.execute(_RELEASE, exchange, quote, follower, LEASE_S)


_TAKE = f"""
INSERT INTO feeds AS feed (exchange, quote, turn_hour, turn_follower, turn_taken_at)
VALUES ($1, $2, to_timestamp($3), $4, now())
ON CONFLICT (exchange, quote) DO UPDATE
SET turn_hour = excluded.turn_hour,
    turn_follower = excluded.turn_follower,
    turn_taken_at = excluded.turn_taken_at,
    turn_is_done = false
WHERE feed.turn_hour < excluded.turn_hour
    OR (
        feed.turn_hour = excluded.turn_hour
        AND NOT feed.turn_is_done
        AND (
            feed.turn_follower = excluded.turn_follower
            OR feed.turn_taken_at <= now() - make_interval(secs => $5)
        )
    )
RETURNING {_COLUMNS}
"""

# This transaction may have begun before that of the follower that has the lease.
_HELD = f"""
SELECT {_COLUMNS},
    turn_is_done OR turn_hour > to_timestamp($3),
    greatest(extract(epoch FROM turn_taken_at - clock_timestamp()) + $4, 1)::double precision
FROM feeds
WHERE exchange = $1 AND quote = $2
"""

# A follower that lost its lease records what it did, and does not end the lease of the other one.
_RECORD = f"""
UPDATE feeds
SET newest_hour = CASE WHEN $5 THEN greatest(newest_hour, to_timestamp($3)) ELSE newest_hour END,
    rechecked_hour = CASE
        WHEN $5 AND $7 THEN greatest(rechecked_hour, to_timestamp($3)) ELSE rechecked_hour
    END,
    round_ended_at = now(),
    crypto_count = $8,
    failed_count = $9,
    left_out_count = $10,
    failure = $11,
    inserted_count = inserted_count + $12,
    corrected_count = corrected_count + $13,
    failure_count = failure_count + (NOT $5)::integer,
    ended_symbols = $14,
    turn_is_done = turn_is_done OR ($6 AND turn_hour = to_timestamp($3) AND turn_follower = $4)
WHERE exchange = $1 AND quote = $2
RETURNING {_COLUMNS}
"""

# As if the follower had taken it so long ago.
_RELEASE = """
UPDATE feeds SET turn_taken_at = now() - make_interval(secs => $4)
WHERE exchange = $1 AND quote = $2 AND turn_follower = $3
"""
