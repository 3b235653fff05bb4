"""Trades as people read them."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from backcast.backtest.v1.result_pb2 import ExitReason, Trade
from services.cli.result_tables import ABSENT, colored
from services.shared.enum_names import names_of

_HEADINGS = ("side", "opened", "at", "closed", "at", "by", "return", "profit", "fees", "candles")
_LEFT = ("side", "opened", "closed", "by")
_MORE_HEADINGS = ("worst", "best")
# With all columns a table is wider than most terminals.
_ROOM_FOR_MORE = 120


def trades_table(width: int, symbol: str, trades: Sequence[Trade], total: int) -> Table:
    """Return a table of trades; `total` is how many there were before it was cut to the last ones.

    `width` is the console's, in characters: where there is room, it tells how far the price went against
    a position and in its favour.
    """
    wide = width >= _ROOM_FOR_MORE
    title = f"trades of {symbol}" + (f" (the last {len(trades)} of {total})" if len(trades) < total else "")
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for heading in _HEADINGS + (_MORE_HEADINGS if wide else ()):
        table.add_column(heading, justify="left" if heading in _LEFT else "right", no_wrap=True)
    for trade in trades:
        row = [
            "short" if trade.units < 0 else "long",
            f"{trade.entry_time.ToDatetime():%Y-%m-%d %H:%M}",
            f"{trade.entry_price:.6g}",
            "[dim]open[/dim]" if trade.open else f"{trade.exit_time.ToDatetime():%Y-%m-%d %H:%M}",
            ABSENT if trade.open else f"{trade.exit_price:.6g}",
            _reason(trade),
            colored(trade.return_fraction, f"{trade.return_fraction:+.2%}"),
            f"{trade.profit:+,.2f}",
            f"{trade.fees_paid:,.2f}",
            str(trade.held_candles),
        ]
        more = [f"{trade.worst_excursion:+.1%}", f"{trade.best_excursion:+.1%}"] if wide else []
        table.add_row(*row, *more)
    return table


def _reason(trade: Trade) -> str:
    return names_of(ExitReason.DESCRIPTOR).get(trade.exit_reason, "").lower().replace("_", " ")
