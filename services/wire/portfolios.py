"""Conversion of portfolios: what one is asked to be, in requests of the gateway and of compute."""

from collections.abc import Sequence

from backcast.backtest.v1 import portfolio_pb2 as pb
from backcast_engine import Strategy
from backcast_engine.errors import InvalidInput, Violation, Violations
from backcast_engine.portfolio import Portfolio, PortfolioSize, Rebalancing, WeightedStrategy
from backcast_engine.rules import Expression
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from services.wire.backtests import execution_to, read_strategy, strategy_to
from services.wire.candles import interval_to, timestamp_to
from services.wire.expressions import expression_to, read_expression

_MOST_STRATEGIES = 100


def read_weighted_strategies(
    messages: Sequence[pb.WeightedStrategy], violations: Violations
) -> tuple[WeightedStrategy, ...]:
    """Return the strategies, with equal weights for absent ones. Ranges are not checked.

    Something stands for strategies that cannot be read.
    """
    if len(messages) > _MOST_STRATEGIES:
        reason = f"at most {_MOST_STRATEGIES} are allowed, not {len(messages)}"
        violations.add(Violation("strategies", reason))
        return ()
    return tuple(
        WeightedStrategy(
            _read_strategy(message, f"strategies[{index}]", violations),
            message.weight if message.HasField("weight") else 1 / len(messages),
        )
        for index, message in enumerate(messages)
    )


def _read_strategy(message: pb.WeightedStrategy, path: str, violations: Violations) -> Strategy:
    found = Violations()
    strategy = read_strategy(message.strategy, found)
    try:
        found.raise_if_any()
    except InvalidInput as error:
        violations.add(*(Violation(f"{path}.{each.field}", each.reason) for each in error.violations))
    return strategy or BuyAndHold()


def read_rank(spec: pb.PortfolioSpec, violations: Violations) -> Expression | None:
    """Return the rank of a portfolio, None where it has none; whether it is a series is not checked."""
    return read_expression(spec.rank, "rank", violations) if spec.HasField("rank") else None


def size_from(value: int) -> PortfolioSize | None:
    """Return the size of an enum value, None if it is unspecified; raise InvalidInput if there is none."""
    if value == pb.PORTFOLIO_SIZE_UNSPECIFIED:
        return None
    if value not in pb.PortfolioSize.values():
        raise InvalidInput.of("size", f"there is no size {value}")
    # The engine's sizes have the numbers of the API's.
    return PortfolioSize(value)


def rebalancing_from(spec: pb.PortfolioSpec) -> Rebalancing | None:
    """Return the rebalancing of a portfolio, None where it has none. Ranges are not checked."""
    if not spec.HasField("rebalancing"):
        return None
    return Rebalancing(spec.rebalancing.every, spec.rebalancing.threshold)


def portfolio_spec_to(portfolio: Portfolio) -> pb.PortfolioSpec:
    """Return the message of a portfolio, every field set that it has."""
    spec = pb.PortfolioSpec(
        strategies=[
            pb.WeightedStrategy(strategy=strategy_to(each.strategy), weight=each.weight)
            for each in portfolio.strategies
        ],
        interval=interval_to(portfolio.interval),
        start_time=timestamp_to(portfolio.window.start_s),
        end_time=timestamp_to(portfolio.window.end_s),
        execution=execution_to(portfolio.execution),
        max_positions=portfolio.max_positions,
        size=pb.PortfolioSize.ValueType(portfolio.size),
        benchmark=portfolio.benchmark or "",
    )
    if portfolio.rank is not None:
        spec.rank.CopyFrom(expression_to(portfolio.rank))
    if portfolio.rebalancing is not None:
        spec.rebalancing.every = portfolio.rebalancing.every
        spec.rebalancing.threshold = portfolio.rebalancing.threshold
    return spec
