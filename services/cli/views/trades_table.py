"""The table of trades."""

from collections.abc import Sequence

from rich.table import Table

from backcast.backtest.v1.result_pb2 import ExitReason, Trade
from services.cli.views.fitted_table import TableColumn, fitted_table
from services.cli.views.metric_cells import ABSENT, colored
from services.wire.enum_names import names_of

# The order in which columns are left out if there is no room.
_LEFT_OUT = {"worst": 1, "best": 2, "candles": 3, "fees": 4, "profit": 5, "side": 6, "by": 7}
_LEFT = ("crypto", "side", "opened", "closed", "by")


def trades_table(
    width: int, whose: str, trades: Sequence[Trade], total: int, symbols: Sequence[str] = ()
) -> Table:
    """Return a table of trades; `total` is the number of all trades, of which `trades` are the last ones.

    With `symbols`, each trade has its own.

    `width` is the console's, in characters, and limits the columns. `entry` and `exit` are prices. `worst`
    and `best` are how far the price went against a position and in its favour.
    """
    title = f"trades of {whose}" + (f" (the last {len(trades)} of {total})" if len(trades) < total else "")
    rows = [_cells(trade) for trade in trades]
    if symbols:
        rows = [{"crypto": symbol, **row} for symbol, row in zip(symbols, rows, strict=True)]
    # The side is shown only if there are trades on both sides.
    kept = {"side"} if len({row["side"] for row in rows}) > 1 else set()
    return fitted_table(
        width,
        [
            TableColumn(
                heading,
                [row[heading] for row in rows],
                0 if heading in kept else _LEFT_OUT.get(heading, 0),
                left=heading in _LEFT,
            )
            for heading in (rows[0] if rows else ())
        ],
        title,
    )


def _cells(trade: Trade) -> dict[str, str]:
    """Return the cells of a trade by heading, in their order."""
    return {
        "side": "short" if trade.units < 0 else "long",
        "opened": f"{trade.entry_time.ToDatetime():%Y-%m-%d %H:%M}",
        "entry": f"{trade.entry_price:.6g}",
        "closed": "[dim]open[/dim]" if trade.open else f"{trade.exit_time.ToDatetime():%Y-%m-%d %H:%M}",
        "exit": ABSENT if trade.open else f"{trade.exit_price:.6g}",
        "by": _reason(trade),
        "return": colored(trade.return_fraction, f"{trade.return_fraction:+z.2%}"),
        "profit": f"{trade.profit:+z,.2f}",
        "fees": f"{trade.fees_paid:,.2f}",
        "candles": str(trade.held_candles),
        # The format z avoids "-0.0%".
        "worst": f"{trade.worst_excursion:+z.1%}",
        "best": f"{trade.best_excursion:+z.1%}",
    }


def _reason(trade: Trade) -> str:
    return names_of(ExitReason.DESCRIPTOR).get(trade.exit_reason, "").lower().replace("_", " ")
