"""The events of a sweep over portfolios: progress and the best so far, then the table and the summary."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import numpy as np

from backcast.backtest.v1.portfolio_pb2 import PortfolioResult
from backcast.gateway.v1 import portfolio_sweep_pb2 as pb
from backcast.gateway.v1.sweep_pb2 import SweepProgress, WalkForward
from backcast_engine import Detail
from backcast_engine.sweep.deflated_sharpe import ReturnShape, shape_of
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.run_cache import RunCache
from services.gateway.cache.single_flight import SingleFlight
from services.gateway.messages.portfolio_sweeps import portfolio_sweep_started
from services.gateway.planning.portfolio_sweep_plan import PortfolioSweepPlan
from services.gateway.planning.run_plan import CacheMode
from services.gateway.runs.record import RunRecord
from services.gateway.sweeps.optimization import Optimization
from services.gateway.sweeps.portfolio_results import PortfolioResults, SweptResult
from services.gateway.sweeps.portfolio_table import PortfolioTable, portfolio_rows
from services.gateway.sweeps.portfolio_walk_forward import (
    add_out_of_sample,
    chosen_combinations,
    folds_message,
)
from services.gateway.sweeps.selection_bias import bias_of_best
from services.gateway.sweeps.table_messages import ROWS_IN_MESSAGE
from services.gateway.upstream.compute import ComputeClient
from services.wire.portfolios import portfolio_spec_to

# Nobody can read events that come more often.
_PROGRESS_S = 0.1
_BEST_S = 0.25


class PortfolioSweepEvents:
    """The events of one sweep over portfolios."""

    def __init__(
        self,
        plan: PortfolioSweepPlan,
        cache: ResultCache,
        single_flight: SingleFlight,
        compute: ComputeClient,
        record: RunRecord,
        arrived_at: float,
    ) -> None:
        """`arrived_at` is when the request came, by time.monotonic(); `record` is kept up to date."""
        self._plan = plan
        self._compute = compute
        self._record = record
        self._arrived_at = arrived_at
        self._cache = RunCache(cache, plan.run.cache_mode)
        self._single_flight = single_flight
        self._table = PortfolioTable(plan)
        self._progress = SweepProgress(total=plan.portfolios)
        record.total = plan.backtests
        # Of each fold, the combinations that its optimizer has proposed; None where there is no optimizer.
        self._proposed: list[list[int]] | None = None

    async def events(self) -> AsyncGenerator[pb.SweepPortfoliosResponse]:
        """Yield the sweep's events; closing the iterator cancels what is still being computed."""
        yield pb.SweepPortfoliosResponse(started=portfolio_sweep_started(self._plan, self._record.run_id))
        progress_at = best_at = time.monotonic()
        is_changed = False
        async with aclosing(self._computed()) as results:
            async for result in results:
                is_changed |= self._take(result)
                now = time.monotonic()
                if now - progress_at >= _PROGRESS_S:
                    progress_at = now
                    yield pb.SweepPortfoliosResponse(progress=self._progress)
                if is_changed and now - best_at >= _BEST_S:
                    best_at, is_changed = now, False
                    yield pb.SweepPortfoliosResponse(best=self._rows(self._table.best))
        yield pb.SweepPortfoliosResponse(progress=self._progress)
        yield pb.SweepPortfoliosResponse(best=self._rows(self._table.best))
        combinations = range(len(self._plan.possible))
        for start in range(0, len(combinations), ROWS_IN_MESSAGE):
            rows = await asyncio.to_thread(self._rows, combinations[start : start + ROWS_IN_MESSAGE])
            yield pb.SweepPortfoliosResponse(rows=rows)
        yield pb.SweepPortfoliosResponse(summary=await self._summary())

    async def _computed(self) -> AsyncGenerator[SweptResult]:
        """Yield every result once; in an optimization, the figures of a round propose the next one.

        There, the plan has as many combinations as there can be, and in the end those that were proposed.
        """
        plan = self._plan
        if not plan.is_optimized:
            async with aclosing(self._results(range(len(plan.possible)))) as results:
                async for result in results:
                    yield result
            return
        optimization = await asyncio.to_thread(Optimization, plan)
        start = 0
        async with aclosing(optimization.rounds(self._table)) as rounds:
            async for new in rounds:
                stop = optimization.count
                plan.possible[start:stop] = new
                self._progress.total = plan.portfolios_of(optimization.most)
                self._record.total = self._progress.total * self._each
                async with aclosing(self._results(range(start, stop))) as results:
                    # Who reads the results puts them into the table before the next round.
                    async for result in results:
                        yield result
                start = stop
        self._plan = replace(plan, possible=plan.possible[:start])
        self._proposed = optimization.proposed

    def _results(self, combinations: range) -> AsyncGenerator[SweptResult]:
        cache, single_flight = self._cache, self._single_flight
        return PortfolioResults(self._plan, combinations, cache, single_flight, self._compute).results()

    def _rows(self, combinations: "list[int] | range") -> pb.PortfolioSweepRows:
        return portfolio_rows(self._plan, self._table, combinations)

    def _take(self, result: SweptResult) -> bool:
        """Put a result into the table; return whether the ranking has changed."""
        is_changed = False
        if result.metrics is not None:
            is_changed = self._table.put(result.combination, result.window, result.metrics)
            self._progress.completed += 1
        elif result.failure is not None:
            self._table.fail(result.combination, result.window, result.failure)
            self._progress.failed += 1
        self._progress.from_cache += result.from_cache
        self._record.completed = self._progress.completed * self._each
        self._record.failed = self._progress.failed * self._each
        self._record.from_cache = self._progress.from_cache * self._each
        self._record.phases_s.setdefault("first_result", time.monotonic() - self._arrived_at)
        return is_changed

    @property
    def _each(self) -> int:
        """How many backtests a portfolio counts as."""
        return self._plan.backtests // self._plan.portfolios

    async def _summary(self) -> pb.PortfolioSweepSummary:
        summary = pb.PortfolioSweepSummary(progress=self._progress)
        if best := self._table.best:
            summary.winner.CopyFrom(self._rows(best[:1]).rows[0])
        if self._plan.request.fold_count is None:
            await self._judge(summary, best)
        else:
            await self._walk_forward(summary.walk_forward)
        summary.cache_state = self._cache.state
        summary.elapsed.FromNanoseconds(int((time.monotonic() - self._arrived_at) * 1e9))
        return summary

    async def _judge(self, summary: pb.PortfolioSweepSummary, best: list[int]) -> None:
        """Fill in the winner's portfolio, and its selection bias."""
        shape = None
        if best:
            summary.winner_spec.CopyFrom(portfolio_spec_to(self._plan.portfolio(best[0])))
            if self._computes:
                shape = await self._returns_of(best[0])
        interval = self._plan.interval(best[0] if best else 0)
        summary.selection_bias.CopyFrom(bias_of_best(self._table.sharpe_ratios, shape, interval))

    async def _walk_forward(self, message: WalkForward) -> None:
        """Fill in what each fold chose, and the account that trades the choices one after the other."""
        plan, table = self._plan, self._table
        chosen = await asyncio.to_thread(chosen_combinations, plan, table, self._proposed)
        message.CopyFrom(folds_message(plan, table, chosen))
        if self._computes and any(one is not None for one in chosen):
            await add_out_of_sample(message, plan, table, self._compute, chosen)

    @property
    def _computes(self) -> bool:
        """Whether anything is computed: with the cache only, nothing is."""
        return self._plan.run.cache_mode is not CacheMode.ONLY

    async def _returns_of(self, combination: int) -> ReturnShape | None:
        """Return the shape of a combination's returns in the train part; None where it cannot be computed."""
        plan = self._plan
        portfolio = replace(plan.portfolio(combination), detail=Detail.EQUITY)
        found = self._compute.portfolios([portfolio], plan.cryptos, plan.run.others)
        async with aclosing(found) as responses:
            async for response in responses:
                if response.HasField("result"):
                    result = PortfolioResult.FromString(b"".join(response.result.parts))
                    return shape_of(np.array(result.curve.equity), portfolio.execution.initial_capital)
        return None
