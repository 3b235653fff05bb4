"""The connections to Redis or Valkey; every error of theirs is raised as CacheUnavailable."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from backcast_engine.errors import InvalidInput
from services.domain.errors import Unavailable

# A cache that takes longer than this costs more than it saves.
_TIMEOUT_S = 1.0
# A server that timed out is not asked for so long: otherwise every run would wait for it again.
_PAUSE_S = 1.0
_WAIT_S = 10.0


class CacheUnavailable(Unavailable):
    """The cache does not answer, or is full: runs go on without it."""


class CacheServer:
    """A pool of connections to one server."""

    def __init__(self, url: str) -> None:
        """Raise InvalidInput where the URL is wrong; nothing is connected yet."""
        try:
            # Blocking: where all connections are in use, a run waits for one instead of failing.
            pool = BlockingConnectionPool.from_url(
                url,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                max_connections=32,
                timeout=_WAIT_S,
                # One retry, for a connection that broke while it was idle because the server was restarted.
                retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            )
        except ValueError as error:
            raise InvalidInput.of("BACKCAST_REDIS_URL", str(error)) from None
        self._redis: Redis = Redis.from_pool(pool)
        self._paused_until = 0.0

    @contextmanager
    def answering(self) -> Iterator[Redis]:
        """Lend the client; its errors are raised as CacheUnavailable."""
        if time.monotonic() < self._paused_until:
            raise CacheUnavailable("the cache does not answer")
        try:
            yield self._redis
        except OutOfMemoryError as error:
            raise CacheUnavailable("the cache is full") from error
        except RedisTimeoutError as error:
            self._paused_until = time.monotonic() + _PAUSE_S
            raise CacheUnavailable("the cache does not answer") from error
        except (RedisError, OSError) as error:
            raise CacheUnavailable("the cache does not answer") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
