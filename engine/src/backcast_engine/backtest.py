"""A backtest of one crypto: what it is made of, its result and the series that its strategy compares."""

from dataclasses import dataclass

from backcast_engine.execution import Execution
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.needs import columns_of, longest_warmup, needed_series, rounded_warmup
from backcast_engine.other_candles import warmup_of
from backcast_engine.results import BacktestResult, Detail, Window, WindowSeries
from backcast_engine.rules import On
from backcast_engine.strategies import Strategy
from backcast_engine.times import EARLIEST_ASKED_S, EARLIEST_S
from backcast_engine.traded_window import TradedWindow

# Candles before the warm-up that `Backtest.since_s` includes: with them, most gaps in the warm-up, and most
# other strategies on the same window, need no earlier candles.
_SPARE_CANDLES = 512


@dataclass(frozen=True, slots=True)
class Backtest:
    """A backtest without its crypto: what a run, a cached result and a worker's task compute.

    An equity curve has at most `curve_points` points (0: all, else at least curves.FEWEST_POINTS).
    """

    strategy: Strategy
    interval: Interval
    window: Window
    execution: Execution
    detail: Detail = Detail.METRICS
    curve_points: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of candles that the backtest reads; see `columns_of`."""
        return columns_of(self.strategy, self.execution, self.detail)

    @property
    def since_s(self) -> int:
        """The time from which the backtest needs candles (Unix seconds); long gaps can move it back."""
        candles = rounded_warmup(self.strategy, longest_warmup(needed_series(self.execution)))
        before_s = (candles + _SPARE_CANDLES) * self.interval.seconds
        # Those of a part on other candles come before the run's own warm-up.
        before_s += max(map(self._warmup_s, self.strategy.on_other_candles), default=0)
        since_s = self.interval.opening(self.window.start_s - before_s)
        return since_s if since_s > EARLIEST_ASKED_S else EARLIEST_S

    def _warmup_s(self, node: On) -> int:
        # And the candle that is seen first, which may have begun two of its intervals before.
        return (warmup_of(node) + 2) * (node.candles.interval or self.interval).seconds


def run_backtest(history: History, backtest: Backtest) -> BacktestResult:
    """Run `backtest` on a crypto's history of candles of length `backtest.interval`.

    Indicators are computed over the window and as many candles before it as the strategy asks for and the
    history has; there is no trade in that warm-up, and equity starts at the window's first candle. Breaks cut
    the window into parts, as docs/backtests.md says. Columns that are not in `backtest.columns` may be empty.
    Raises NotFound if the window has no candle, Refused if no part has as many candles as an indicator needs,
    or where prices are so extreme that the equity or a trade is beyond the numbers of a float64;
    HistoryTooShort where the history is not whole, and candles before it would count.
    """
    traded = TradedWindow(history, backtest.interval, backtest.window, backtest.execution)
    return traded.result(backtest.strategy, backtest.detail, backtest.curve_points)


def backtest_series(history: History, backtest: Backtest) -> WindowSeries:
    """Return the series that the strategy of `backtest` compares, as `run_backtest` evaluates them.

    Raises NotFound, Refused and HistoryTooShort as `run_backtest` does; no price is too extreme.
    """
    traded = TradedWindow(history, backtest.interval, backtest.window, backtest.execution)
    return traded.series(backtest.strategy)
