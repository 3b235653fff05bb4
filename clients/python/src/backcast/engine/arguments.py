"""The arguments of `backtest` as the engine takes them, and its errors as those of this package."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import backcast_engine
from backcast import quantities
from backcast.errors import InvalidRequestError, NotFoundError, RefusedError
from backcast.options import check_sizes, violation
from backcast.strategies import Rules, Strategy, check_strategy
from backcast_engine import BreakRule, Direction, Distance, Execution, FillTime, VolatilityTarget, Window
from backcast_engine.errors import InvalidInput, NotFound, Refused, Violations
from backcast_engine.interval import Interval
from backcast_engine.parameters import parameters_of
from backcast_engine.rules.nodes import CLOSE
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.times import EARLIEST_S, LATEST_S


@contextmanager
def readable_errors() -> Iterator[None]:
    """Raise the engine's errors as those of this package."""
    try:
        yield
    except InvalidInput as error:
        found = [violation(f"spec.{one.field}", one.reason) for one in error.violations]
        raise InvalidRequestError(found, reason=error.reason, metadata=error.metadata) from None
    except (NotFound, Refused) as error:
        kind = NotFoundError if isinstance(error, NotFound) else RefusedError
        raise kind(str(error), reason=error.reason, metadata=error.metadata) from None


def interval_of(options: Mapping[str, Any]) -> Interval | None:
    """Return the interval that is given, if one is."""
    if "interval" not in options:
        return None
    return quantities.choice(options["interval"], {one.value.upper(): one for one in Interval}, "interval")


def window_of(options: Mapping[str, Any], whole: Window) -> Window:
    """Return the window that is given; an end that is not given is that of `whole`."""
    start_s = _seconds(options["start"], "start") if "start" in options else whole.start_s
    end_s = _seconds(options["end"], "end") if "end" in options else whole.end_s
    if start_s >= end_s:
        given, edge = ("start", "before the end") if "start" in options else ("end", "after the start")
        raise InvalidRequestError.of(given, f"must be {edge} of the window")
    return Window(start_s, end_s)


def _seconds(value: quantities.Time, name: str) -> int:
    second = math.ceil(quantities.time(value, name).timestamp())
    if not EARLIEST_S <= second <= LATEST_S:
        raise InvalidRequestError.of(name, "is not in the years 1 to 9999, UTC")
    return second


def strategy_of(strategy: Strategy) -> backcast_engine.Strategy:
    """Return the engine's strategy of one of this package; raise InvalidRequestError for bad parameters."""
    check_strategy(strategy)
    if isinstance(strategy, Rules):
        return _rules_of(strategy)
    kind = backcast_engine.STRATEGIES[strategy.name]
    types = {declared.name: declared.type for declared in parameters_of(kind)}
    return kind(**{name: _parameter(types[name], value, name) for name, value in strategy.parameters.items()})


def _rules_of(rules: Rules) -> CustomRules:
    violations = Violations()
    entry_text, exit_text = quantities.text(rules.entry, "entry"), quantities.text(rules.exit, "exit")
    entry = violations.read(CLOSE, parse, entry_text, "strategy.rules.entry")
    exit = violations.read(CLOSE, parse, exit_text, "strategy.rules.exit") if exit_text else None
    with readable_errors():
        violations.raise_if_any()
    return CustomRules(entry, exit)


def _parameter(kind: type, value: Any, name: str) -> Any:
    if kind is int:
        return quantities.whole(value, name)
    if kind is float:
        return quantities.number(value, name)
    return quantities.choice(value, {str(one).upper(): one for one in kind}, name)  # type: ignore[attr-defined]  # an enumeration


def execution_of(options: Mapping[str, Any]) -> Execution:
    """Return the execution of options; ranges are not checked."""
    check_sizes(options)
    given: dict[str, Any] = {}
    has_high_costs = False
    if "fee" in options:
        given["fee_rate"], has_high_costs = quantities.cost(options["fee"], "fee", quantities.HIGH_FEE_RATE)
    if "slippage" in options:
        slippage, is_high = quantities.cost(options["slippage"], "slippage", quantities.HIGH_SLIPPAGE)
        given["slippage_bps"] = slippage * 10_000
        has_high_costs |= is_high
    for name in ("borrow_rate", "funding_rate"):
        if name in options:
            given[name] = quantities.fraction(options[name], name)
    if "initial_capital" in options:
        given["initial_capital"] = quantities.number(options["initial_capital"], "initial_capital")
    if "atr_period" in options:
        given["atr_period"] = quantities.whole(options["atr_period"], "atr_period")
    for name in ("stop_loss", "take_profit", "trailing_stop"):
        if name in options:
            kind, value = quantities.distance(options[name], name)
            given[name] = Distance(**{kind: value})
    return Execution(**given, **_size(options), **_choices(options), allow_high_costs=has_high_costs)


def _size(options: Mapping[str, Any]) -> dict[str, Any]:
    if "size_fraction" in options:
        return {"equity_fraction": quantities.fraction(options["size_fraction"], "size_fraction")}
    if "size_amount" in options:
        return {"quote_amount": quantities.number(options["size_amount"], "size_amount")}
    if "size_volatility" in options:
        target = VolatilityTarget(quantities.fraction(options["size_volatility"], "size_volatility"))
        if "volatility_period" in options:
            period = quantities.whole(options["volatility_period"], "volatility_period")
            target = VolatilityTarget(target.annual_volatility, period)
        return {"volatility_target": target}
    return {}


def _choices(options: Mapping[str, Any]) -> dict[str, Any]:
    # Like the command, without ONLY.
    sides = {side.name.removesuffix("_ONLY"): side for side in Direction}
    fields: dict[str, tuple[str, Mapping[str, Any]]] = {
        "fill": ("fill_time", {time.name: time for time in FillTime}),
        "breaks": ("break_rule", {rule.name: rule for rule in BreakRule}),
        "direction": ("direction", sides),
    }
    return {
        field: quantities.choice(options[name], choices, name)
        for name, (field, choices) in fields.items()
        if name in options
    }
