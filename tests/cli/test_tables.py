"""Tables of trades and months, as people read them."""

import io

import pytest
from google.protobuf.json_format import ParseDict
from rich.console import Console
from rich.table import Table

from backcast.backtest.v1.result_pb2 import MonthlyReturn, Trade
from services.cli.result_tables import months_table
from services.cli.trades_table import trades_table


def printed(table: Table, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


LONG = ParseDict(
    {
        "entryTime": "2024-01-02T03:00:00Z",
        "entryPrice": 100.0,
        "units": 2.0,
        "exitTime": "2024-01-03T04:00:00Z",
        "exitPrice": 95.0,
        "feesPaid": 0.5,
        "profit": -10.5,
        "returnFraction": -0.0525,
        "heldCandles": 25,
        "exitReason": "EXIT_REASON_STOP_LOSS",
        "worstExcursion": -0.05,
        "bestExcursion": 0.0123,
    },
    Trade(),
)
OPEN_SHORT = ParseDict(
    {
        "entryTime": "2024-02-02T03:00:00Z",
        "entryPrice": 0.000123456789,
        "units": -2000.0,
        "profit": 1234.5,
        "returnFraction": 0.5,
        "heldCandles": 7,
        "open": True,
        "bestExcursion": -0.0,
    },
    Trade(),
)


def test_trades_where_there_is_room():
    title, headings, _, long, short = printed(trades_table(130, "X", [LONG, OPEN_SHORT], 5), 130)
    assert title == "trades of X (the last 2 of 5)"
    assert headings.split() == [
        *("side", "opened", "at", "closed", "at", "by", "return"),
        *("profit", "fees", "candles", "worst", "best"),
    ]
    assert long.split() == [
        *("long", "2024-01-02", "03:00", "100", "2024-01-03", "04:00", "95", "stop", "loss", "-5.25%"),
        *("-10.50", "0.50", "25", "-5.0%", "+1.2%"),
    ]
    assert short.split() == [
        *("short", "2024-02-02", "03:00", "0.000123457", "open", "–", "+50.00%"),
        *("+1,234.50", "0.00", "7", "+0.0%", "+0.0%"),
    ]


@pytest.mark.parametrize(("width", "last"), [(80, "return"), (110, "candles")])
def test_trades_where_there_is_less_room(width, last):
    title, headings, _, *rows = printed(trades_table(width, "X", [LONG, OPEN_SHORT], 2), width)
    assert title == "trades of X"
    assert headings.split()[-1] == last
    # Nothing is cut off.
    assert "…" not in "".join(rows)


MONTHS = [
    MonthlyReturn(year=2023, month=11, return_fraction=0.1),
    MonthlyReturn(year=2023, month=12, return_fraction=-0.5),
    MonthlyReturn(year=2024, month=2, return_fraction=1.5),
    MonthlyReturn(year=2025, month=1),
]


def test_months_are_a_row_for_each_year():
    title, headings, _, first, second, third = printed(months_table(120, "X", MONTHS), 120)
    assert title == "monthly returns of X, percent"
    assert headings.split()[::12] == ["Jan", "year"]
    assert first.split() == ["2023", "+10.0", "-50.0", "-45.0"]
    assert second.split() == ["2024", "+150.0", "+150.0"]
    assert third.split() == ["2025", "–", "–"]
    # Each under its month.
    assert headings.index("Nov") + 3 == first.index("+10.0") + 5


def test_months_fit_a_narrow_console():
    months = [MonthlyReturn(year=2024, month=month, return_fraction=-0.123) for month in range(1, 13)]
    *_, row = printed(months_table(80, "X", months), 80)
    assert row.split() == ["2024", *["-12"] * 12, "-79"]
