"""A sweep over portfolios as requested, and as planned: defaults filled in, everything checked."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backcast_engine import Window
from backcast_engine.errors import InvalidInput, Violation, Violations
from backcast_engine.interval import Interval
from backcast_engine.portfolio import Portfolio
from backcast_engine.rules.check import located_other_candles
from backcast_engine.sweep import Fold, fold_count_fault, sampled_positions, split_fault
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.portfolio_grid import PortfolioGrid
from services.gateway.planning.portfolio_plan import check_candles
from services.gateway.planning.run_plan import RunPlan, RunRequest, make_plan, unknown_symbols
from services.gateway.planning.sweep_plan import (
    DEFAULT_BEST_TRIALS,
    DEFAULT_METRIC,
    DEFAULT_MIN_TRADES,
    MAX_BEST_TRIALS,
    Search,
    curve_points_fault,
    folds_of,
    planned_curve_points,
    with_room,
)

# Of so many candles compute has signals in memory at once: for each strategy a quarter of a byte and, where a
# rank or a size needs more, up to some tens of bytes. One portfolio alone may have more.
_CANDLES_AT_ONCE = 32_000_000
_PORTFOLIOS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class PortfolioSweepRequest:
    """What a client asked for.

    At most one of `split` (a fraction) and `fold_count` is not None. An empty `metric`, a `best_count` of 0,
    and None for `min_trades` or `curve_points` stand for defaults. Without a `search`, all combinations are
    traded.
    """

    grid: PortfolioGrid
    split: float | None
    metric: str
    best_count: int
    min_trades: int | None
    search: Search | None = None
    fold_count: int | None = None
    curve_points: int | None = None

    def violations(self) -> list[Violation]:
        """Return what is wrong with the request beside the grid and the search, whatever the data."""
        found = []
        if self.split is not None and (fault := split_fault(self.split)):
            found.append(Violation("split", fault))
        if self.fold_count is not None and (fault := fold_count_fault(self.fold_count)):
            found.append(Violation("fold_count", fault))
        if fault := curve_points_fault(self.curve_points):
            found.append(Violation("curve_points", fault))
        if not 0 <= self.best_count <= MAX_BEST_TRIALS:
            reason = f"must be from 1 to {MAX_BEST_TRIALS:,}, or 0 for {DEFAULT_BEST_TRIALS}"
            found.append(Violation("best_count", reason))
        if self.min_trades is not None and self.min_trades < 0:
            found.append(Violation("min_trades", f"must be at least 0, not {self.min_trades}"))
        return found

    def positions(self) -> NDArray[np.int64]:
        """Return the positions in the grid of the combinations to trade; it takes up to some seconds.

        Those of an optimization are as many as it can propose; its proposals replace them.
        """
        if self.search is None:
            return self.grid.possible()
        sample = sampled_positions(self.grid, self.search.count, self.search.seed)
        return with_room(sample, self.search, self.fold_count, self.grid.size)

    @property
    def planned_run(self) -> RunRequest:
        """The run of a portfolio, with all other candles that any of the portfolios looks at."""
        run = self.grid.base.planned_run
        ranks = [
            located
            for index, one in enumerate(self.grid.own)
            if one.name == "rank"
            for place, rank in enumerate(one.values)
            if rank is not None
            for located in located_other_candles(rank, f"portfolio_ranges[{index}].values[{place}].rank")
        ]
        return replace(run, also_seen=(*run.also_seen, *ranks))


@dataclass(frozen=True, slots=True)
class PortfolioSweepPlan:
    """A sweep: the possible combinations, int64 positions in the grid, as portfolios of `cryptos`.

    `cryptos` are in order of symbols. `run` is the run of one of the strategies, on the longest candles. Of
    an optimization, the positions change: those of combinations that are not computed yet are replaced, and
    may turn out too many.
    """

    request: PortfolioSweepRequest
    run: RunPlan
    cryptos: list[CryptoData]
    possible: NDArray[np.int64]
    folds: list[Fold]
    metric: str
    best_count: int
    min_trades: int
    curve_points: int

    @property
    def is_optimized(self) -> bool:
        """Whether figures of some combinations propose others; never where all are traded."""
        search = self.request.search
        return search is not None and search.proposes(len(self.possible))

    @property
    def windows(self) -> tuple[Window, ...]:
        """The parts of the window, fold by fold: train, then test where there is one."""
        return tuple(window for fold in self.folds for window in fold.windows())

    @property
    def portfolios(self) -> int:
        """The number of portfolios: combinations in parts of the window."""
        return self.portfolios_of(len(self.possible))

    def portfolios_of(self, combinations: int) -> int:
        """Return how many portfolios so many combinations have."""
        return combinations * len(self.windows)

    @property
    def strategies(self) -> int:
        """The number of strategies of each portfolio."""
        return len(self.request.grid.base.strategies)

    @property
    def backtests(self) -> int:
        """Strategies on cryptos, of all portfolios."""
        return self.portfolios * len(self.cryptos) * self.strategies

    @property
    def factors(self) -> str:
        """The factors of the number of backtests, in words."""
        factors = f"{len(self.possible):,} combinations × {len(self.cryptos):,} cryptos"
        factors += f" × {self.strategies:,} strategies" if self.strategies > 1 else ""
        return factors + (f" × {len(self.windows)} windows" if len(self.windows) > 1 else "")

    @property
    def strategy_names(self) -> str:
        """The names of the strategies, each once."""
        return ", ".join(dict.fromkeys(each.strategy.name for each in self.request.grid.base.strategies))

    def value_indexes(self, combination: int) -> tuple[int, ...]:
        """Return the indexes of a combination's values, of each dimension of the grid."""
        return self.request.grid.indexes(int(self.possible[combination]))

    def portfolio(self, combination: int, window: int = 0) -> Portfolio:
        """Return the portfolio of a combination in the part of the window with this number."""
        request = self.request.grid.request(int(self.possible[combination]))
        symbols = [crypto.symbol for crypto in self.cryptos]
        parts = len(self.folds[0].windows())
        return request.portfolio(symbols, self.folds[window // parts].windows()[window % parts])

    @property
    def shortest_interval(self) -> Interval:
        """The length of the shortest candles."""
        intervals = self.request.grid.intervals or (self.run.backtest.interval,)
        return min(intervals, key=lambda interval: interval.seconds)

    def interval(self, combination: int) -> Interval:
        """Return the length of the candles of a combination."""
        return self.request.grid.interval(int(self.possible[combination]))

    @property
    def at_once(self) -> int:
        """How many portfolios compute is asked for at once."""
        window = self.run.backtest.window
        candles = max((window.end_s - window.start_s) // self.shortest_interval.seconds, 1)
        fitting = _CANDLES_AT_ONCE // (candles * len(self.cryptos) * self.strategies)
        return min(max(fitting, 1), _PORTFOLIOS_AT_ONCE)


def make_portfolio_sweep_plan(
    request: PortfolioSweepRequest, possible: NDArray[np.int64], known: list[CryptoData], now_s: int
) -> PortfolioSweepPlan:
    """Return the plan for `request`, of which the combinations at the positions `possible` are possible.

    `known` are the cryptos of its `planned_run`, or all of them, and `now_s` is the present in Unix seconds.
    Raises InvalidInput, naming the fields, for what cannot be done; TooLarge where there would be too many
    candles; Refused where there is no data at all, or none in the window.
    """
    grid, violations, asked = request.grid, Violations(), request.planned_run
    violations.add(*unknown_symbols(asked, known))
    if not len(possible):
        (conflict, *_) = grid.request(0).conflicts()
        violations.add(Violation("ranges", f"no combination is possible; of the first one, {conflict}"))
    violations.raise_if_any()
    run = make_plan(asked, known, now_s)
    cryptos = sorted(run.cryptos, key=lambda crypto: crypto.symbol)
    window, interval = run.backtest.window, run.backtest.interval
    plan = PortfolioSweepPlan(
        request=request,
        run=run,
        cryptos=cryptos,
        possible=possible,
        folds=folds_of(window, interval, request.split, request.fold_count),
        metric=request.metric or DEFAULT_METRIC,
        best_count=request.best_count or DEFAULT_BEST_TRIALS,
        min_trades=DEFAULT_MIN_TRADES if request.min_trades is None else request.min_trades,
        curve_points=planned_curve_points(request.curve_points),
    )
    symbols = [crypto.symbol for crypto in cryptos]
    portfolio = plan.portfolio(0)
    check_candles(replace(portfolio, window=window, interval=plan.shortest_interval), len(cryptos))
    # How many places there can be, and what can be a benchmark, depends on the cryptos.
    swept = {one.name for one in grid.own}
    found = [each for each in portfolio.violations(symbols) if each.field not in swept]
    found += _place_violations(grid, len(cryptos))
    if found:
        raise InvalidInput(*found)
    return plan


def _place_violations(grid: PortfolioGrid, cryptos: int) -> Iterator[Violation]:
    for index, one in enumerate(grid.own):
        for place, value in enumerate(one.values):
            if one.name == "max_positions" and value is not None and value > cryptos:
                reason = f"must be from 1 to {cryptos}, the number of cryptos, not {value}"
                field = f"portfolio_ranges[{index}].values[{place}].max_positions"
                yield Violation(field, reason)
