"""Values of enumerations by their names, however a person writes them."""

import pytest
from google.protobuf.struct_pb2 import Value

from backcast.backtest.v1.result_pb2 import Metric, Metrics
from backcast.backtest.v1.strategy_pb2 import EXIT_BAND_MIDDLE, Bollinger, ExitBand, MaCross, Strategy
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast_engine import METRIC_NAMES
from backcast_engine.errors import InvalidInput, Violations
from backcast_engine.sweep import make_grid
from services.wire.backtests import metric_from, metric_to, strategy_from
from services.wire.enum_names import number_of
from services.wire.sweeps import read_ranges


@pytest.mark.parametrize("name", ["middle", "MIDDLE", "Middle", "EXIT_BAND_MIDDLE", "exit_band_middle"])
def test_a_name_is_taken_in_any_case_and_with_its_prefix(name: str) -> None:
    assert number_of(ExitBand.DESCRIPTOR, name) == EXIT_BAND_MIDDLE


@pytest.mark.parametrize("name", ["", "mid", "UNSPECIFIED", "EXIT_BAND_UNSPECIFIED", "BAND_MIDDLE"])
def test_other_names_are_no_values(name: str) -> None:
    assert number_of(ExitBand.DESCRIPTOR, name) is None


def of_text(name: str, *values: str) -> list[ParameterRange]:
    return [ParameterRange(name=name, values=[Value(string_value=value) for value in values])]


@pytest.mark.parametrize(
    ("sma", "ema"), [("sma", "Ema"), ("SMA", "EMA"), ("MOVING_AVERAGE_KIND_SMA", "moving_average_kind_ema")]
)
def test_a_range_takes_the_names_of_choices_in_any_spelling(sma: str, ema: str) -> None:
    strategy = Strategy(ma_cross=MaCross())
    grid = make_grid(strategy_from(strategy), read_ranges(of_text("kind", sma, ema), strategy, Violations()))
    assert grid.values == (("SMA", "EMA"),)


def test_the_error_quotes_a_name_that_is_no_choice_as_it_was_written() -> None:
    strategy = Strategy(bollinger=Bollinger())
    with pytest.raises(InvalidInput) as caught:
        make_grid(strategy_from(strategy), read_ranges(of_text("exit_band", "lower"), strategy, Violations()))
    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == (
        "ranges[0].values[0]",
        "must be one of UPPER, MIDDLE, not 'lower'",
    )


def test_the_metrics_have_the_numbers_of_their_fields() -> None:
    fields = {field.name: field.number for field in Metrics.DESCRIPTOR.fields}
    assert {
        name.removeprefix("METRIC_").lower(): number for name, number in Metric.items() if number
    } == fields
    assert [metric_from(metric_to(name)) for name in METRIC_NAMES] == list(METRIC_NAMES)
    assert {name: metric_to(name) for name in METRIC_NAMES} == fields
