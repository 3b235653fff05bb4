"""Errors name what was typed, not what the API calls it."""

import pytest
from google.protobuf.json_format import ParseDict

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.strategy_pb2 import MaCross, Strategy
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.run_service_pb2 import CancelRunRequest
from backcast_engine import Execution
from backcast_engine.errors import InvalidInput, Violation
from backcast_engine.execution import VolatilityTarget
from services.cli.options.names import named_options, option_of
from tests.requests import execution_of, with_spec

SWEEP = pb.SweepBacktestsRequest(
    spec=BacktestSpec(strategy=Strategy(ma_cross=MaCross())),
    ranges=[ParameterRange(name="fast"), ParameterRange(name="slow")],
)


@pytest.mark.parametrize(
    ("field", "option"),
    [
        ("spec.execution.stop_loss", "--stop-loss"),
        ("spec.execution.stop_loss.fraction", "--stop-loss"),
        ("spec.execution.take_profit.atr_multiple", "--take-profit"),
        ("spec.execution.volatility_target.annual_volatility", "--size-volatility"),
        ("spec.execution.volatility_target.period", "--volatility-period"),
        ("spec.execution.fee_rate", "--fee"),
        ("symbols", "--symbols"),
        ("symbols[12]", "--symbols"),
        ("spec.start_time", "--start"),
        ("spec.end_time", "--end"),
        ("curve_points", "--curve-points"),
        ("metric", "--metric"),
        ("best_trial_count", "--top"),
        ("fold_count", "--folds"),
        ("ranges", "--param"),
        ("ranges[0].name", "--param fast"),
        ("ranges[1].values[3]", "--param slow"),
        ("spec.strategy.rsi.period", "--param period"),
        ("spec.strategy.rules.entry", "--entry"),
        ("spec.strategy.rules.exit.call.arguments[0]", "--exit"),
        ("cache_mode", "cache_mode"),
    ],
)
def test_fields_in_errors_are_written_as_options(field: str, option: str) -> None:
    assert option_of(field, SWEEP) == option


def test_the_id_of_a_run_that_there_is_is_an_argument() -> None:
    assert option_of("run_id", SWEEP) == "--run-id"
    assert option_of("run_id", CancelRunRequest()) == "RUN_ID"


def test_every_field_of_an_execution_has_an_option() -> None:
    wrong = Execution(
        fee_rate=2,
        slippage_bps=-1,
        initial_capital=0,
        equity_fraction=0,
        quote_amount=0,
        volatility_target=VolatilityTarget(0, 0),
        atr_period=0,
        borrow_rate=1000,
        funding_rate=1000,
    )
    fields = [violation.field for violation in wrong.violations()]
    assert len(fields) == 10
    assert all(option_of(field, SWEEP).startswith("--") for field in fields)


def fault(field: str, reason: str, request: pb.RunBacktestsRequest | pb.SweepBacktestsRequest) -> str:
    with pytest.raises(InvalidInput) as caught, named_options(request):
        raise InvalidInput(Violation(field, reason))
    return str(caught.value)


def test_reasons_name_options_too() -> None:
    assert fault("spec.start_time", "must be before end_time", SWEEP) == "--start: must be before --end"
    reason = "no combination is possible; of the first one, strategy.ma_cross.fast: must be below slow"
    assert fault("ranges", reason, SWEEP).endswith("of the first one, --param fast: must be below slow")


@pytest.mark.parametrize("stop", ["stop_loss", "trailing_stop"])
def test_a_percentage_without_its_sign_is_named(stop: str) -> None:
    for fraction, hint in ((5, ": 5 percent is 5% or 0.05"), (-1, "")):
        request = ParseDict(
            with_spec(**{"execution": {stop: {"fraction": fraction}}}), pb.RunBacktestsRequest()
        )
        (violation,) = execution_of(request.spec.execution).violations()
        assert fault(f"spec.{violation.field}", violation.reason, request) == (
            f"--{stop.replace('_', '-')}: must be above 0 and at most 1, not {fraction}{hint}"
        )
