"""Whether all sides compute the same numbers: times of different work cannot be compared."""

from collections.abc import Sequence

from backcast_engine import Window
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from tests.bench.engine.bare_loop import bare_figures
from tests.bench.engine.figures import Figures, difference
from tests.bench.engine.ours import backtest
from tests.bench.engine.peers import Peers

# What rounding makes of ten thousands of fills and returns.
_TOLERANCE = 1e-9


def agreement_lines(candles: Candles, grid: Sequence[Rsi], window: Window, peers: Peers) -> list[str]:
    """Say for each side how far its figures of one crypto are from the engine's."""
    ours = [_engine(candles, strategy, window) for strategy in grid]
    sides = {"the bare loop": [Figures(None, *each) for each in bare_figures(candles, grid)]}
    if peers.vectorbt:
        sides[peers.vectorbt.NAME] = peers.vectorbt.figures(candles, grid)
    if peers.backtesting and len(grid) == 1:
        sides[peers.backtesting.NAME] = [peers.backtesting.figures(candles, grid[0])]
    first = ours[0]
    return [
        f"the same numbers on one crypto ({first.trades:.0f} trades, total return {first.total_return:+.6%}, "
        f"Sharpe ratio {first.sharpe_ratio:+.6f}, drawdown {first.max_drawdown:.6%})?"
        if len(grid) == 1
        else f"the same numbers of {len(grid)} combinations on one crypto?",
        *(f"  {name}: {_verdict(ours, theirs)}" for name, theirs in sides.items()),
    ]


def _verdict(ours: list[Figures], theirs: list[Figures]) -> str:
    furthest = max(difference(one, other) for one, other in zip(ours, theirs, strict=True))
    what = ", ".join(theirs[0].names())
    if furthest > _TOLERANCE:
        return f"[bold red]NO, {furthest:.1g} apart[/bold red] in {what}"
    return f"yes, at most {furthest:.0e} apart in {what}"


def _engine(candles: Candles, strategy: Rsi, window: Window) -> Figures:
    metrics = backtest(candles, strategy, window).metrics
    return Figures(metrics.trade_count, metrics.total_return, metrics.sharpe_ratio, metrics.max_drawdown)
