"""What is backtested, as messages: strategy, interval, window and execution."""

from collections.abc import Mapping
from typing import Any

from backcast import quantities
from backcast.backtest.v1 import execution_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.portfolio_pb2 import PortfolioSpec
from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from backcast.fields import enum_numbers, enum_value, set_number, set_time, set_whole
from backcast.marketdata.v1.interval_pb2 import Interval as IntervalNumber
from backcast.options import (
    BacktestOptions,
    check_sizes,
)
from backcast.strategies import Strategy, check_strategy


def strategy_message(strategy: Strategy | StrategyMessage) -> StrategyMessage:
    """Return the message of a strategy, with all of its parameters; a message is returned as it is."""
    if isinstance(strategy, StrategyMessage):
        return strategy
    check_strategy(strategy)
    message = StrategyMessage()
    kind: Any = getattr(message, strategy.name)
    kind.SetInParent()
    for name, value in strategy.parameters.items():
        field = kind.DESCRIPTOR.fields_by_name[name]
        if field.enum_type:
            setattr(kind, name, quantities.choice(str(value), enum_numbers(field.enum_type), name))
        elif field.type == field.TYPE_INT32:
            set_number(kind, name, quantities.whole(value, name), name)
        else:
            set_number(kind, name, quantities.number(value, name), name)
    return message


def set_common(spec: BacktestSpec | PortfolioSpec, options: BacktestOptions) -> None:
    """Set what a backtest and a portfolio have in common: interval, window and execution."""
    if "interval" in options:
        spec.interval = enum_value(IntervalNumber.DESCRIPTOR, options, "interval")
    if "start" in options:
        set_time(spec.start_time, options["start"], "start")
    if "end" in options:
        set_time(spec.end_time, options["end"], "end")
    set_execution(spec.execution, options)


def set_execution(message: execution_pb2.Execution, options: BacktestOptions) -> None:
    """Set how orders are filled, and at which costs, where the options have it."""
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
        message.fill_time = enum_value(execution_pb2.FillTime.DESCRIPTOR, given, "fill")
    if "breaks" in given:
        message.break_rule = enum_value(execution_pb2.BreakRule.DESCRIPTOR, given, "breaks")
    if "direction" in given:
        # Like the command, without ONLY.
        sides = {
            name.removesuffix("_ONLY"): side
            for name, side in enum_numbers(execution_pb2.Direction.DESCRIPTOR).items()
        }
        side = quantities.choice(given["direction"], sides, "direction")
        message.direction = execution_pb2.Direction.ValueType(side)
