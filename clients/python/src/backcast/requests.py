"""Requests of the API, made of the arguments of `run`, `sweep`, `portfolio` and `candles`."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value

from backcast import quantities
from backcast.backtest.v1 import execution_pb2, result_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.expression_pb2 import Expression
from backcast.backtest.v1.portfolio_pb2 import PortfolioSize, PortfolioSpec
from backcast.backtest.v1.strategy_pb2 import Rules as RulesMessage
from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.enumerations import short_names
from backcast.errors import InvalidRequestError
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from backcast.gateway.v1.sweep_pb2 import SEARCH_METHOD_RANDOM, SEARCH_METHOD_TPE
from backcast.marketdata.v1.interval_pb2 import Interval as IntervalNumber
from backcast.marketdata.v1.market_data_service_pb2 import StreamCandlesRequest
from backcast.options import (
    PORTFOLIO_OPTIONS,
    RUN_OPTIONS,
    SIZES,
    STOPS,
    SWEEP_OPTIONS,
    SWEPT_SETTINGS,
    BacktestOptions,
    Interval,
    PortfolioOptions,
    RunOptions,
    check_names,
    check_sizes,
)
from backcast.quantities import Number, Time
from backcast.strategies import Rules, Strategy, check_strategy

WeightedMessages = Sequence[tuple[Strategy | StrategyMessage, Number | None]]
"""Strategies, of which rules are parsed, and their weights; None for equal ones."""

# As many results as the server puts into one event. It does not wait for them, and the first comes alone.
RESULTS_PER_EVENT = 100


def run_request(strategy: Strategy | StrategyMessage, options: RunOptions) -> pb.RunBacktestsRequest:
    """Return the request; raise InvalidRequestError, naming the argument, where one is no value of its kind.

    Rules must have been parsed: see `rules_request`.
    """
    check_names(options, RUN_OPTIONS)
    request = pb.RunBacktestsRequest(max_results_per_event=RESULTS_PER_EVENT)
    _set_backtest(request, strategy, options)
    if "detail" in options:
        request.detail = _enum(result_pb2.Detail.DESCRIPTOR, options, "detail")
    set_whole(request, "curve_points", options, "curve_points")
    return request


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
    _set_backtest(request, strategy, options)
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
        request.metric = _enum(result_pb2.Metric.DESCRIPTOR, options, "metric")
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
        _enum(IntervalNumber.DESCRIPTOR, {"interval": interval}, "interval") for interval in intervals
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
            _set_execution(message, given)
            request.spec.execution.allow_high_costs |= message.allow_high_costs
            message.ClearField("allow_high_costs")


def portfolio_request(
    strategies: WeightedMessages,
    rank: Expression | None,
    options: PortfolioOptions,
) -> RunPortfolioRequest:
    """Return the request of a portfolio of strategies and their weights, None for equal ones.

    Rules and the rank must have been parsed: see `rules_request` and `series_request`.
    """
    check_names(options, PORTFOLIO_OPTIONS)
    request = RunPortfolioRequest()
    _set_cryptos(request, options)
    spec = request.spec
    for strategy, weight in strategies:
        weighted = spec.strategies.add()
        weighted.strategy.CopyFrom(_strategy_of(strategy))
        if weight is not None:
            weighted.weight = quantities.fraction(weight, "weight")
    _set_common(spec, options)
    if rank is not None:
        spec.rank.CopyFrom(rank)
    set_whole(spec, "max_positions", options, "max_positions")
    if "size" in options:
        spec.size = _enum(PortfolioSize.DESCRIPTOR, options, "size")
    if "rebalance_threshold" in options and "rebalance_every" not in options:
        raise InvalidRequestError.of("rebalance_threshold", "needs rebalance_every")
    set_whole(spec.rebalancing, "every", options, "rebalance_every")
    if "rebalance_threshold" in options:
        threshold = quantities.fraction(options["rebalance_threshold"], "rebalance_threshold")
        spec.rebalancing.threshold = threshold
    spec.benchmark = quantities.text(options.get("benchmark", ""), "benchmark")
    if "detail" in options:
        request.detail = _enum(result_pb2.Detail.DESCRIPTOR, options, "detail")
    set_whole(request, "curve_points", options, "curve_points")
    return request


def weighted_strategies(
    strategies: Strategy | Iterable[Strategy] | Mapping[Strategy, Number],
) -> list[tuple[Strategy, Number | None]]:
    """Return strategies with their weights; raise InvalidRequestError where something is no strategy."""
    if not isinstance(strategies, Iterable):
        strategies = [strategies]
    weighted: list[tuple[Strategy, Number | None]] = (
        list(strategies.items())
        if isinstance(strategies, Mapping)
        else [(strategy, None) for strategy in strategies]
    )
    for strategy, _ in weighted:
        check_strategy(strategy)
    return weighted


def series_request(series: object) -> pb.ParseRulesRequest:
    """Return the request that parses a series, such as a rank."""
    written = quantities.text(str(series), "rank")
    if not written.strip():
        raise InvalidRequestError.of("rank", "is empty: expected a series, such as roc(168)")
    return pb.ParseRulesRequest(series=written)


def rules_request(strategy: Rules) -> pb.ParseRulesRequest:
    """Return the request that parses rules."""
    return pb.ParseRulesRequest(
        entry=quantities.text(strategy.entry, "entry"), exit=quantities.text(strategy.exit, "exit")
    )


def rules_strategy(rules: RulesMessage) -> StrategyMessage:
    """Return the strategy of parsed rules."""
    return StrategyMessage(rules=rules)


def candles_request(
    symbols: str | Iterable[str], interval: Interval, start: Time | None, end: Time | None
) -> StreamCandlesRequest:
    """Return the request for all columns of candles; text is the symbol of one crypto."""
    one = isinstance(symbols, str)
    request = StreamCandlesRequest(
        symbols=[quantities.text(symbols, "symbols")] if one else quantities.symbol_list(symbols, "symbols"),
        interval=_enum(IntervalNumber.DESCRIPTOR, {"interval": interval}, "interval"),
    )
    for name, time in (("start", start), ("end", end)):
        if time is not None:
            _set_time(getattr(request, f"{name}_time"), time, name)
    return request


def _set_backtest(
    request: pb.RunBacktestsRequest | pb.SweepBacktestsRequest,
    strategy: Strategy | StrategyMessage,
    options: BacktestOptions,
) -> None:
    _set_cryptos(request, options)
    request.spec.strategy.CopyFrom(_strategy_of(strategy))
    _set_common(request.spec, options)


def _set_cryptos(
    request: pb.RunBacktestsRequest | pb.SweepBacktestsRequest | RunPortfolioRequest,
    options: BacktestOptions,
) -> None:
    request.symbols.extend(quantities.symbols(options.get("symbols", "all"), "symbols"))
    if "exclude" in options:
        request.exclude.extend(quantities.symbol_list(options["exclude"], "exclude"))
    if "cache" in options:
        request.cache_mode = _enum(pb.CacheMode.DESCRIPTOR, options, "cache")
    request.run_id = quantities.text(options.get("run_id", ""), "run_id")


def _strategy_of(strategy: Strategy | StrategyMessage) -> StrategyMessage:
    return strategy if isinstance(strategy, StrategyMessage) else strategy_message(strategy)


def _set_common(spec: BacktestSpec | PortfolioSpec, options: BacktestOptions) -> None:
    """Set what a backtest and a portfolio have in common: interval, window and execution."""
    if "interval" in options:
        spec.interval = _enum(IntervalNumber.DESCRIPTOR, options, "interval")
    if "start" in options:
        _set_time(spec.start_time, options["start"], "start")
    if "end" in options:
        _set_time(spec.end_time, options["end"], "end")
    _set_execution(spec.execution, options)


def _set_time(message: Any, time: Time, name: str) -> None:
    try:
        message.FromDatetime(quantities.time(time, name))
    except (OverflowError, ValueError) as error:
        if isinstance(error, InvalidRequestError):
            raise
        raise InvalidRequestError.of(name, "is not in the years 1 to 9999, UTC") from None


def strategy_message(strategy: Strategy) -> StrategyMessage:
    """Return the message of a strategy, with all of its parameters."""
    check_strategy(strategy)
    message = StrategyMessage()
    kind: Any = getattr(message, strategy.name)
    kind.SetInParent()
    for name, value in strategy.parameters.items():
        field = kind.DESCRIPTOR.fields_by_name[name]
        if field.enum_type:
            setattr(kind, name, quantities.choice(str(value), _numbers(field.enum_type), name))
        elif field.type == field.TYPE_INT32:
            _set_number(kind, name, quantities.whole(value, name), name)
        else:
            _set_number(kind, name, quantities.number(value, name), name)
    return message


def _set_execution(message: execution_pb2.Execution, options: BacktestOptions) -> None:
    given: Mapping[str, Any] = options
    _set_size(message, given)
    _set_choices(message, given)
    if "fee" in given:
        message.fee_rate, is_high = quantities.cost(given["fee"], "fee", quantities.HIGH_FEE_RATE)
        message.allow_high_costs |= is_high
    if "slippage" in given:
        slippage, is_high = quantities.cost(given["slippage"], "slippage", quantities.HIGH_SLIPPAGE)
        message.slippage_bps = slippage * 10_000
        message.allow_high_costs |= is_high
    for name in ("borrow_rate", "funding_rate"):
        if name in given:
            setattr(message, name, quantities.fraction(given[name], name))
    if "initial_capital" in given:
        message.initial_capital = quantities.number(given["initial_capital"], "initial_capital")
    set_whole(message, "atr_period", given, "atr_period")
    for name in ("stop_loss", "take_profit", "trailing_stop"):
        if name in given:
            kind, value = quantities.distance(given[name], name)
            setattr(getattr(message, name), kind, value)


def _set_size(message: execution_pb2.Execution, given: Mapping[str, Any]) -> None:
    check_sizes(given)
    if "size_fraction" in given:
        message.equity_fraction = quantities.fraction(given["size_fraction"], "size_fraction")
    if "size_amount" in given:
        message.quote_amount = quantities.number(given["size_amount"], "size_amount")
    if "size_volatility" in given:
        volatility = quantities.fraction(given["size_volatility"], "size_volatility")
        message.volatility_target.annual_volatility = volatility
        set_whole(message.volatility_target, "period", given, "volatility_period")


def _set_choices(message: execution_pb2.Execution, given: Mapping[str, Any]) -> None:
    if "fill" in given:
        message.fill_time = _enum(execution_pb2.FillTime.DESCRIPTOR, given, "fill")
    if "breaks" in given:
        message.break_rule = _enum(execution_pb2.BreakRule.DESCRIPTOR, given, "breaks")
    if "direction" in given:
        # Like the command, without ONLY.
        sides = {
            name.removesuffix("_ONLY"): side
            for name, side in _numbers(execution_pb2.Direction.DESCRIPTOR).items()
        }
        side = quantities.choice(given["direction"], sides, "direction")
        message.direction = execution_pb2.Direction.ValueType(side)


def set_whole(message: Message, field: str, options: Mapping[str, Any], name: str) -> None:
    """Set a field to a whole number, where the options have it."""
    if name in options:
        _set_number(message, field, quantities.whole(options[name], name), name)


def _set_number(message: Message, field: str, value: float, name: str) -> None:
    try:
        setattr(message, field, value)
    except ValueError:
        raise InvalidRequestError.of(name, f"{value} is out of range") from None


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


def set_fraction(message: Message, field: str, options: Mapping[str, Any], name: str) -> None:
    """Set a field to a fraction, where the options have it."""
    if name in options:
        setattr(message, field, quantities.fraction(options[name], name))


def set_choice(
    message: Message, field: str, enum: EnumDescriptor, options: Mapping[str, Any], name: str
) -> None:
    """Set a field to the value of an enumeration that the options name, where they have it."""
    if name in options:
        setattr(message, field, _enum(enum, options, name))


def value_message(value: float | str) -> Value:
    """Return the message of a value of a range."""
    return Value(string_value=value) if isinstance(value, str) else Value(number_value=value)


def _enum(enum: EnumDescriptor, options: Mapping[str, Any], name: str) -> Any:
    """Return the number that an option names; to type checkers, each enumeration has numbers of its own."""
    return quantities.choice(options[name], _numbers(enum), name)


def _numbers(enum: EnumDescriptor) -> dict[str, int]:
    """Return the numbers of an enumeration by the short names of its values, without UNSPECIFIED = 0."""
    return {name: number for number, name in short_names(enum).items() if number}
