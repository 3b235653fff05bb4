"""Converts requests for sweeps to jobs, and chunks to messages."""

import numpy as np

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.sweep_chunk_pb2 import SweepChunk
from backcast_engine.errors import BackcastError, Violation, Violations
from backcast_engine.interval import Interval
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.sweep import MAX_SAMPLE, Grid, Sweep, make_grid
from backcast_engine.sweep.grid import MAX_COMBINATIONS, MAX_SEARCHED
from services.compute.messages.backtests import read_cryptos, read_others, read_window
from services.compute.tasks.jobs import ComputeJob, sweep_job
from services.compute.tasks.runner import TaskOutcome
from services.rpc.status import status_of
from services.wire.backtests import read_execution, read_strategy
from services.wire.candles import interval_from
from services.wire.sweeps import read_execution_ranges, read_ranges, window_from

# The gateway asks for chunks of fewer backtests.
_MAX_BACKTESTS = 1_000
_MAX_STRETCHES = 1_000


async def job_of_sweep(request: pb.ComputeSweepRequest) -> ComputeJob:
    """Return the job of a request; raise InvalidInput, naming every bad field."""
    violations = Violations()
    refs = {f"cryptos[{index}].crypto": each.crypto for index, each in enumerate(request.cryptos)}
    cryptos = read_cryptos(refs, violations)
    others = read_others(request.other_cryptos, violations)
    base = read_strategy(request.spec.strategy, violations)
    interval = violations.read(Interval.HOUR_1, interval_from, request.spec.interval)
    whole = read_window(request.spec, violations)
    execution = read_execution(request.spec.execution, violations)
    violations.add(*execution.violations())
    ranges = read_ranges(request.ranges, request.spec.strategy, violations)
    settings = read_execution_ranges(request.execution_ranges, violations)
    grid = Grid(BuyAndHold(), (), ())
    # Which ranges there can be depends on the strategy. Where only intervals are swept, there are none.
    if base and not (ranges or settings):
        grid = Grid(base, (), ())
        violations.add(*base.violations())
    elif base:
        most = MAX_SEARCHED if request.positions else MAX_COMBINATIONS
        grid = violations.read(grid, make_grid, base, ranges, settings, execution, (), most)
    windows = tuple(map(window_from, request.windows))
    if not windows or any(not whole.start_s <= one.start_s < one.end_s <= whole.end_s for one in windows):
        reason = "at least one is needed; each must start before it ends, within the window of the spec"
        violations.add(Violation("windows", reason))
    if not 0 < request.chunk_size * max(len(windows), 1) <= _MAX_BACKTESTS:
        reason = f"must make from 1 to {_MAX_BACKTESTS} backtests of {len(windows)} windows"
        violations.add(Violation("chunk_size", f"{reason}, not {request.chunk_size}"))
    stretches = tuple(request.stretches) or (0,) * len(windows)
    if len(stretches) != len(windows) or any(not 0 <= each <= _MAX_STRETCHES for each in stretches):
        reason = f"must be as many as windows, each from 0 to {_MAX_STRETCHES:,}"
        violations.add(Violation("stretches", reason))
    # How many chunks there are depends on the ranges, and on the size of a chunk.
    violations.raise_if_any()
    chosen = np.array(request.positions, np.int64) if request.positions else None
    if chosen is not None and not (
        len(chosen) <= MAX_SAMPLE and chosen.min() >= 0 and chosen.max() < grid.size
    ):
        reason = f"must be at most {MAX_SAMPLE:,}, each from 0 to below {grid.size:,}"
        violations.add(Violation("positions", reason))
    most = grid.size if chosen is None else len(chosen)
    for index, item in enumerate(request.cryptos):
        if any(not 0 <= chunk * request.chunk_size < most for chunk in item.chunks):
            violations.add(Violation(f"cryptos[{index}].chunks", f"there are {most} combinations at most"))
    violations.raise_if_any()
    sweep = Sweep(grid, interval, windows, execution, stretches)
    chunks = {data: list(item.chunks) for data, item in zip(cryptos, request.cryptos, strict=True)}
    return await sweep_job(sweep, request.chunk_size, chunks, chosen, others)


def sweep_response(outcome: TaskOutcome) -> pb.ComputeSweepResponse:
    """Return the message of a chunk's outcome; a failure without a chunk is that of the whole crypto."""
    symbol, result = outcome.data.symbol, outcome.result
    first = None if outcome.task is None else outcome.task.argument.first
    if isinstance(result, BackcastError):
        return pb.ComputeSweepResponse(
            failure=pb.SweepChunkFailure(symbol=symbol, first_combination=first, status=status_of(result))
        )
    assert first is not None
    return pb.ComputeSweepResponse(
        chunk=SweepChunk(
            symbol=symbol,
            fingerprint=outcome.data.fingerprint,
            first_combination=first,
            metrics=result.figures.astype("<f8").tobytes(),
            returns=result.returns.astype("<f4").tobytes(),
            failed=result.failed,
            first_failure=status_of(result.first_failure) if result.first_failure else None,
            other_fingerprints={other.symbol: other.fingerprint for other in outcome.others},
        )
    )
