"""Lines about cryptos that failed or were left out, one line per reason."""

from collections.abc import Iterable, Sequence

from rich.markup import escape

from backcast.gateway.v1.run_events_pb2 import LeftOutCrypto

_MOST_SYMBOLS = 5
_MOST_LINES = 10


def failure_lines(failures: Iterable[tuple[str, str]]) -> list[str]:
    """Return a line for each reason with its symbols, in rich's markup."""
    by_reason: dict[str, list[str]] = {}
    for symbol, reason in failures:
        by_reason.setdefault(reason, []).append(symbol)
    lines = [
        f"[red]{_named(symbols)}[/red]: {escape(reason)}"
        for reason, symbols in list(by_reason.items())[:_MOST_LINES]
    ]
    if more := sum(map(len, list(by_reason.values())[_MOST_LINES:])):
        lines.append(f"[red]… and {more:,} more failed[/red]")
    return lines


def left_out_line(left_out: Sequence[LeftOutCrypto]) -> str | None:
    """Return a sentence about the cryptos that a run leaves out; None if there are none."""
    if not left_out:
        return None
    if len(left_out) == 1:
        one = left_out[0]
        first, last = (time.ToDatetime() for time in (one.first_candle_time, one.last_candle_time))
        return (
            f"[yellow]{one.symbol} ({first:%Y-%m-%d} to {last:%Y-%m-%d}) is left out: no whole candle in the "
            "window[/yellow]"
        )
    symbols = sorted(one.symbol for one in left_out)
    rest = ", …" if len(symbols) > _MOST_SYMBOLS else ""
    return (
        f"[yellow]{len(symbols):,} cryptos are left out: they have no whole candle in the window "
        f"({', '.join(symbols[:_MOST_SYMBOLS])}{rest})[/yellow]"
    )


def later_line(count: int) -> str | None:
    """Return a sentence about `count` cryptos that have candles after a default window; None if it is 0."""
    if not count:
        return None
    some = "1 crypto has" if count == 1 else f"{count:,} cryptos have"
    return f"[yellow]{some} candles after the window's end: --end or --symbols chooses another[/yellow]"


def _named(symbols: list[str]) -> str:
    if len(symbols) == 1:
        return symbols[0]
    symbols = sorted(symbols)
    rest = ", …" if len(symbols) > _MOST_SYMBOLS else ""
    return f"{len(symbols):,} cryptos ({', '.join(symbols[:_MOST_SYMBOLS])}{rest})"
