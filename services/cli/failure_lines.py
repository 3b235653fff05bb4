"""What failed, for people: cryptos of the same reason in one line."""

from collections.abc import Iterable

from rich.markup import escape

_MOST_SYMBOLS = 5
_MOST_LINES = 10


def failure_lines(failures: Iterable[tuple[str, str]]) -> list[str]:
    """Return lines about symbols and why each failed, in rich's markup."""
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


def _named(symbols: list[str]) -> str:
    if len(symbols) == 1:
        return symbols[0]
    symbols = sorted(symbols)
    rest = ", …" if len(symbols) > _MOST_SYMBOLS else ""
    return f"{len(symbols):,} cryptos ({', '.join(symbols[:_MOST_SYMBOLS])}{rest})"
