"""What can be asked of an exchange: checks that the command, the data service and the feed have in common."""

from backcast_engine.errors import InvalidInput
from services.domain.symbols import CryptoKind, parse_symbol

_HOUR_S = 3600

NO_FEED_PROCESS = (
    "no feed process takes up fetches; start one: backcast serve feed, or backcast up --follow EXCHANGE"
)


def spot_symbol(text: str, field: str) -> str:
    """Return the canonical form of a spot symbol; raise InvalidInput, naming the field, for another one."""
    symbol = parse_symbol(text, field)
    if symbol.kind is not CryptoKind.SPOT:
        raise InvalidInput.of(
            field, f"{symbol.canonical} is a {symbol.kind.value}, and only spot candles can be fetched"
        )
    return symbol.canonical


def hours_wanted(
    start_s: int,
    end_s: int | None,
    now_s: int,
    *,
    start: str,
    end: str | None,
    fields: tuple[str, str] = ("start_time", "end_time"),
) -> tuple[int, int]:
    """Return the opening time of the first whole hour, and the end of the last one, in Unix seconds.

    `end_s` is None for now. `start` and `end` are the same times as texts, for errors. Raises InvalidInput of
    the first of the `fields` if it begins before 1970 or in the future, or if there is no whole hour.
    """
    field, end_field = fields
    if start_s < 0:
        raise InvalidInput.of(field, f"{start} is before 1970")
    if start_s > now_s:
        raise InvalidInput.of(field, f"{start} is in the future")
    if end_s is not None and start_s >= end_s:
        raise InvalidInput.of(field, f"{start} is not before {end_field.rpartition('.')[2]} {end}")
    first_s = -(-start_s // _HOUR_S) * _HOUR_S
    last_s = (now_s if end_s is None else end_s) // _HOUR_S * _HOUR_S
    if first_s >= last_s:
        raise InvalidInput.of(field, f"there is no whole hour from {start} to {end or 'now'}")
    return first_s, last_s
