"""Options of sweeps."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.options.run_options import (
    CandleOptions,
    ExecutionOptions,
    RunOptions,
    SearchOptions,
    StrategyOptions,
)

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2 import SweepBacktestsRequest


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """The combinations, and how they are ranked."""

    strategy: Annotated[str, typer.Argument(help="Name of a strategy; `backcast strategies` lists them.")]
    param: Annotated[
        list[str] | None,
        typer.Option(
            help="A parameter and its values: period=5..30, oversold=20..40:5 (in steps of 5), "
            "kind=sma,ema; or a fixed value: overbought=75. With `rules`, a placeholder and its "
            "values: n=5..30 for {n}. Can be repeated."
        ),
    ] = None
    entry: Annotated[
        str | None,
        typer.Option(help="Entry condition of `rules`, with placeholders: 'rsi({n}) < {low}'."),
    ] = None
    exit: Annotated[
        str | None, typer.Option(help="Exit condition of `rules`; without it, no signal closes a position.")
    ] = None
    random: Annotated[
        int | None, typer.Option(help="Backtest only N combinations, chosen at random.", metavar="N")
    ] = None
    optimize: Annotated[
        int | None,
        typer.Option(
            help="Backtest only N combinations, which Optuna proposes from the results of earlier ones; "
            "with --folds, N in each fold.",
            metavar="N",
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of --random and --optimize; another seed chooses other combinations."),
    ] = None
    metric: Annotated[str, typer.Option(help="The metric to rank by.")] = "sharpe_ratio"
    top: Annotated[int, typer.Option(help="Number of best trials and combinations to show.")] = 20
    split: Annotated[
        str | None,
        typer.Option(help="Train on this fraction of the window, 0.7 or 70%, and test on the rest."),
    ] = None
    folds: Annotated[
        int | None, typer.Option(help="Walk forward with this number of folds, instead of --split.")
    ] = None
    min_trades: Annotated[
        int | None,
        typer.Option(
            help="Do not choose combinations whose median number of trades per crypto is smaller; by "
            "default 1."
        ),
    ] = None

    def request(
        self, candles: CandleOptions, execution: ExecutionOptions, options: RunOptions
    ) -> "SweepBacktestsRequest":
        """Return the request; raise InvalidInput, naming the option, if one cannot be parsed."""
        from services.cli.options.requests import sweep_request

        return sweep_request(
            *(StrategyOptions(self.strategy, self.param, self.entry, self.exit), candles, execution),
            metric=self.metric,
            top=self.top,
            split=self.split,
            folds=self.folds,
            min_trades=self.min_trades,
            search=SearchOptions(self.random, self.optimize, self.seed),
            options=options,
        )
