"""The request of a sweep, and what that of a sweep over portfolios has too: ranges and searches."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from google.protobuf.struct_pb2 import Value

from backcast import quantities
from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.errors import InvalidRequestError
from backcast.fields import enum_value, set_whole
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from backcast.gateway.v1.sweep_pb2 import SEARCH_METHOD_RANDOM, SEARCH_METHOD_TPE
from backcast.marketdata.v1.interval_pb2 import Interval as IntervalNumber
from backcast.options import (
    SIZES,
    STOPS,
    SWEEP_OPTIONS,
    SWEPT_SETTINGS,
    check_sizes,
)
from backcast.requests import set_backtest
from backcast.specs import set_execution
from backcast.strategies import Strategy


def sweep_request(
    strategy: Strategy | StrategyMessage, arguments: Mapping[str, Any]
) -> pb.SweepBacktestsRequest:
    """Return the request of a sweep; arguments that are no SweepOptions are values of parameters, by name.

    Rules must have been parsed: see `rules_request`.
    """
    settings = swept_settings(arguments)
    intervals = settings.pop("interval", None)
    swept = {*settings, *(("interval",) if intervals is not None else ())}
    options: Any = {
        name: value for name, value in arguments.items() if name in SWEEP_OPTIONS and name not in swept
    }
    ranges = {name: values for name, values in arguments.items() if name not in SWEEP_OPTIONS}
    request = pb.SweepBacktestsRequest()
    if any(name in settings for name in SIZES):
        # Its period is in each of the volatilities.
        options.pop("volatility_period", None)
    set_backtest(request, strategy, options)
    set_intervals(request, intervals)
    if not ranges and not settings and intervals is None:
        raise InvalidRequestError.of("sweep", "no parameter has a range, as period=range(5, 31) has")
    for name, values in ranges.items():
        if isinstance(strategy, Strategy) and name not in strategy.parameters:
            near = get_close_matches(name, [*strategy.parameters, *SWEEP_OPTIONS], n=1)
            hint = f": did you mean {near[0]}?" if near else ""
            raise InvalidRequestError.of(name, f"{strategy.name} has no parameter {name}{hint}")
        request.ranges.append(
            ParameterRange(name=name, values=map(value_message, range_values(values, name)))
        )
    set_execution_ranges(request, settings, arguments)
    if "split" in options and "folds" in options:
        raise InvalidRequestError.of("folds", "cannot be combined with split")
    set_search(request, options)
    if "split" in options:
        request.split = quantities.fraction(options["split"], "split")
    set_whole(request, "fold_count", options, "folds")
    set_whole(request, "best_trial_count", options, "top")
    set_whole(request, "min_trades", options, "min_trades")
    set_whole(request, "curve_points", options, "curve_points")
    if "metric" in options:
        request.metric = enum_value(result_pb2.Metric.DESCRIPTOR, options, "metric")
    return request


def set_search(
    request: pb.SweepBacktestsRequest | SweepPortfoliosRequest, options: Mapping[str, Any]
) -> None:
    """Set the search of a sweep, where the options have one."""
    if "random" in options and "optimize" in options:
        raise InvalidRequestError.of("optimize", "cannot be combined with random")
    for name, method in (("random", SEARCH_METHOD_RANDOM), ("optimize", SEARCH_METHOD_TPE)):
        if name in options:
            request.search.method = method
            set_whole(request.search, "combination_count", options, name)
            set_whole(request.search, "seed", options, "seed")
            return
    if "seed" in options:
        raise InvalidRequestError.of("seed", "needs random or optimize")


def set_intervals(
    request: pb.SweepBacktestsRequest | SweepPortfoliosRequest, intervals: Iterable[Any] | None
) -> None:
    """Set the lengths of the candles, where there are several; None where there is one."""
    if intervals is None:
        return
    request.intervals.extend(
        enum_value(IntervalNumber.DESCRIPTOR, {"interval": interval}, "interval") for interval in intervals
    )
    if not request.intervals:
        raise InvalidRequestError.of("interval", "the range is empty")


def swept_settings(arguments: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the arguments that give an option of the execution several values, as lists."""
    return {
        name: list(values)
        for name, values in arguments.items()
        if (name in SWEPT_SETTINGS or name == "interval")
        and isinstance(values, Iterable)
        and not isinstance(values, str)
    }


def set_execution_ranges(
    request: pb.SweepBacktestsRequest | SweepPortfoliosRequest,
    settings: Mapping[str, list[Any]],
    arguments: Mapping[str, Any],
) -> None:
    """Add a range for each option of the execution that has several values."""
    check_sizes({name: arguments[name] for name in (*SIZES, "volatility_period") if name in arguments})
    for name, values in settings.items():
        if not values:
            raise InvalidRequestError.of(name, "the range is empty")
        swept = request.execution_ranges.add(name=SWEPT_SETTINGS[name])
        for value in values:
            message = swept.values.add()
            if value is None:
                if name not in STOPS:
                    raise InvalidRequestError.of(name, "cannot be None: only stops can")
                continue
            given: Any = {name: value}
            if name == "size_volatility" and "volatility_period" in arguments:
                given["volatility_period"] = arguments["volatility_period"]
            set_execution(message, given)
            request.spec.execution.allow_high_costs |= message.allow_high_costs
            message.ClearField("allow_high_costs")


def range_values(values: Iterable[Any], name: str) -> list[float | str]:
    """Return the values of a range: numbers, and text for choices."""
    if isinstance(values, str):
        values = values.split(",")
    try:
        listed = list(values)
    except TypeError:
        raise InvalidRequestError.of(name, f"{values!r} is no range of values, as range(5, 31) is") from None
    if not listed:
        raise InvalidRequestError.of(name, "the range is empty")
    return [value.strip() if isinstance(value, str) else quantities.number(value, name) for value in listed]


def value_message(value: float | str) -> Value:
    """Return the message of a value of a range."""
    return Value(string_value=value) if isinstance(value, str) else Value(number_value=value)
