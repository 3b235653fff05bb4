"""Converts the options of a portfolio to a request: 'rsi --param period=7 --weight 40%' is one strategy."""

import shlex
from argparse import ArgumentError, ArgumentParser, Namespace

from backcast.backtest.v1 import portfolio_pb2
from backcast.gateway.v1 import portfolio_service_pb2 as pb
from backcast_engine.errors import InvalidInput
from services.cli.options.execution import fraction
from services.cli.options.requests import run_request
from services.cli.options.run_options import (
    CandleOptions,
    ExecutionOptions,
    PortfolioOptions,
    RunOptions,
    StrategyOptions,
)
from services.cli.options.strategy import strategy_message
from services.wire.enum_names import numbers_of


def portfolio_request(
    strategies: list[str],
    candles: CandleOptions,
    execution: ExecutionOptions,
    portfolio: PortfolioOptions,
    *,
    detail: str = "metrics",
    curve_points: int = 0,
    options: RunOptions | None = None,
) -> pb.RunPortfolioRequest:
    """Return the request; raise InvalidInput, naming the option, if one cannot be parsed."""
    weighted = [weighted_strategy(text) for text in strategies]
    # A portfolio has all that a run has but the strategy.
    run = run_request(
        StrategyOptions("buy_and_hold"),
        candles,
        execution,
        detail=detail,
        curve_points=curve_points,
        options=options,
    )
    request = pb.RunPortfolioRequest(
        symbols=run.symbols,
        exclude=run.exclude,
        spec=portfolio_pb2.PortfolioSpec(
            strategies=weighted,
            interval=run.spec.interval,
            execution=run.spec.execution,
            benchmark=portfolio.benchmark or "",
        ),
        detail=run.detail,
        cache_mode=run.cache_mode,
        curve_points=run.curve_points,
        run_id=run.run_id,
    )
    for time in ("start_time", "end_time"):
        if run.spec.HasField(time):
            getattr(request.spec, time).CopyFrom(getattr(run.spec, time))
    if portfolio.max_positions is not None:
        try:
            request.spec.max_positions = portfolio.max_positions
        except ValueError:
            raise InvalidInput.of("--max-positions", f"{portfolio.max_positions} is out of range") from None
    if portfolio.rank is not None:
        set_rank(request.spec, portfolio.rank)
    if portfolio.size is not None:
        number = numbers_of(portfolio_pb2.PortfolioSize.DESCRIPTOR)[portfolio.size.upper()]
        request.spec.size = portfolio_pb2.PortfolioSize.ValueType(number)
    set_rebalancing(request.spec, portfolio)
    return request


def weighted_strategy(text: str) -> portfolio_pb2.WeightedStrategy:
    """Return the strategy of a text such as `rsi --param period=7 --weight 40%`; raise InvalidInput."""
    parser = ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--param", action="append", default=[])
    for option in ("--entry", "--exit", "--weight"):
        parser.add_argument(option)
    try:
        name, *rest = shlex.split(text) or [""]
        given, unknown = parser.parse_known_args(rest, Namespace())
    except (ArgumentError, ValueError) as error:
        raise InvalidInput.of("strategy", f"{text!r}: {error}") from None
    if unknown:
        reason = f"{text!r}: {unknown[0]} is not one of --param, --entry, --exit and --weight"
        raise InvalidInput.of("strategy", reason)
    message = portfolio_pb2.WeightedStrategy(
        strategy=strategy_message(name, given.param, given.entry, given.exit)
    )
    if given.weight is not None:
        try:
            message.weight = fraction(given.weight)
        except ValueError as error:
            raise InvalidInput.of("--weight", str(error)) from None
    return message


def set_rank(spec: portfolio_pb2.PortfolioSpec, line: str) -> None:
    """Set the rank of a portfolio; raise InvalidInput, naming the option, if it is no series."""
    # Imported here, because importing the engine is slow.
    from backcast_engine.rules.parse import parse
    from backcast_engine.rules.signature import ValueKind
    from services.wire.expressions import expression_to

    spec.rank.CopyFrom(expression_to(parse(line, "--rank", ValueKind.SERIES)))


def set_rebalancing(spec: portfolio_pb2.PortfolioSpec, portfolio: PortfolioOptions) -> None:
    """Set the rebalancing of a portfolio, where it has one; raise InvalidInput, naming the option."""
    if portfolio.rebalance_every is None:
        if portfolio.rebalance_threshold is not None:
            raise InvalidInput.of("--rebalance-threshold", "needs --rebalance-every")
        return
    try:
        spec.rebalancing.every = portfolio.rebalance_every
    except ValueError:
        reason = f"{portfolio.rebalance_every} is out of range"
        raise InvalidInput.of("--rebalance-every", reason) from None
    if portfolio.rebalance_threshold is not None:
        try:
            spec.rebalancing.threshold = fraction(portfolio.rebalance_threshold)
        except ValueError as error:
            raise InvalidInput.of("--rebalance-threshold", str(error)) from None
