"""The parameters of a run in words: strategy, costs, fills, sizes and stops."""

from google.protobuf.descriptor import FieldDescriptor

from backcast.backtest.v1 import execution_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.portfolio_pb2 import PortfolioSpec
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast_engine.interval import Interval
from services.domain.counted import counted
from services.wire.enum_names import names_of

_FILLS = {execution_pb2.FILL_TIME_SAME_CLOSE: "the signal's own close"}
_BREAK_RULES = {
    execution_pb2.BREAK_RULE_SPLIT: "histories split at breaks",
    execution_pb2.BREAK_RULE_IGNORE: "breaks ignored",
}
_DIRECTIONS = {
    execution_pb2.DIRECTION_SHORT_ONLY: "short only",
    execution_pb2.DIRECTION_LONG_SHORT: "long and short",
}


def window_words(spec: BacktestSpec | PortfolioSpec) -> str:
    """Return the window of a backtest, as "from 2024-01-01 to 2025-01-01 (UTC)"."""
    start, end = (
        time.ToDatetime().strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")
        for time in (spec.start_time, spec.end_time)
    )
    return f"from {start} to {end} (UTC)"


def run_words(spec: BacktestSpec, crypto_count: int) -> str:
    """Return the parameters of a run, in a few lines."""
    return (
        f"{strategy_words(spec.strategy)}\n"
        f"{counted(crypto_count, 'crypto')}, {interval_of(spec).value} candles {window_words(spec)}\n"
        f"{execution_words(spec.execution)}"
    )


def interval_of(spec: BacktestSpec | PortfolioSpec) -> Interval:
    """Return the length of the candles."""
    return tuple(Interval)[spec.interval - 1]


def strategy_words(strategy: Strategy) -> str:
    """Return a strategy with all of its parameters; for rules, a line for each condition."""
    name = strategy.WhichOneof("kind") or ""
    kind = getattr(strategy, name)
    if name == "rules":
        # Imported here, because importing the engine is slow.
        from backcast_engine.rules.text import text
        from services.wire.expressions import expression_from

        lines = [
            f"{field.name}: {text(expression_from(rule, field.name))}" for field, rule in kind.ListFields()
        ]
        return "\n".join([f"[bold]{name}[/bold]", *lines])
    return f"[bold]{name}[/bold] {', '.join(_parameter(*pair) for pair in kind.ListFields())}"


def execution_words(execution: execution_pb2.Execution) -> str:
    """Return costs and fills, and on a second line everything that differs from the defaults.

    What is not set is left out: the table of a sweep shows these values.
    """
    words = [_DIRECTIONS.get(execution.direction), _size(execution)]
    words += [
        f"{name.replace('_', ' ')} {_distance(getattr(execution, name), execution.atr_period)}"
        for name in ("stop_loss", "take_profit", "trailing_stop")
        if execution.HasField(name)
    ]
    words += [f"borrowing at {percent(execution.borrow_rate)} a year"] if execution.borrow_rate else []
    words += [f"funding at {percent(execution.funding_rate)} a year"] if execution.funding_rate else []
    words.append(_BREAK_RULES.get(execution.break_rule))
    costs = [f"fee {execution.fee_rate:.3%}"] if execution.HasField("fee_rate") else []
    costs += [f"slippage {execution.slippage_bps:g} bps"] if execution.HasField("slippage_bps") else []
    usual = ", ".join([*costs, f"capital {execution.initial_capital:,.0f}"])
    if execution.fill_time:
        usual += f"; fills at {_FILLS.get(execution.fill_time, 'the next open')}"
    return "\n".join(filter(None, (usual, ", ".join(filter(None, words)))))


def _size(execution: execution_pb2.Execution) -> str | None:
    match execution.WhichOneof("size"):
        case "quote_amount":
            return f"positions of {execution.quote_amount:,.15g}"
        case "volatility_target":
            target = execution.volatility_target
            return (
                f"positions of {percent(target.annual_volatility)} volatility a year "
                f"(measured over {target.period} closes)"
            )
        case "equity_fraction" if execution.equity_fraction != 1:
            return f"positions of {percent(execution.equity_fraction)} of the equity"
    return None


def _distance(distance: execution_pb2.Distance, atr_period: int) -> str:
    if distance.WhichOneof("kind") == "atr_multiple":
        return f"{distance.atr_multiple:g} × ATR({atr_period})"
    return percent(distance.fraction)


def percent(fraction: float) -> str:
    """Return a fraction in percent, without trailing zeros."""
    return f"{100 * fraction:g}%"


def _parameter(field: FieldDescriptor, value: float) -> str:
    if field.enum_type:
        return f"{field.name} {names_of(field.enum_type)[int(value)]}"
    return f"{field.name} {value:g}"
