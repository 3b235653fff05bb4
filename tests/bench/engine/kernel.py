"""The kernel: one strategy on the whole big market, all metrics, on one core."""

import tempfile
from pathlib import Path

from rich.console import Console

from backcast_engine.strategies.rsi import Rsi
from tests.bench.engine.agreement import agreement_lines
from tests.bench.engine.bare_loop import timed_bare
from tests.bench.engine.markets import BIG_WINDOW, CRYPTO_COUNT, big_market
from tests.bench.engine.our_worker import worker_measure
from tests.bench.engine.ours import timed_market
from tests.bench.engine.own_process import own_process
from tests.bench.engine.peers import Peers
from tests.bench.engine.sampling import ratio, sampled, totals
from tests.bench.engine.section import Goal, Row, Section
from tests.bench.engine.stored_market import store_market
from tests.bench.runs import oversold
from tests.bench.timing import Measure, Timing

_MOST_FLOORS = 1.5


async def kernel(rounds: int, peers: Peers, console: Console) -> Section:
    """Measure the engine, the bare loop, and the peers that there are."""
    market = big_market(console)

    async def engine(number: int) -> Timing:
        return timed_market(market, Rsi(oversold=oversold(number)), BIG_WINDOW)

    async def bare(number: int) -> Timing:
        return timed_bare(market, [Rsi(oversold=oversold(number))], cores=1)

    async def vectorbt(number: int) -> Timing:
        return peers.vectorbt.timed(market, [Rsi(oversold=oversold(number))])

    async def backtesting(number: int) -> Timing:
        return peers.backtesting.timed(market, Rsi(oversold=oversold(number)))

    with (
        tempfile.TemporaryDirectory(prefix="backcast-bench-") as folder,
        own_process(worker_measure, store_market(market, Path(folder)), BIG_WINDOW) as worker,
    ):
        measures: dict[str, Measure] = {
            "the engine: run_backtest, all metrics": engine,
            "floor: a bare loop of RSI, position, equity, Sharpe ratio and drawdown": bare,
            "a fresh worker: its tasks, files mapped": worker.measure,
        }
        if peers.vectorbt:
            measures[f"{peers.vectorbt.NAME}, warm, three metrics"] = vectorbt
        if peers.backtesting:
            count = peers.backtesting.MEASURED_CRYPTOS
            measures[f"{peers.backtesting.NAME}, {count} cryptos, scaled to all"] = backtesting
        samples = await sampled(measures, rounds, "kernel", console)
    (name, ours), (floor_name, floor), (worker_name, in_worker), *others = (
        (name, totals(each)) for name, each in samples.items()
    )
    floors = ratio(ours, floor)
    return Section(
        f"kernel: RSI, {CRYPTO_COUNT} cryptos × {len(market[0]):,} hourly candles on one core",
        [
            Row(name, ours, floor),
            Row(worker_name, in_worker, floor),
            Row(floor_name, floor),
            *(Row(peer, each, floor, ours) for peer, each in others),
        ],
        goals=[
            Goal(f"the engine at most {_MOST_FLOORS} × the floor", floors <= _MOST_FLOORS, f"{floors:.2f} ×")
        ],
        notes=agreement_lines(market[0], [Rsi()], BIG_WINDOW, peers),
    )
