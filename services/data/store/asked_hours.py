"""Which exchange a crypto's candles were fetched from, and the hours that it was asked for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import TimeColumn
from backcast_engine.errors import ErrorReason, Refused

if TYPE_CHECKING:
    from services.data.store.database import Connection


@dataclass(frozen=True, slots=True)
class Fetched:
    """The exchange that candles were fetched from, and the hours that it was asked for (Unix seconds).

    The hours open at or after `start_s` and before `end_s`. The candles are all that the exchange has of
    them.
    """

    source: str
    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class AskedHours:
    """The hours that one crypto's exchange was asked for; a writer must have locked the crypto's row."""

    connection: "Connection"
    crypto_id: int
    symbol: str

    async def include(self, open_time_s: TimeColumn) -> NDArray[np.bool_]:
        """Return which of the hours that open at these times are among them."""
        result = np.zeros(len(open_time_s), np.bool_)
        spans = await self.connection.fetch(
            "SELECT extract(epoch FROM lower(span))::bigint, extract(epoch FROM upper(span))::bigint "
            "FROM cryptos, unnest(asked_hours) AS span WHERE crypto_id = $1",
            self.crypto_id,
        )
        for start_s, end_s in spans:
            result |= (open_time_s >= start_s) & (open_time_s < end_s)
        return result

    async def add(self, fetched: Fetched) -> None:
        """Record what was asked for; raise Refused if the candles are of another exchange."""
        noted = await self.connection.fetchval(
            """
            UPDATE cryptos
            SET source = $2,
                asked_hours = asked_hours + tstzmultirange(tstzrange(to_timestamp($3), to_timestamp($4)))
            WHERE crypto_id = $1 AND coalesce(source, $2) = $2
            RETURNING true
            """,
            self.crypto_id,
            fetched.source,
            fetched.start_s,
            fetched.end_s,
        )
        if not noted:
            source = await self.connection.fetchval(
                "SELECT source FROM cryptos WHERE crypto_id = $1", self.crypto_id
            )
            raise Refused(
                f"{self.symbol} has candles of {source}: those of {fetched.source} cannot be mixed in",
                reason=ErrorReason.CANDLES_CONFLICT,
                symbol=self.symbol,
            )
