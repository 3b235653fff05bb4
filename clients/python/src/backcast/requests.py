"""Requests of the API, made of the arguments of `run`, `portfolio` and `candles`."""

from collections.abc import Iterable, Mapping, Sequence

from backcast import quantities
from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.expression_pb2 import Expression
from backcast.backtest.v1.portfolio_pb2 import PortfolioSize
from backcast.backtest.v1.strategy_pb2 import Rules as RulesMessage
from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from backcast.errors import InvalidRequestError
from backcast.fields import enum_value, set_time, set_whole
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast.marketdata.v1.interval_pb2 import Interval as IntervalNumber
from backcast.marketdata.v1.market_data_service_pb2 import StreamCandlesRequest
from backcast.options import (
    PORTFOLIO_OPTIONS,
    RUN_OPTIONS,
    BacktestOptions,
    Interval,
    PortfolioOptions,
    RunOptions,
    check_names,
)
from backcast.quantities import Number, Time
from backcast.specs import set_common, strategy_message
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
    set_backtest(request, strategy, options)
    if "detail" in options:
        request.detail = enum_value(result_pb2.Detail.DESCRIPTOR, options, "detail")
    set_whole(request, "curve_points", options, "curve_points")
    return request


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
    set_cryptos(request, options)
    spec = request.spec
    for strategy, weight in strategies:
        weighted = spec.strategies.add()
        weighted.strategy.CopyFrom(strategy_message(strategy))
        if weight is not None:
            weighted.weight = quantities.fraction(weight, "weight")
    set_common(spec, options)
    if rank is not None:
        spec.rank.CopyFrom(rank)
    set_whole(spec, "max_positions", options, "max_positions")
    if "size" in options:
        spec.size = enum_value(PortfolioSize.DESCRIPTOR, options, "size")
    if "rebalance_threshold" in options and "rebalance_every" not in options:
        raise InvalidRequestError.of("rebalance_threshold", "needs rebalance_every")
    set_whole(spec.rebalancing, "every", options, "rebalance_every")
    if "rebalance_threshold" in options:
        threshold = quantities.fraction(options["rebalance_threshold"], "rebalance_threshold")
        spec.rebalancing.threshold = threshold
    spec.benchmark = quantities.text(options.get("benchmark", ""), "benchmark")
    if "detail" in options:
        request.detail = enum_value(result_pb2.Detail.DESCRIPTOR, options, "detail")
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
        interval=enum_value(IntervalNumber.DESCRIPTOR, {"interval": interval}, "interval"),
    )
    for name, time in (("start", start), ("end", end)):
        if time is not None:
            set_time(getattr(request, f"{name}_time"), time, name)
    return request


def set_backtest(
    request: pb.RunBacktestsRequest | pb.SweepBacktestsRequest,
    strategy: Strategy | StrategyMessage,
    options: BacktestOptions,
) -> None:
    """Set what runs and sweeps have in common: cryptos, strategy, interval, window and execution."""
    set_cryptos(request, options)
    request.spec.strategy.CopyFrom(strategy_message(strategy))
    set_common(request.spec, options)


def set_cryptos(
    request: pb.RunBacktestsRequest | pb.SweepBacktestsRequest | RunPortfolioRequest,
    options: BacktestOptions,
) -> None:
    """Set which cryptos are backtested, whether results are cached, and the identifier of the run."""
    request.symbols.extend(quantities.symbols(options.get("symbols", "all"), "symbols"))
    if "exclude" in options:
        request.exclude.extend(quantities.symbol_list(options["exclude"], "exclude"))
    if "cache" in options:
        request.cache_mode = enum_value(pb.CacheMode.DESCRIPTOR, options, "cache")
    request.run_id = quantities.text(options.get("run_id", ""), "run_id")
