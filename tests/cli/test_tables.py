"""Tables of trades and months, as people read them."""

import pytest
from google.protobuf.json_format import ParseDict

from backcast.backtest.v1.result_pb2 import BacktestResult, Metrics, MonthlyReturn, Trade
from services.cli.views.metric_cells import colored
from services.cli.views.result_tables import months_table, results_table, sparkline
from services.cli.views.trades_table import trades_table
from tests.cli.printing import printed

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


def test_a_wide_table_of_trades_has_every_column():
    title, headings, _, long, short = printed(trades_table(130, "X", [LONG, OPEN_SHORT], 5), 130)
    assert title == "trades of X (the last 2 of 5)"
    assert headings.split() == [
        *("side", "opened", "entry", "closed", "exit", "by", "return"),
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
def test_a_narrow_table_of_trades_leaves_columns_out(width, last):
    title, headings, _, *rows = printed(trades_table(width, "X", [LONG, OPEN_SHORT], 2), width)
    assert title == "trades of X"
    assert headings.split()[-1] == last
    # Nothing is cut off.
    assert "…" not in "".join(rows)
    assert [row.split()[0] for row in rows] == ["long", "short"]
    assert "-5.25%" in rows[0]


def test_trades_of_one_side_leave_that_out_first():
    small = ParseDict({"entryPrice": 0.0123456, "exitPrice": 0.0123123, "units": 1}, Trade())
    small.exit_reason = LONG.exit_reason
    headings, *_ = printed(trades_table(80, "X", [small], 1), 80)[1:]
    assert headings.split() == ["opened", "entry", "closed", "exit", "by", "return"]


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


CACHED = BacktestResult(
    symbol="SYN001USDT",
    from_cache=True,
    metrics=Metrics(
        total_return=1.234,
        buy_and_hold_return=-0.123,
        sharpe_ratio=-1.23,
        max_drawdown=0.456,
        win_rate=0.55,
        trade_count=1234,
        open_trade_count=1,
        fees_paid=12345.67,
        cagr=1.2,
        sortino_ratio=2.3,
        exposure=0.5,
        best_trade=0.1,
        worst_trade=-0.1,
    ),
)


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_results_fit_where_all_are_cached(width):
    lines = printed(results_table(width, [CACHED], "… 181 more …", [CACHED]), width)
    headings, _, row, between, last = lines
    assert headings.split()[:8] == [
        "crypto",
        "return",
        "hold",
        "Sharpe",
        "drawdown",
        "wins",
        "trades",
        "fees",
    ]
    assert row.split()[:4] == ["SYN001USDT", "+123.4%", "-12.3%", "-1.23"]
    assert row.split()[6:8] == ["1,234+1", "12,345.67"]
    assert between.strip() == "… 181 more …"
    assert (row, "…" in row) == (last, False)
    assert ("cached" in row, "worst" in headings) == (width > 80, width >= 160)


@pytest.mark.parametrize(("width", "between"), [(50, "\n  "), (80, "\n  "), (120, " "), (160, " ")])
def test_a_curve_fits_its_lines(width, between):
    values = [10_000 + (index - 4000) ** 2 for index in range(8760)]
    lines = sparkline(width, "equity of SYN001USDT", values)
    assert max(map(len, lines.splitlines())) <= width
    assert lines.startswith("equity of SYN001USDT: 16,010,000 ▆")
    assert lines.endswith(f"█ 22,658,081{between}(lowest 10,000, highest 22,658,081)")


def test_what_is_almost_nothing_has_no_sign():
    assert colored(-0.0001) == "[green]+0.0%[/]"
    assert colored(-0.001) == "[red]-0.1%[/]"
