"""Trades as people read them."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from backcast.backtest.v1.result_pb2 import ExitReason, Trade
from services.cli.metric_cells import ABSENT, colored
from services.shared.enum_names import names_of

# Headings, and how wide a console has to be to have them.
_COLUMNS = (
    (0, "side", "opened", "at", "closed", "at", "by", "return"),
    (110, "profit", "fees", "candles"),
    (130, "worst", "best"),
)
_LEFT = ("side", "opened", "closed", "by")


def trades_table(width: int, symbol: str, trades: Sequence[Trade], total: int) -> Table:
    """Return a table of trades; `total` is how many there were before it was cut to the last ones.

    `width` is the console's, in characters. `worst` and `best` are how far the price went against a
    position and in its favour.
    """
    title = f"trades of {symbol}" + (f" (the last {len(trades)} of {total})" if len(trades) < total else "")
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    headings = [heading for least, *some in _COLUMNS if width >= least for heading in some]
    for heading in headings:
        table.add_column(heading, justify="left" if heading in _LEFT else "right", no_wrap=True)
    for trade in trades:
        table.add_row(*_cells(trade)[: len(headings)])
    return table


def _cells(trade: Trade) -> list[str]:
    return [
        "short" if trade.units < 0 else "long",
        f"{trade.entry_time.ToDatetime():%Y-%m-%d %H:%M}",
        f"{trade.entry_price:.6g}",
        "[dim]open[/dim]" if trade.open else f"{trade.exit_time.ToDatetime():%Y-%m-%d %H:%M}",
        ABSENT if trade.open else f"{trade.exit_price:.6g}",
        _reason(trade),
        colored(trade.return_fraction, f"{trade.return_fraction:+z.2%}"),
        f"{trade.profit:+z,.2f}",
        f"{trade.fees_paid:,.2f}",
        str(trade.held_candles),
        # z: never "-0.0%".
        f"{trade.worst_excursion:+z.1%}",
        f"{trade.best_excursion:+z.1%}",
    ]


def _reason(trade: Trade) -> str:
    return names_of(ExitReason.DESCRIPTOR).get(trade.exit_reason, "").lower().replace("_", " ")
