"""Output of `backcast fetch`: its progress, and a line for each crypto."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from backcast_engine.times import utc
from services.cli.views.console import CountColumn
from services.domain.counted import counted
from services.feed.client import ExchangeClient
from services.feed.clock import Clock
from services.feed.fetch import CryptoReport
from services.feed.spans import Span


class _PlaceColumn(ProgressColumn):
    """Where a fetch is; or how long it waits, where the exchange says that it is asked too often."""

    def __init__(self, client: ExchangeClient, clock: Clock) -> None:
        super().__init__()
        self._client = client
        self._clock = clock

    def render(self, task: Task) -> Text:
        """Return the text for this moment."""
        wait_s = self._client.pace.waits_until_s - self._clock.now_s()
        title = self._client.exchange.title
        return Text(f"{title} wants {wait_s:,.0f} s without requests" if wait_s > 0 else task.description)


class FetchScreen:
    """Progress of a fetch: cryptos done of all, the date reached, candles a second, and the weight used.

    Nothing is shown without a terminal.
    """

    def __init__(self, console: Console, client: ExchangeClient, clock: Clock, cryptos: int) -> None:
        self._client = client
        self._begin_s = time.monotonic()
        self._candles = 0
        self._progress = Progress(
            TextColumn("fetching"),
            BarColumn(bar_width=20),
            CountColumn(),
            _PlaceColumn(client, clock),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task("", total=cryptos)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def reached(self, symbol: str, time_s: int, candles: int) -> None:
        """Show the time that a crypto has reached, with this many more candles."""
        self._candles += candles
        a_second = self._candles / max(time.monotonic() - self._begin_s, 1e-3)
        pace = self._client.pace
        self._progress.update(
            self._bar,
            description=f"{symbol} {utc(time_s)[:10]}, {a_second:,.0f} candles/s, "
            f"weight {pace.used:,} of {self._client.exchange.limit.weight:,}",
        )

    def done(self) -> None:
        """Count a crypto that is done."""
        self._progress.advance(self._bar)


def report_line(report: CryptoReport, title: str, wanted: Span, is_first: bool) -> str:
    """Return the line about a crypto, in rich's markup; counts of zero are left out.

    `title` is the exchange's name. `is_first`: nothing was fetched of the crypto before.
    """
    parts = [
        f"{count:,} {word}"
        for count, word in (
            (report.inserted, "inserted"),
            (report.corrected, "corrected"),
            (report.unchanged, "unchanged"),
            (report.rejected, "rejected"),
        )
        if count
    ]
    if report.absent:
        parts.append(f"{counted(report.absent, 'hour')} that {title} does not have")
    if is_first and report.first_s is not None and report.first_s > wanted.start_s:
        parts.append(f"its first candle is of {utc(report.first_s)}")
    if report.error:
        # The options instead of the API's values and fields.
        reason = str(report.error).removeprefix("symbol: ").replace("CONFLICT_RULE_REPLACE", "--again")
        if reason.startswith("since: "):
            reason = f"--{reason}"
        if not parts and reason.startswith(f"{report.symbol} "):
            return f"[red]{escape(reason)}[/red]"
        before = f"{', '.join(parts)}; then: " if parts else ""
        reason = reason.removeprefix(f"{report.symbol}: ")
        return f"[red]{escape(f'{report.symbol}: {before}{reason}')}[/red]"
    if not report.wanted_hours:
        parts.append("nothing to ask for: all of these hours were asked for before")
    return escape(f"{report.symbol}: {', '.join(parts) or f'{title} has no candles'}")
