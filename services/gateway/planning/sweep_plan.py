"""A sweep as requested, and as planned: defaults filled in, everything checked."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from backcast_engine import Backtest, Detail, Strategy, Window
from backcast_engine.curves import FEWEST_POINTS
from backcast_engine.errors import Violation, Violations
from backcast_engine.interval import Interval
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.sweep import (
    MAX_SAMPLE,
    Blocks,
    Fold,
    Grid,
    Sweep,
    chunk_size,
    fold_count_fault,
    make_blocks,
    sampled_positions,
    split_fault,
    split_window,
    walk_forward,
)
from backcast_engine.sweep.grid import possible_positions
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import RunPlan, RunRequest, make_plan, unknown_symbols

MAX_BEST_TRIALS = 1_000
# Each of Optuna's proposals takes longer than the one before: so many take some tens of seconds.
MAX_OPTIMIZED = 1_000
# In all folds of a walk-forward, each of which has proposals of its own.
MAX_OPTIMIZED_IN_FOLDS = 2_000
DEFAULT_METRIC = "sharpe_ratio"
DEFAULT_BEST_TRIALS = 20
DEFAULT_MIN_TRADES = 1
DEFAULT_CURVE_POINTS = 500
# 17 years of hours. At 26 bytes a point, the event of a curve is below 4 MiB, the default limit of gRPC's
# clients.
MAX_CURVE_POINTS = 150_000


class SearchMethod(Enum):
    """How a search chooses combinations; the names are those of the API."""

    RANDOM = 1
    TPE = 2


@dataclass(frozen=True, slots=True)
class Search:
    """A search among a grid's combinations: how, how many are backtested, and the random numbers' seed.

    An optimization of a walk-forward proposes `count` combinations for each fold.
    """

    method: SearchMethod
    count: int
    seed: int

    def proposes(self, combinations: int) -> bool:
        """Return whether figures of some combinations propose others; never where all are computed."""
        return self.method is SearchMethod.TPE and combinations >= self.count

    def violations(self, folds: int | None, most: int = MAX_SAMPLE) -> list[Violation]:
        """Return what is wrong with it, in a walk-forward of so many folds; None: in another sweep.

        `most` is the greatest number of combinations at random.
        """
        violations = []
        most, where = (MAX_OPTIMIZED if self.method is SearchMethod.TPE else most), ""
        of_folds = MAX_OPTIMIZED_IN_FOLDS // folds if folds and not fold_count_fault(folds) else most
        if self.method is SearchMethod.TPE and of_folds < most:
            most, where = of_folds, f" with {folds} folds"
        if not 1 <= self.count <= most:
            reason = f"must be from 1 to {most:,}{where}, not {self.count:,}"
            violations.append(Violation("search.combination_count", reason))
        if self.seed < 0:
            violations.append(Violation("search.seed", f"must be at least 0, not {self.seed}"))
        if self.method is SearchMethod.TPE and find_spec("optuna") is None:
            reason = "TPE needs Optuna at the gateway: pip install 'backcast[optimize]'"
            violations.append(Violation("search.method", reason))
        return violations


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """What a client asked for.

    `run` is all that a sweep has in common with a run. At most one of `split` (a fraction) and `fold_count`
    is not None. An empty `metric`, a `best_trial_count` of 0, and None for `min_trades` or `curve_points`
    stand for defaults. Without a `search`, all combinations are backtested.
    """

    run: RunRequest
    grid: Grid
    split: float | None
    fold_count: int | None
    metric: str
    best_trial_count: int
    min_trades: int | None
    curve_points: int | None
    search: Search | None = None

    async def positions(self) -> NDArray[np.int64]:
        """Return the positions in the grid of the combinations to backtest; a thread finds them.

        Those of an optimization are as many as it can propose; its proposals replace them.
        """
        if self.search is None:
            return await possible_positions(self.grid)
        sample = await asyncio.to_thread(sampled_positions, self.grid, self.search.count, self.search.seed)
        sample = with_room(sample, self.search, self.fold_count, self.grid.size)
        # One interval after the other, as chunks are of one.
        return sample[np.argsort(sample // self.grid.of_one_interval.size, kind="stable")]

    def violations(self) -> list[Violation]:
        """Return what is wrong with the request beside the grid, whatever the data."""
        violations = self.run.violations_beside_strategy()
        if not 0 <= self.best_trial_count <= MAX_BEST_TRIALS:
            reason = f"must be from 1 to {MAX_BEST_TRIALS:,}, or 0 for {DEFAULT_BEST_TRIALS}"
            violations.append(Violation("best_trial_count", reason))
        if self.min_trades is not None and self.min_trades < 0:
            violations.append(Violation("min_trades", f"must be at least 0, not {self.min_trades}"))
        if fault := curve_points_fault(self.curve_points):
            violations.append(Violation("curve_points", fault))
        if self.split is not None and (fault := split_fault(self.split)):
            violations.append(Violation("split", fault))
        if self.fold_count is not None and (fault := fold_count_fault(self.fold_count)):
            violations.append(Violation("fold_count", fault))
        return violations


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """A sweep: the possible combinations (int64 positions in the grid) in every window on many cryptos.

    `cryptos` are in order of symbols. `run` is the run of one of the combinations. Of an optimization, the
    positions change: those of combinations that are not computed yet are replaced, and may turn out too many.
    """

    request: SweepRequest
    run: RunPlan
    cryptos: list[CryptoData]
    possible: NDArray[np.int64]
    folds: list[Fold]
    blocks: Blocks
    metric: str
    best_trial_count: int
    min_trades: int
    curve_points: int

    @property
    def sweep(self) -> Sweep:
        """What compute is asked for."""
        backtest = self.run.backtest
        return Sweep(
            self.request.grid, backtest.interval, self.windows, backtest.execution, self.blocks.per_window
        )

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows, fold by fold: train, then test where there is one."""
        return tuple(window for fold in self.folds for window in fold.windows())

    @property
    def has_test(self) -> bool:
        """Whether the window is cut."""
        return self.folds[0].test is not None

    def strategy(self, combination: int) -> Strategy:
        """Return the strategy of a combination's number."""
        return self.request.grid.strategy(int(self.possible[combination]))

    def value_indexes(self, combination: int) -> tuple[int, ...]:
        """Return the indexes of a combination's values, of each dimension of the grid."""
        return self.request.grid.indexes(int(self.possible[combination]))

    def backtest(self, combination: int, window: Window) -> Backtest:
        """Return the backtest of a combination in one window, with all points of its equity curve."""
        run, grid, position = self.run.backtest, self.request.grid, int(self.possible[combination])
        return Backtest(
            strategy=grid.strategy(position),
            interval=grid.interval(position, run.interval),
            window=window,
            execution=grid.execution(position, run.execution),
            detail=Detail.EQUITY,
        )

    def parts(self, start: int = 0, stop: int | None = None) -> "Iterator[tuple[int, SweepPlan]]":
        """Yield sweeps of one interval, of the combinations from `start` to before `stop` in their order.

        With each comes the number that its first combination has here.
        """
        grid, positions = self.request.grid, self.possible[start:stop]
        if not len(positions):
            return
        if not grid.intervals:
            yield start, self if len(positions) == len(self.possible) else replace(self, possible=positions)
            return
        numbers, within = np.divmod(positions, grid.of_one_interval.size)
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(positions)]
        for first, end in pairwise(edges):
            interval = grid.intervals[numbers[first]]
            backtest = replace(self.run.backtest, interval=interval)
            yield (
                start + first,
                replace(
                    self,
                    request=replace(self.request, grid=grid.of_one_interval),
                    run=replace(self.run, backtest=backtest),
                    possible=within[first:end],
                ),
            )

    @property
    def is_optimized(self) -> bool:
        """Whether figures of some combinations propose others; never where all are backtested."""
        search = self.request.search
        return search is not None and search.proposes(len(self.possible))

    @property
    def has_placeholders(self) -> bool:
        """Whether the combinations fill in placeholders of rules."""
        return isinstance(self.request.grid.base, CustomRules) and bool(self.request.grid.names)

    @property
    def chunk_size(self) -> int:
        """How many combinations a chunk has at most."""
        return chunk_size(len(self.windows))

    @property
    def chunk_count(self) -> int:
        """How many chunks each crypto has."""
        return -(-len(self.possible) // self.chunk_size)

    @property
    def trials(self) -> int:
        """Combinations on cryptos."""
        return len(self.possible) * len(self.cryptos)

    @property
    def backtests(self) -> int:
        """Trials in windows."""
        return self.backtests_of(len(self.possible))

    def backtests_of(self, combinations: int) -> int:
        """Return how many backtests so many combinations have."""
        return combinations * len(self.cryptos) * len(self.windows)

    @property
    def factors(self) -> str:
        """The factors of the number of backtests, in words."""
        factors = f"{len(self.possible):,} combinations × {len(self.cryptos):,} cryptos"
        return factors + (f" × {len(self.windows)} windows" if len(self.windows) > 1 else "")


def make_sweep_plan(
    request: SweepRequest, possible: NDArray[np.int64], known: list[CryptoData], now_s: int
) -> SweepPlan:
    """Return the plan for `request`, of which the combinations at the positions `possible` are possible.

    `known` are the cryptos of its symbols, or all of them, and `now_s` is the present in Unix seconds.
    Raises InvalidInput, naming the fields, for what cannot be done; Refused where there is no data at all, or
    none in the window.
    """
    violations = Violations()
    violations.add(*request.violations(), *unknown_symbols(request.run, known))
    if not len(possible):
        (conflict, *_) = request.grid.strategy(0).violations()
        violations.add(Violation("ranges", f"no combination is possible; of the first one, {conflict}"))
    violations.raise_if_any()
    run = make_plan(replace(request.run, strategy=request.grid.strategy(int(possible[0]))), known, now_s)
    window, interval = run.backtest.window, run.backtest.interval
    folds = folds_of(window, interval, request.split, request.fold_count)
    return SweepPlan(
        request=request,
        run=run,
        cryptos=sorted(run.cryptos, key=lambda crypto: crypto.symbol),
        possible=possible,
        folds=folds,
        blocks=make_blocks(folds, interval, len(possible), is_walk=request.fold_count is not None),
        metric=request.metric or DEFAULT_METRIC,
        best_trial_count=request.best_trial_count or DEFAULT_BEST_TRIALS,
        min_trades=DEFAULT_MIN_TRADES if request.min_trades is None else request.min_trades,
        curve_points=planned_curve_points(request.curve_points),
    )


def folds_of(window: Window, interval: Interval, split: float | None, fold_count: int | None) -> list[Fold]:
    """Return how a sweep cuts its window: one fold without a walk-forward."""
    if split is not None:
        return [split_window(window, interval, split)]
    if fold_count is not None:
        return walk_forward(window, interval, fold_count)
    return [Fold(window, None)]


def with_room(
    sample: NDArray[np.int64], search: Search, fold_count: int | None, size: int
) -> NDArray[np.int64]:
    """Return the positions of a search's sample, int64, with room for all that its optimizers can propose.

    Each of the folds has an optimizer, and these may propose the same ones of the `size` combinations.
    """
    if not search.proposes(len(sample)):
        return sample
    return np.resize(sample, min(search.count * (fold_count or 1), size))


def curve_points_fault(points: int | None) -> str | None:
    """Return why a curve out of sample cannot have so many points; None if it can."""
    if not points or FEWEST_POINTS <= points <= MAX_CURVE_POINTS:
        return None
    most = f"{MAX_CURVE_POINTS:,}"
    return f"must be from {FEWEST_POINTS} to {most}, or 0 for {most}, not {points:,}"


def planned_curve_points(points: int | None) -> int:
    """Return the most points of a curve out of sample: None stands for the default, and 0 for all."""
    return DEFAULT_CURVE_POINTS if points is None else points or MAX_CURVE_POINTS
