"""The events of a sweep: progress and the best trials so far, then the table and the summary."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace

import numpy as np

from backcast.gateway.v1 import sweep_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2 import SweepBacktestsResponse
from backcast_engine import METRIC_NAMES
from backcast_engine.sweep.deflated_sharpe import ReturnShape, shape_of
from backcast_engine.sweep.out_of_sample import equal_weighted
from services.domain.metric_order import SMALLEST_IS_BEST
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.run_cache import RunCache
from services.gateway.messages.sweeps import sweep_started
from services.gateway.planning.run_plan import CacheMode
from services.gateway.planning.sweep_plan import SweepPlan
from services.gateway.runs.record import RunRecord
from services.gateway.runs.statistics import no_trade_counted
from services.gateway.sweeps.chunks import Chunk, SweepChunks
from services.gateway.sweeps.optimization import Optimization
from services.gateway.sweeps.out_of_sample import out_of_sample_message, stitched_cryptos
from services.gateway.sweeps.selection_bias import (
    chosen_combinations,
    deflated_out_of_sample,
    overfitting_message,
    selection_bias_message,
    walk_forward_message,
)
from services.gateway.sweeps.table import Figures, FoldWindow, Ranking, SweepTable
from services.gateway.sweeps.table_messages import ROWS_IN_MESSAGE, rows_message, trial_message
from services.gateway.upstream.compute import ComputeClient
from services.wire.result_parts import joined_parts

# Nobody can read events that come more often.
_PROGRESS_S = 0.1
_BEST_S = 0.25


class SweepEvents:
    """The events of one sweep."""

    def __init__(
        self,
        plan: SweepPlan,
        cache: ResultCache,
        compute: ComputeClient,
        record: RunRecord,
        arrived_at: float,
    ) -> None:
        """`arrived_at` is when the request came, by time.monotonic(); `record` is kept up to date."""
        self._plan = plan
        self._record = record
        self._compute = compute
        self._arrived_at = arrived_at
        self._cache = RunCache(cache, plan.run.cache_mode)
        self._ranking = Ranking(plan.best_trial_count, smallest_is_best=plan.metric in SMALLEST_IS_BEST)
        self._ranking_changed = False
        self._progress = pb.SweepProgress(total=plan.backtests)
        record.total = plan.backtests
        # Of each crypto: how many failed, and the chunk with the first of them.
        self._failures: dict[int, tuple[int, Chunk]] = {}
        # Of each fold, the combinations that its optimizer has proposed; None where there is no optimizer.
        self._proposed: list[list[int]] | None = None

    async def events(self) -> AsyncGenerator[SweepBacktestsResponse]:
        """Yield the sweep's events; closing the iterator cancels what is still being computed."""
        yield SweepBacktestsResponse(started=sweep_started(self._plan, self._record.run_id))
        # Long computations run in threads, here and below: other clients are served meanwhile.
        self._table = await asyncio.to_thread(self._empty_table)
        progress_at = best_at = time.monotonic()
        async with aclosing(self._computed()) as chunks:
            async for chunk in chunks:
                self._take(chunk)
                now = time.monotonic()
                if now - progress_at >= _PROGRESS_S:
                    progress_at = now
                    yield SweepBacktestsResponse(progress=self._progress)
                if self._ranking_changed and now - best_at >= _BEST_S:
                    best_at = now
                    yield await asyncio.to_thread(self._best)
        # Its threads work while the table is made and sent.
        overfitting = asyncio.create_task(overfitting_message(self._plan, self._table))
        try:
            async with aclosing(self._ending(overfitting)) as ending:
                async for event in ending:
                    yield event
        finally:
            overfitting.cancel()

    async def _ending(
        self, overfitting: "asyncio.Task[pb.Overfitting | None]"
    ) -> AsyncGenerator[SweepBacktestsResponse]:
        """Yield the events after the last chunk."""
        yield SweepBacktestsResponse(progress=self._progress)
        for failure in self._failure_messages():
            yield SweepBacktestsResponse(failure=failure)
        if self._ranking_changed:
            yield await asyncio.to_thread(self._best)
        combinations = len(self._plan.possible)
        for start in range(0, combinations, ROWS_IN_MESSAGE):
            stop = min(start + ROWS_IN_MESSAGE, combinations)
            rows = await asyncio.to_thread(rows_message, self._plan, self._table, start, stop)
            yield SweepBacktestsResponse(rows=rows)
        summary = pb.SweepSummary()
        if self._plan.request.fold_count is not None:
            async with aclosing(self._walk_forward(summary.walk_forward)) as events:
                async for event in events:
                    yield event
        await self._fill(summary, overfitting)
        yield SweepBacktestsResponse(summary=summary)

    async def _computed(self) -> AsyncGenerator[Chunk]:
        """Yield every chunk once; in an optimization, the figures of a round propose the next one.

        There, the plan has as many combinations as there can be, and in the end those that were proposed.
        """
        plan = self._plan
        if not plan.is_optimized:
            async with aclosing(self._chunks(plan.parts())) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        optimization = await asyncio.to_thread(Optimization, plan)
        start = 0
        async with aclosing(optimization.rounds(self._table)) as rounds:
            async for new in rounds:
                stop = optimization.count
                plan.possible[start:stop] = new
                self._progress.total = plan.backtests_of(optimization.most)
                self._record.total = self._progress.total
                async with aclosing(self._chunks(plan.parts(start, stop))) as chunks:
                    # Who reads the chunks puts them into the table before the next round.
                    async for chunk in chunks:
                        yield chunk
                start = stop
        self._plan = replace(plan, possible=plan.possible[:start])
        self._proposed = optimization.proposed

    async def _chunks(self, parts: Iterator[tuple[int, SweepPlan]]) -> AsyncGenerator[Chunk]:
        """Yield the chunks of parts of the plan, with the numbers that combinations have in the plan."""
        for first, part in parts:
            async with aclosing(SweepChunks(part, self._cache, self._compute).chunks()) as chunks:
                async for chunk in chunks:
                    yield replace(chunk, first=first + chunk.first)

    def _empty_table(self) -> SweepTable:
        plan = self._plan
        parts = 2 if plan.has_test else 1
        return SweepTable(
            *(len(plan.possible), len(plan.windows), len(plan.cryptos), parts, sum(plan.blocks.per_window))
        )

    def _take(self, chunk: Chunk) -> None:
        self._table.put(chunk.first, chunk.crypto, chunk.figures, chunk.returns)
        ranked_by = self._ranked_by(chunk)
        combinations = np.arange(chunk.first, chunk.first + len(chunk.figures))
        trials = combinations * len(self._plan.cryptos) + chunk.crypto
        self._ranking_changed |= self._ranking.add(ranked_by, trials)
        self._progress.completed += chunk.backtests - chunk.failed
        self._progress.failed += chunk.failed
        self._progress.from_cache += chunk.backtests if chunk.from_cache else 0
        self._record.completed, self._record.failed = self._progress.completed, self._progress.failed
        self._record.from_cache = self._progress.from_cache
        self._record.phases_s.setdefault("first_result", time.monotonic() - self._arrived_at)
        if chunk.failed:
            failed, first = self._failures.get(chunk.crypto, (0, chunk))
            if chunk.first < first.first:
                first = chunk
            self._failures[chunk.crypto] = failed + chunk.failed, first

    def _ranked_by(self, chunk: Chunk) -> Figures:
        """Return the values that rank the trials of a chunk, NaN where a trial has no rank."""
        figures = self._table.over_folds(chunk.figures, FoldWindow.TRAIN)
        if not self._plan.min_trades:
            # Trials without a trade are ranked by what they count among many.
            return no_trade_counted(figures, axis=1)[:, METRIC_NAMES.index(self._plan.metric)]
        enough = self._table.fewest_trades(chunk.figures) >= self._plan.min_trades
        return np.where(enough, figures[:, METRIC_NAMES.index(self._plan.metric)], np.nan)

    def _best(self) -> SweepBacktestsResponse:
        self._ranking_changed = False
        trials = [self._trial(trial) for trial in self._ranking.trials.tolist()]
        return SweepBacktestsResponse(best=pb.SweepBest(trials=trials))

    def _trial(self, trial: int) -> pb.SweepTrial:
        return trial_message(self._plan, self._table, trial)

    def _failure_messages(self) -> Iterator[pb.SweepFailure]:
        for crypto, (failed, first) in sorted(self._failures.items()):
            yield pb.SweepFailure(
                symbol=self._plan.cryptos[crypto].symbol, backtest_count=failed, status=first.first_failure
            )

    async def _walk_forward(self, message: pb.WalkForward) -> AsyncGenerator[SweepBacktestsResponse]:
        """Yield every crypto's curve out of sample, and fill in the results of the folds' choices."""
        plan, table = self._plan, self._table
        chosen = await asyncio.to_thread(chosen_combinations, plan, table, self._proposed)
        message.CopyFrom(await asyncio.to_thread(walk_forward_message, plan, table, chosen))
        # With the cache only, nothing is computed.
        if plan.run.cache_mode is CacheMode.ONLY or not any(one is not None for one in chosen):
            return
        stitched = await stitched_cryptos(plan, self._compute, chosen)
        capital, interval = plan.run.backtest.execution.initial_capital, plan.run.backtest.interval
        curves = []
        for crypto, one in zip(plan.cryptos, stitched, strict=True):
            curves.append(await asyncio.to_thread(one.curve))
            yield SweepBacktestsResponse(
                out_of_sample=out_of_sample_message(curves[-1], capital, plan.curve_points, crypto.symbol)
            )
        every = await asyncio.to_thread(equal_weighted, curves, capital, interval)
        message.out_of_sample.CopyFrom(out_of_sample_message(every, capital, plan.curve_points))
        shape = shape_of(every.equity, capital)
        deflated = await asyncio.to_thread(deflated_out_of_sample, plan, table, shape)
        if deflated is not None:
            message.deflated_sharpe_ratio = deflated

    async def _fill(
        self, summary: pb.SweepSummary, overfitting: "asyncio.Task[pb.Overfitting | None]"
    ) -> None:
        """Fill in the parts of a summary besides the walk forward."""
        summary.progress.CopyFrom(self._progress)
        summary.cache_state = self._cache.state
        winners = self._ranking.trials.tolist()
        if winners:
            summary.winner.CopyFrom(self._trial(winners[0]))
        if self._plan.request.fold_count is None:
            computes = self._plan.run.cache_mode is not CacheMode.ONLY
            shape = await self._returns_of(winners[0]) if winners and computes else None
            bias = await asyncio.to_thread(
                selection_bias_message, self._plan, self._table, shape, winners[0] if winners else None
            )
            summary.selection_bias.CopyFrom(bias)
        probability = await overfitting
        if probability is not None:
            summary.overfitting.CopyFrom(probability)
        summary.elapsed.FromNanoseconds(int((time.monotonic() - self._arrived_at) * 1e9))

    async def _returns_of(self, trial: int) -> ReturnShape | None:
        """Return the shape of a trial's returns in the train part; None where it cannot be computed."""
        combination, crypto = divmod(trial, len(self._plan.cryptos))
        backtest = self._plan.backtest(combination, self._plan.folds[0].train)
        outcomes = self._compute.outcomes(backtest, [self._plan.cryptos[crypto]], self._plan.run.others)
        async with aclosing(outcomes) as responses:
            async for response in responses:
                for result in response.results:
                    equity = np.array(joined_parts(result.parts).equity_curve.equity)
                    return shape_of(equity, backtest.execution.initial_capital)
        return None
