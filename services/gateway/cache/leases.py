"""Claims on what is about to be computed: one gateway of several has each, and loses it when it dies."""

from collections.abc import Collection
from enum import IntEnum
from uuid import uuid4

from services.gateway.cache.connection import CacheServer

# What dies holding a claim delays the others by so much. A claim is renewed three times in that time.
LEASE_S = 3.0

_SUFFIX = ":claim"

# Of each key: 2 where its result is there, 1 where it is claimed now, 0 where somebody else has claimed it.
_TAKE = f"""
local states = {{}}
for i, key in ipairs(KEYS) do
    if redis.call('EXISTS', key) == 1 then states[i] = 2
    elseif redis.call('SET', key .. '{_SUFFIX}', ARGV[1], 'NX', 'PX', ARGV[2]) then states[i] = 1
    else states[i] = 0 end
end
return states
"""
_RENEW = f"""
for _, key in ipairs(KEYS) do
    local claim = key .. '{_SUFFIX}'
    if redis.call('GET', claim) == ARGV[1] then redis.call('PEXPIRE', claim, ARGV[2]) end
end
"""
_RELEASE = f"""
for _, key in ipairs(KEYS) do
    local claim = key .. '{_SUFFIX}'
    if redis.call('GET', claim) == ARGV[1] then redis.call('DEL', claim) end
end
"""


class Claim(IntEnum):
    """What came of asking for a claim."""

    OTHERS = 0
    """Somebody else has it."""
    OURS = 1
    """It is given."""
    DONE = 2
    """It is not needed: the result is in the cache."""


class Claims:
    """The claims of one run, by the keys of results. Its errors are CacheUnavailable."""

    def __init__(self, server: CacheServer) -> None:
        self._server = server
        # Whose claim it is: nobody else renews or releases it.
        self._token = uuid4().hex

    async def take(self, keys: list[str]) -> list[Claim]:
        """Ask for the claims of all keys, in one round trip."""
        with self._server.answering() as redis:
            states = await redis.register_script(_TAKE)(keys, [self._token, int(LEASE_S * 1000)])
        return [Claim(state) for state in states]

    async def renew(self, keys: Collection[str]) -> None:
        """Keep claims for another lease, as far as they are not lost."""
        with self._server.answering() as redis:
            await redis.register_script(_RENEW)(list(keys), [self._token, int(LEASE_S * 1000)])

    async def release(self, keys: Collection[str]) -> None:
        """Give claims back."""
        with self._server.answering() as redis:
            await redis.register_script(_RELEASE)(list(keys), [self._token])
