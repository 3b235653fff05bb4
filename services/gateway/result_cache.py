"""Results in Redis or Valkey."""

from collections.abc import Mapping, Sequence
from typing import cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from services.shared.errors import InvalidInput, Unavailable

TTL_S = 24 * 3600
# A cache that takes longer than this costs more than it saves.
_TIMEOUT_S = 1.0
_WAIT_S = 10.0


class ResultCache:
    """Serialized results by key, for a day. Its errors are Unavailable."""

    def __init__(self, url: str) -> None:
        try:
            # Blocking: where all connections are in use, a run waits for one, and the cache is not down.
            pool = BlockingConnectionPool.from_url(
                url,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                max_connections=32,
                timeout=_WAIT_S,
            )
            self._redis: Redis = Redis.from_pool(pool)
        except ValueError as error:
            raise InvalidInput.of("BACKCAST_REDIS_URL", str(error)) from None

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values of all keys in one round trip, None where there is none."""
        try:
            return cast("list[bytes | None]", await self._redis.mget(keys))
        except (RedisError, OSError) as error:
            raise Unavailable("the cache does not answer") from error

    async def put(self, values: Mapping[str, bytes]) -> None:
        """Keep the values for a day, in one round trip."""
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key, value in values.items():
                    pipeline.set(key, value, ex=TTL_S)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            raise Unavailable("the cache does not answer") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
