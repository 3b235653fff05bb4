"""Tables of a sweep fit their console: columns go, figures are never cut."""

import pytest
from google.protobuf.json_format import ParseDict

from backcast.backtest.v1.result_pb2 import Metrics
from backcast.backtest.v1.sweep_pb2 import Window
from backcast.gateway.v1 import sweep_pb2
from backcast.gateway.v1.backtest_service_pb2 import SweepBacktestsRequest
from services.cli.views.fitted_table import TableColumn, fitted_table
from services.cli.views.sweep_tables import SweepTables
from services.cli.views.sweep_values import Dimension, dimensions_of
from tests.cli.printing import printed

NAMES = ["period", "oversold", "overbought"]
DIMENSIONS = [
    Dimension(name, ("–", value)) for name, value in zip(NAMES, ("10000", "22.75", "77.25"), strict=True)
]
CHOSEN = [1, 1, 1]
TRAIN = Metrics(sharpe_ratio=-12.34, total_return=12.345, max_drawdown=0.987, trade_count=1234)
TEST = Metrics(sharpe_ratio=-43.21, total_return=-0.999, max_drawdown=0.876, trade_count=5)


def window(start: str, end: str) -> Window:
    return ParseDict({"startTime": f"{start}T00:00:00Z", "endTime": f"{end}T00:00:00Z"}, Window())


TRIALS = [sweep_pb2.SweepTrial(symbol="SYN001USDT", value_indexes=CHOSEN, train=TRAIN, test=TEST)] * 20
ROW = sweep_pb2.SweepRow(value_indexes=CHOSEN, crypto_count=211)
ROW.train.median.CopyFrom(TRAIN)
ROW.test.median.CopyFrom(TEST)
FOLDS = [
    sweep_pb2.SweepFold(
        train_window=window("2024-01-01", "2024-07-01"),
        test_window=window("2024-07-01", "2025-01-01"),
        combination=3,
        value_indexes=CHOSEN,
        train=TRAIN,
        test=TEST,
    ),
    sweep_pb2.SweepFold(
        train_window=window("2024-07-01", "2025-01-01"), test_window=window("2025-01-01", "2025-07-01")
    ),
]


@pytest.mark.parametrize("width", [80, 100, 120, 160])
@pytest.mark.parametrize("names", [NAMES[:1], NAMES[:2], NAMES])
@pytest.mark.parametrize("cut", [False, True])
def test_no_cell_of_a_wide_table_is_cut(width: int, names: list[str], cut: bool) -> None:
    tables = SweepTables(DIMENSIONS[: len(names)], "sharpe_ratio", cut=cut)
    for table, first in (
        (tables.best(width, TRIALS), ["1", "SYN001USDT"]),
        (tables.combinations(width, [ROW] * 20), ["1"]),
        (tables.folds(width, FOLDS), ["1"]),
    ):
        _, headings, _, row, *_ = lines = printed(table, width)
        assert "…" not in "".join(lines)
        assert max(map(len, lines)) <= width
        assert row.split()[: len(first)] == first
        for name, value in zip(names, ("10000", "22.75", "77.25"), strict=False):
            assert name in headings
            assert value in row
        assert "-12.34" in row
        assert ("-43.21" in row) is cut


def test_a_wide_table_has_every_column() -> None:
    tables = SweepTables(DIMENSIONS, "sharpe_ratio", cut=True)
    _, headings, _, row, none = printed(tables.folds(160, FOLDS), 160)
    assert headings.split("  ")[0].strip() == "fold"
    for heading in ("chosen on", "tested on", *NAMES, "Sharpe", "return", "drawdown", "test drawdown"):
        assert heading in headings
    assert "2024-01-01 – 2024-07-01  2024-07-01 – 2025-01-01" in row
    assert none.split()[-9:] == ["–"] * 9


def test_the_drawdown_of_the_test_goes_first() -> None:
    tables = SweepTables(DIMENSIONS[:2], "sharpe_ratio", cut=True)
    widest = printed(tables.best(160, TRIALS), 160)
    _, narrower, *_ = printed(tables.best(len(widest[1]) - 1, TRIALS), 160)
    assert narrower.split("  ")[-2:] == ["test Sharpe", "test return"]
    assert "drawdown" in narrower


def test_headings_are_cut_where_columns_must_stay() -> None:
    columns = [
        TableColumn("crypto", ["SYN001USDT"], left=True),
        TableColumn("a_long_parameter", ["12345"]),
        TableColumn("another_parameter", ["67890"]),
    ]
    for width in (28, 34, 40):
        headings, _, row = printed(fitted_table(width, columns), width)
        assert row.split() == ["SYN001USDT", "12345", "67890"]
        assert "a_l" in headings
        assert "…" in headings


def test_values_are_written_as_on_the_command_line() -> None:
    ranges = [{"name": "n", "values": [5, 0.25]}, {"name": "kind", "values": ["SMA"]}]
    settings = {
        "stop_loss": [{"stopLoss": {"fraction": 0.025}}, {"stopLoss": {"atrMultiple": 2.5}}, {}],
        "size": [
            {"equityFraction": 0.5},
            {"quoteAmount": 1500},
            {"volatilityTarget": {"annualVolatility": 0.4}},
        ],
        "direction": [{"direction": "DIRECTION_LONG_ONLY"}, {"direction": "DIRECTION_LONG_SHORT"}],
        "fill_time": [{"fillTime": "FILL_TIME_SAME_CLOSE"}],
        "fee_rate": [{"feeRate": 0}, {"feeRate": 0.0005}],
        "slippage_bps": [{"slippageBps": 2.5}],
        "atr_period": [{"atrPeriod": 20}],
    }
    executions = [{"name": name, "values": values} for name, values in settings.items()]
    request = ParseDict({"ranges": ranges, "executionRanges": executions}, SweepBacktestsRequest())
    assert {one.name: one.values for one in dimensions_of(request)} == {
        "n": ("5", "0.25"),
        "kind": ("SMA",),
        "stop loss": ("2.5%", "2.5atr", "none"),
        "size": ("50%", "1,500", "40% volatility"),
        "direction": ("long", "long-short"),
        "fill": ("same-close",),
        "fee": ("0%", "0.05%"),
        "slippage": ("2.5 bps",),
        "ATR period": ("20",),
    }
