"""Names of API fields and values, translated to the command's options in error messages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf.message import Message

from backcast.gateway.v1.sweep_pb2 import SEARCH_METHOD_TPE
from backcast_engine.errors import InvalidInput, Violation

# Fields of an execution, without its name. A field that is not listed keeps its name in the API.
_OPTIONS = {
    "fee_rate": "--fee",
    "slippage_bps": "--slippage-bps",
    "initial_capital": "--initial-capital",
    "fill_time": "--fill",
    "direction": "--direction",
    "equity_fraction": "--size-fraction",
    "quote_amount": "--size-amount",
    "volatility_target.annual_volatility": "--size-volatility",
    "volatility_target.period": "--volatility-period",
    "stop_loss": "--stop-loss",
    "take_profit": "--take-profit",
    "trailing_stop": "--trailing-stop",
    "atr_period": "--atr-period",
    "borrow_rate": "--borrow-rate",
    "funding_rate": "--funding-rate",
    "break_rule": "--breaks",
    "symbols": "--symbols",
    "exclude": "--exclude",
    "interval": "--interval",
    "intervals": "--interval",
    "start_time": "--start",
    "end_time": "--end",
    "curve_points": "--curve-points",
    "ranges": "--param",
    "metric": "--metric",
    "best_trial_count": "--top",
    "best_count": "--top",
    "min_trades": "--min-trades",
    "split": "--split",
    "fold_count": "--folds",
    "run_id": "--run-id",
    "max_positions": "--max-positions",
    "rank": "--rank",
    "size": "--size",
    "rebalancing.every": "--rebalance-every",
    "rebalancing.threshold": "--rebalance-threshold",
    "rebalancing": "--rebalance-every",
    "benchmark": "--benchmark",
    "strategies": "STRATEGY",
    "after_sequence": "--after",
}
_OF_STRATEGY = re.compile(r"strategies\[(\d+)\]\.(?:(weight)$)?(.*)")
_RULE = re.compile(r"strategy\.rules\.(entry|exit)\b.*")
# A part of rules on other candles, whose crypto or length is wrong.
_OTHER_CANDLES = re.compile(r"(?:spec\.)?strategy\.rules\.(entry|exit)\b.*\.(?:symbol|interval)")
_PARAMETER = re.compile(r"\bstrategy\.\w+\.(\w+)")
_RANGE = re.compile(r"ranges\[(\d+)\]")
_EXECUTION_RANGE = re.compile(r"execution_ranges\[(\d+)\]")
_PORTFOLIO_RANGE = re.compile(r"portfolio_ranges\[(\d+)\]")
_TIMES = re.compile(r"\b(start|end)_time\b")
# A price cannot fall by more than 100 %.
_FALLS = ("spec.execution.stop_loss.fraction", "spec.execution.trailing_stop.fraction")


def with_options(message: str) -> str:
    """Return a service's message with options instead of API values."""
    return message.replace("CONFLICT_RULE_REPLACE", "--on-conflict replace")


@contextmanager
def named_options(request: Message) -> Iterator[None]:
    """Let an InvalidInput about fields of `request` name the options instead."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(*(_of_option(violation, request) for violation in error.violations)) from None


def option_of(field: str, request: Message) -> str:
    """Return the option that sets a field of `request`, or the field if no option does."""
    field = field.removeprefix("spec.")
    if of_strategy := _OF_STRATEGY.match(field):
        number, weight, path = of_strategy.groups()
        option = "--weight" if weight else option_of(path, request)
        # Each of several strategies has options of its own.
        several = len(request.spec.strategies) > 1  # type: ignore[attr-defined]  # a portfolio's
        return f"STRATEGY {int(number) + 1} {option}" if several else option
    if rule := _RULE.fullmatch(field):
        return f"--{rule[1]}"
    if parameter := _PARAMETER.fullmatch(field):
        return f"--param {parameter[1]}"
    if field.startswith(("ranges[", "search.", "execution_ranges[", "portfolio_ranges[")):
        return _option_of_sweep(field, request)
    if field == "run_id" and "spec" not in request.DESCRIPTOR.fields_by_name:
        # The argument of a command about a run that there is.
        return "RUN_ID"
    name = re.sub(r"\[\d+\]$", "", field.removeprefix("execution."))
    return _OPTIONS.get(name) or _OPTIONS.get(name.partition(".")[0]) or field


def _option_of_sweep(field: str, request: Any) -> str:
    """Return the option of a field of a range, of a search, or of a range of the execution."""
    if one := _RANGE.match(field):
        return f"--param {request.ranges[int(one[1])].name}"
    if one := _EXECUTION_RANGE.match(field):
        name: str = request.execution_ranges[int(one[1])].name
        return "--size-fraction" if name == "size" else _OPTIONS.get(name, name)
    if one := _PORTFOLIO_RANGE.match(field):
        own: str = request.portfolio_ranges[int(one[1])].name
        return _OPTIONS.get(own, own)
    if field == "search.seed":
        return "--seed"
    return "--optimize" if request.search.method == SEARCH_METHOD_TPE else "--random"


def _of_option(violation: Violation, request: Message) -> Violation:
    reason = _TIMES.sub(r"--\1", _PARAMETER.sub(r"--param \1", violation.reason))
    if _OTHER_CANDLES.fullmatch(violation.field):
        reason = _at_its_place(violation, request)
    if violation.field in _FALLS:
        fraction = getattr(request.spec.execution, violation.field.split(".")[2]).fraction  # type: ignore[attr-defined]  # both have one
        if 1 < fraction < 100:
            reason += f": {fraction:g} percent is {fraction:g}% or {fraction / 100:g}"
    return Violation(option_of(violation.field, request), reason)


def _at_its_place(violation: Violation, request: Message) -> str:
    """Return the reason, and under it the rule with a mark below its wrong part."""
    from backcast_engine.rules.parse import fault_at
    from backcast_engine.rules.text import text
    from services.wire.expressions import expression_from

    field = violation.field.removeprefix("spec.")
    name = field.split(".")[2]
    rule = text(expression_from(getattr(request.spec.strategy.rules, name), field))  # type: ignore[attr-defined]  # where there are rules
    return fault_at(rule, field, violation.reason).shown_in(rule)
