"""Ranges of a sweep's execution travel as they are, and one that says too much is refused by its place."""

from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from backcast.backtest.v1.sweep_pb2 import ExecutionRange
from backcast_engine.errors import Violations
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.sweep import SettingValues, make_grid
from services.wire.sweeps import execution_ranges_to, read_execution_ranges

VALUES: dict[str, list[dict[str, Any]]] = {
    "stop_loss": [{"stopLoss": {"fraction": 0.05}}, {"stopLoss": {"atrMultiple": 2}}, {}],
    "size": [
        {"equityFraction": 0.5},
        {"quoteAmount": 5},
        {"volatilityTarget": {"annualVolatility": 0.4, "period": 7}},
    ],
    "direction": [{"direction": "DIRECTION_SHORT_ONLY"}, {"direction": "DIRECTION_LONG_ONLY"}],
    "fill_time": [{"fillTime": "FILL_TIME_SAME_CLOSE"}],
    "fee_rate": [{"feeRate": 0.0}, {"feeRate": 0.001}],
    "slippage_bps": [{"slippageBps": 2.5}],
    "atr_period": [{"atrPeriod": 20}],
}


def read(name: str, *values: dict[str, Any]) -> tuple[list[SettingValues], Violations]:
    violations = Violations()
    message = ParseDict({"name": name, "values": list(values)}, ExecutionRange())
    return read_execution_ranges([message], violations), violations


@pytest.mark.parametrize("name", VALUES)
def test_the_values_of_a_setting_come_back(name: str) -> None:
    settings, violations = read(name, *VALUES[name])
    violations.raise_if_any()
    grid = make_grid(Rsi(), [], settings)
    (back,) = execution_ranges_to(grid.settings)
    assert back == ParseDict({"name": name, "values": VALUES[name]}, ExecutionRange())


def test_a_setting_that_is_left_out_is_that_of_an_execution_without_it() -> None:
    (setting,), _ = read("size", {})
    (back,) = execution_ranges_to(make_grid(Rsi(), [], [setting]).settings)
    assert back.values[0].equity_fraction == 1.0


@pytest.mark.parametrize(
    ("name", "value", "field", "reason"),
    [
        ("stop_loss", {"feeRate": 0.5}, "", "is a value of stop_loss, and fee_rate cannot be set in it"),
        ("size", {"equityFraction": 1, "atrPeriod": 5}, "", "and atr_period cannot be set in it"),
        ("fee_rate", {"allowHighCosts": True}, "", "and allow_high_costs cannot be set in it"),
        ("stop_loss", {"stopLoss": {}}, ".stop_loss", "needs a fraction or an atr_multiple"),
        ("direction", {"direction": 9}, ".direction", "must be one of LONG_ONLY, SHORT_ONLY, LONG_SHORT"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(
    name: str, value: dict[str, Any], field: str, reason: str
) -> None:
    _, violations = read(name, value)
    with pytest.raises(Exception, match="execution_ranges") as caught:
        violations.raise_if_any()
    (violation,) = caught.value.violations  # type: ignore[attr-defined]
    assert violation.field == f"execution_ranges[0].values[0]{field}"
    assert reason in violation.reason
