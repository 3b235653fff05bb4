"""The sweep: many combinations of parameters on the whole market of one year, on two cores."""

from rich.console import Console

from backcast_engine.candles import Candles
from tests.bench.engine.agreement import agreement_lines
from tests.bench.engine.bare_loop import timed_bare
from tests.bench.engine.markets import CRYPTO_COUNT, YEAR_WINDOW, year_market
from tests.bench.engine.memory import PeakMemory
from tests.bench.engine.our_sweep import GRID, our_sweep
from tests.bench.engine.peers import Peers
from tests.bench.engine.sampling import ratio, sampled, totals
from tests.bench.engine.section import Goal, Row, Section
from tests.bench.timing import Measure, Timing

_CORES = 2
_TIMES_FASTER = 20
_MOST_GIB = 1.5
# Of how many cryptos vectorbt's sweep is measured: each is some chunks of columns, and none knows of another.
_PEER_CRYPTOS = 5


async def sweep(rounds: int, peers: Peers, console: Console) -> Section:
    """Measure our sweep and its memory, the bare loop, and vectorbt."""
    market = year_market(console)
    async with our_sweep(console) as ours:
        measures: dict[str, Measure] = {
            "SweepBacktests through the gateway, all metrics, not cached": ours.measure,
            f"floor: the bare loop in {_CORES} threads": _bare(market),
        }
        if peers.vectorbt:
            name = f"{peers.vectorbt.NAME} in chunks, three metrics ({_PEER_CRYPTOS} cryptos, scaled)"
            measures[name] = _vectorbt(market, peers)
        with PeakMemory(ours.process_ids) as memory:
            samples = await sampled(measures, rounds, "sweep", console)
    rows = {name: totals(each) for name, each in samples.items()}
    (name, engine_s), (floor_name, floor_s), *peer = rows.items()
    return Section(
        f"sweep: RSI, {len(GRID)} combinations × {CRYPTO_COUNT} cryptos × {len(market[0]):,} candles",
        [
            Row(name, engine_s, floor_s),
            Row(floor_name, floor_s),
            *(Row(peer_name, peer_s, floor_s, engine_s) for peer_name, peer_s in peer),
        ],
        goals=[
            _speed_goal(engine_s, peer[0][1] if peer else None),
            _memory_goal(memory.peak_bytes / 2**30),
        ],
        notes=agreement_lines(market[0], GRID, YEAR_WINDOW, peers),
    )


def _speed_goal(ours: list[float], theirs: list[float] | None) -> Goal:
    name = f"ours at least {_TIMES_FASTER} × as fast as vectorbt"
    if theirs is None:
        return Goal(name, None, "it is not installed")
    times = ratio(theirs, ours)
    return Goal(name, times >= _TIMES_FASTER, f"{times:.1f} ×")


def _memory_goal(gib: float) -> Goal:
    return Goal(f"gateway, compute and workers under {_MOST_GIB} GiB", gib < _MOST_GIB, f"{gib:.2f} GiB")


def _bare(market: list[Candles]) -> Measure:
    async def bare(_number: int) -> Timing:
        return timed_bare(market, GRID, _CORES)

    return bare


def _vectorbt(market: list[Candles], peers: Peers) -> Measure:
    async def vectorbt(number: int) -> Timing:
        first = number * _PEER_CRYPTOS % (len(market) - _PEER_CRYPTOS)
        timing = peers.vectorbt.timed(market[first : first + _PEER_CRYPTOS], GRID)
        return Timing(timing.total_s / _PEER_CRYPTOS * len(market))

    return vectorbt
