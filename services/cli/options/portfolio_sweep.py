"""Options of sweeps over portfolios."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.options.run_options import (
    CandleOptions,
    ExecutionOptions,
    PortfolioOptions,
    RunOptions,
    SearchOptions,
    Size,
)

if TYPE_CHECKING:
    from backcast.backtest.v1.portfolio_pb2 import PortfolioSpec, WeightedStrategy
    from backcast.backtest.v1.strategy_pb2 import Strategy
    from backcast.gateway.v1.portfolio_sweep_pb2 import PortfolioRange, SweepPortfoliosRequest

_NONE = "none"


@dataclass(frozen=True, slots=True)
class PortfolioSweepOptions:
    """The portfolios, and how they are ranked."""

    strategies: Annotated[
        list[str],
        typer.Argument(
            help="A strategy, or several in quotes: 'rsi --weight 40%' 'supertrend --weight 60%'. Rules: "
            "\"rules --entry 'rsi({n}) < 30' --exit 'rsi({n}) > 70'\".",
            metavar="STRATEGY…",
        ),
    ]
    param: Annotated[
        list[str] | None,
        typer.Option(
            help="A parameter and its values: period=5..30, oversold=20..40:5 (in steps of 5), kind=sma,ema. "
            "It applies to every strategy that has it. In rules and the rank, a placeholder and its values: "
            "n=5..30 for {n}. Can be repeated."
        ),
    ] = None
    max_positions: Annotated[
        str | None,
        typer.Option(
            help="Maximum number of positions that each strategy holds at the same time: 2,5,10 or "
            "2..10:2; by default 10."
        ),
    ] = None
    rank: Annotated[
        list[str] | None,
        typer.Option(
            help="Series that ranks entries when they compete for places, highest value first: 'roc(168)'; "
            "none: in order of symbols. Can be repeated."
        ),
    ] = None
    size: Annotated[Size | None, typer.Option(help="equal or execution, as in `backcast portfolio`.")] = None
    rebalance_every: Annotated[
        str | None,
        typer.Option(help="Numbers of candles between rebalancings to the target sizes: none,24,168."),
    ] = None
    rebalance_threshold: Annotated[
        str | None,
        typer.Option(
            help="Rebalance only positions that deviate from their target size by more than this: 10%."
        ),
    ] = None
    random: Annotated[
        int | None, typer.Option(help="Backtest only N combinations, chosen at random.", metavar="N")
    ] = None
    optimize: Annotated[
        int | None,
        typer.Option(
            help="Backtest only N combinations, which Optuna proposes from the results of earlier ones; "
            "with --folds, N for each fold.",
            metavar="N",
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of --random and --optimize; another seed chooses other combinations."),
    ] = None
    metric: Annotated[str, typer.Option(help="The metric of the account to rank by.")] = "sharpe_ratio"
    top: Annotated[int, typer.Option(help="Number of best combinations to show.")] = 20
    split: Annotated[
        str | None,
        typer.Option(help="Train on this fraction of the window, 0.7 or 70%, and test on the rest."),
    ] = None
    folds: Annotated[
        int | None, typer.Option(help="Walk forward with this number of folds, instead of --split.")
    ] = None
    min_trades: Annotated[
        int | None, typer.Option(help="Do not rank combinations with fewer trades; by default 1.")
    ] = None

    def request(
        self, candles: CandleOptions, execution: ExecutionOptions, options: RunOptions
    ) -> "SweepPortfoliosRequest":
        """Return the request; raise InvalidInput, naming the option, if one cannot be parsed."""
        from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
        from backcast_engine.errors import InvalidInput
        from services.cli.options.execution import fraction
        from services.cli.options.execution_ranges import swept_execution
        from services.cli.options.portfolio import portfolio_request
        from services.cli.options.requests import set_search, swept_intervals
        from services.cli.views.metric_cells import metric_number

        if self.split is not None and self.folds is not None:
            raise InvalidInput.of("--folds", "cannot be combined with --split")
        fixed_execution, execution_ranges = swept_execution(execution)
        fixed, swept = self._of_portfolio()
        candles, intervals = swept_intervals(candles)
        one = portfolio_request(self.strategies, candles, ExecutionOptions(), fixed, options=options)
        one.spec.execution.CopyFrom(fixed_execution)
        request = SweepPortfoliosRequest(
            symbols=one.symbols,
            exclude=one.exclude,
            spec=one.spec,
            ranges=self._ranges(one.spec.strategies),
            execution_ranges=execution_ranges,
            intervals=intervals,
            portfolio_ranges=swept,
            cache_mode=one.cache_mode,
            run_id=one.run_id,
            metric=metric_number(self.metric, "--metric"),
        )
        for field, option, value in (
            ("best_count", "--top", self.top),
            ("fold_count", "--folds", self.folds),
            ("min_trades", "--min-trades", self.min_trades),
        ):
            if value is not None:
                try:
                    setattr(request, field, value)
                except ValueError:
                    raise InvalidInput.of(option, "is out of range") from None
        set_search(request, SearchOptions(self.random, self.optimize, self.seed))
        if self.split is not None:
            try:
                request.split = fraction(self.split)
            except ValueError:
                reason = f"{self.split!r} is not a fraction like 0.7 or 70%"
                raise InvalidInput.of("--split", reason) from None
        return request

    def _ranges(self, strategies: "Sequence[WeightedStrategy]") -> Iterator[Any]:
        from backcast_engine.errors import InvalidInput
        from services.cli.options.parameter_ranges import parameter_range

        names: list[str] = []
        for text in self.param or []:
            name = text.partition("=")[0]
            if name in names:
                raise InvalidInput.of(f"--param {name}", "is given twice")
            names.append(name)
            having = [each.strategy for each in strategies if _has(each.strategy, name)]
            yield parameter_range(text, (having or [strategies[0].strategy])[0])

    def _of_portfolio(self) -> "tuple[PortfolioOptions, list[PortfolioRange]]":
        """Return the portfolio's options that have one value, and a range for each of the others."""
        from backcast.gateway.v1.portfolio_sweep_pb2 import PortfolioRange
        from backcast_engine.errors import InvalidInput
        from services.cli.options.portfolio import set_rank, set_rebalancing

        places = _numbers(self.max_positions, "--max-positions")
        every = _numbers(self.rebalance_every, "--rebalance-every", may_be_none=True)
        ranks = [None if text.strip().lower() == _NONE else text for text in self.rank or []]
        if self.rebalance_threshold is not None and not any(every):
            raise InvalidInput.of("--rebalance-threshold", "needs --rebalance-every")
        ranges: list[PortfolioRange] = []

        def sweep(name: str, values: Sequence[Any], put: "Callable[[PortfolioSpec, Any], None]") -> None:
            if len(values) > 1:
                added = PortfolioRange(name=name)
                for value in values:
                    spec = added.values.add()
                    if value is not None:
                        put(spec, value)
                ranges.append(added)

        def put_rebalancing(spec: "PortfolioSpec", value: int) -> None:
            set_rebalancing(
                spec,
                PortfolioOptions(rebalance_every=value, rebalance_threshold=self.rebalance_threshold),
            )

        sweep("max_positions", places, _put_places)
        sweep("rank", ranks, set_rank)
        sweep("rebalancing", every, put_rebalancing)
        fixed = PortfolioOptions(
            max_positions=places[0] if len(places) == 1 else None,
            rank=ranks[0] if len(ranks) == 1 else None,
            size=self.size,
            rebalance_every=every[0] if len(every) == 1 else None,
            rebalance_threshold=self.rebalance_threshold if len(every) == 1 else None,
        )
        return fixed, ranges


def _has(strategy: "Strategy", name: str) -> bool:
    kind = strategy.WhichOneof("kind")
    return kind is not None and name in getattr(strategy, kind).DESCRIPTOR.fields_by_name


def _put_places(spec: "PortfolioSpec", value: int) -> None:
    from backcast_engine.errors import InvalidInput

    try:
        spec.max_positions = value
    except ValueError:
        raise InvalidInput.of("--max-positions", f"{value} is out of range") from None


def _numbers(text: str | None, option: str, *, may_be_none: bool = False) -> list[int | None]:
    """Return the whole numbers of a list, in which `2..10:2` stands for several; none among them is None."""
    from backcast_engine.errors import InvalidInput
    from services.cli.options.parameter_ranges import steps

    numbers: list[int | None] = []
    for item in (text or "").split(",") if text is not None else ():
        if may_be_none and item.strip().lower() == _NONE:
            numbers.append(None)
            continue
        try:
            found = steps(item, option) if ".." in item else [float(int(item))]
        except ValueError:
            raise InvalidInput.of(option, f"{item.strip()!r} is not a whole number") from None
        if not all(map(float.is_integer, found)):
            raise InvalidInput.of(option, f"{item} has numbers that are not whole")
        numbers += map(int, found)
    return numbers
