"""Leases on keys that are being computed: one gateway of many holds each, and loses it when it dies."""

from collections.abc import Collection
from enum import IntEnum
from uuid import uuid4

from services.gateway.cache.connection import CacheServer

# A gateway that dies with a lease delays the others by so much. A lease is renewed three times in that time.
LEASE_S = 3.0

_SUFFIX = ":lease"

# Of each key: 2 where its value is cached, 1 where the lease is granted, 0 where somebody else holds it.
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
    local lease = key .. '{_SUFFIX}'
    if redis.call('GET', lease) == ARGV[1] then redis.call('PEXPIRE', lease, ARGV[2]) end
end
"""
_RELEASE = f"""
for _, key in ipairs(KEYS) do
    local lease = key .. '{_SUFFIX}'
    if redis.call('GET', lease) == ARGV[1] then redis.call('DEL', lease) end
end
"""


class LeaseState(IntEnum):
    """The answer to a request for a lease."""

    HELD = 0
    """Somebody else holds the lease."""
    GRANTED = 1
    """The lease is granted."""
    CACHED = 2
    """No lease is needed: the value is in the cache."""


class Leases:
    """The leases of one run, by the keys of values. Its errors are CacheUnavailable."""

    def __init__(self, server: CacheServer) -> None:
        self._server = server
        # The holder: nobody else renews or releases its leases.
        self._token = uuid4().hex

    async def take(self, keys: list[str]) -> list[LeaseState]:
        """Ask for the leases of all keys, in one round trip."""
        with self._server.answering() as redis:
            states = await redis.register_script(_TAKE)(keys, [self._token, int(LEASE_S * 1000)])
        return [LeaseState(state) for state in states]

    async def renew(self, keys: Collection[str]) -> None:
        """Extend leases that are not lost."""
        with self._server.answering() as redis:
            await redis.register_script(_RENEW)(list(keys), [self._token, int(LEASE_S * 1000)])

    async def release(self, keys: Collection[str]) -> None:
        """Release leases."""
        with self._server.answering() as redis:
            await redis.register_script(_RELEASE)(list(keys), [self._token])
