"""Output of `backcast follow`: lines for each round."""

from collections.abc import Iterator, Mapping

from rich.markup import escape

from backcast_engine.times import utc
from services.domain.counted import counted
from services.feed.feed_round import Round

# Cryptos that a line names.
_MOST_NAMED = 5


class RoundLines:
    """Makes the lines about rounds, in rich's markup; `title` is the exchange's name.

    A crypto that is left out is reported once.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._reported: set[str] = set()

    def of(self, outcome: Round) -> Iterator[str]:
        """Yield the lines about a round."""
        hour = utc(outcome.hour_s)
        if outcome.is_left:
            until_s = outcome.left_until_s
            has = "done it" if until_s is None else f"begun it, and may take until {utc(int(until_s))}"
            yield f"{hour}: another follower has {has}"
            return
        if outcome.error:
            yield f"[red]{escape(f'{hour}: {outcome.error}')}[/red]"
            return
        again = "again " if outcome.attempt else ""
        parts = [f"{counted(outcome.asked_count, 'crypto')} asked for {again}".strip()]
        parts += [
            f"{count:,} {word}"
            for count, word in ((outcome.inserted, "inserted"), (outcome.corrected, "corrected"))
            if count
        ]
        if outcome.missing:
            later = "" if outcome.is_done else " yet"
            parts.append(f"{len(outcome.missing):,} without a candle{later} ({_named(outcome.missing)})")
        yield escape(f"{hour}: {', '.join(parts)}")
        yield from self._reasons("", outcome.failed, outcome.failed)
        new = {symbol: reason for symbol, reason in outcome.left_out.items() if symbol not in self._reported}
        self._reported |= new.keys()
        yield from self._reasons("left out: ", new, outcome.left_out)
        if outcome.newly_ended:
            yield escape(f"not traded any more: {_named(outcome.newly_ended)}")
        for symbol, hours in list(outcome.lost_hours.items())[:_MOST_NAMED]:
            yield (
                f"[yellow]{symbol}: {self._title} does not give {counted(hours, 'hour')} any more; its "
                "quarterly files have them, which `backcast import` reads[/yellow]"
            )

    def _reasons(self, what: str, new: Mapping[str, str], all_reasons: Mapping[str, str]) -> Iterator[str]:
        for symbol, reason in sorted(new.items())[:_MOST_NAMED]:
            # The option instead of the API's value.
            readable = reason.replace("CONFLICT_RULE_REPLACE", "`backcast fetch … --again`")
            subject = "" if readable.startswith(f"{symbol} ") else f"{symbol}: "
            yield f"[red]{escape(f'{what}{subject}{readable}')}[/red]"
        if len(new) > _MOST_NAMED:
            yield f"[red]{what}and {len(new) - _MOST_NAMED:,} more[/red]"


def _named(symbols: list[str]) -> str:
    named = ", ".join(sorted(symbols)[:_MOST_NAMED])
    return f"{named} and {len(symbols) - _MOST_NAMED:,} more" if len(symbols) > _MOST_NAMED else named
