"""Train and test windows: a window that is split, or cut into the folds of a walk-forward."""

from dataclasses import dataclass
from itertools import pairwise

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.results import Window

MAX_FOLDS = 100


@dataclass(frozen=True, slots=True)
class Fold:
    """A train window and the test window after it; None: there is no test window."""

    train: Window
    test: Window | None

    def windows(self) -> tuple[Window, ...]:
        """Return the windows of the fold."""
        return (self.train,) if self.test is None else (self.train, self.test)


def split_fault(fraction: float) -> str | None:
    """Return why no window can be cut at `fraction` of its time; None if some can."""
    return None if 0 < fraction < 1 else f"must be above 0 and below 1, not {fraction:g}"


def fold_count_fault(folds: int) -> str | None:
    """Return why no walk-forward can have so many folds; None if some can."""
    return None if 1 <= folds <= MAX_FOLDS else f"must be from 1 to {MAX_FOLDS}, not {folds}"


def split_window(window: Window, interval: Interval, fraction: float) -> Fold:
    """Cut a window where `fraction` of its time has passed, on the interval's grid.

    Raises InvalidInput, naming `split`, if one side of the cut would contain no candle.
    """
    if fault := split_fault(fraction):
        raise InvalidInput.of("split", fault)
    cut_s = interval.next_opening(window.start_s + round((window.end_s - window.start_s) * fraction))
    first_s, end_s = interval.next_opening(window.start_s), interval.next_opening(window.end_s)
    if not first_s < cut_s < end_s:
        raise InvalidInput.of(
            "split", f"the window has room for {_candles(window, interval)}: one side would have none of them"
        )
    return Fold(Window(window.start_s, cut_s), Window(cut_s, window.end_s))


def walk_forward(window: Window, interval: Interval, folds: int) -> list[Fold]:
    """Cut a window into `folds` + 1 equal parts, on the interval's grid; fold n is part n and the next one.

    The train windows roll, as R. Pardo's walk-forward analysis has them (The Evaluation and Optimization of
    Trading Strategies, 2008): each choice is made on equally much of the past, so that folds compare. (An
    anchored one, that always begins with the window, would weigh the oldest market in every choice.)
    Raises InvalidInput, naming `folds`, if a part would contain no candle.
    """
    if fault := fold_count_fault(folds):
        raise InvalidInput.of("fold_count", fault)
    parts = folds + 1
    length_s = window.end_s - window.start_s
    cuts = [interval.next_opening(window.start_s + length_s * part // parts) for part in range(1, parts)]
    edges = [interval.next_opening(window.start_s), *cuts, interval.next_opening(window.end_s)]
    if any(first >= second for first, second in pairwise(edges)):
        raise InvalidInput.of(
            "fold_count",
            f"the window has room for {_candles(window, interval)}, which {parts} parts cannot share",
        )
    edges[0], edges[-1] = window.start_s, window.end_s
    windows = [Window(*pair) for pair in pairwise(edges)]
    return [Fold(*pair) for pair in pairwise(windows)]


def _candles(window: Window, interval: Interval) -> str:
    span_s = interval.next_opening(window.end_s) - interval.next_opening(window.start_s)
    count = span_s // interval.seconds
    return "1 candle" if count == 1 else f"{count:,} candles"
