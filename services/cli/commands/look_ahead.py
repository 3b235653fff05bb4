"""Comparison of a result with the result on a shorter history, which must be its beginning.

Any difference means that the longer result used data from the future.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from backcast.backtest.v1.result_pb2 import EXIT_REASON_BREAK, BacktestResult, Trade

_OF_THE_ENTRY = ("entry_time", "entry_price", "units")
_OF_THE_EXIT = (
    "exit_time",
    "exit_price",
    "exit_reason",
    "fees_paid",
    "borrow_paid",
    "funding_paid",
    "profit",
    "return_fraction",
    "held_candles",
    "worst_excursion",
    "best_excursion",
)


@dataclass(frozen=True, slots=True)
class ResultDifference:
    """The first difference between two results of a crypto, at a time in Unix seconds."""

    symbol: str
    time_s: int
    what: str
    whole: str
    shorter: str


def first_difference(whole: BacktestResult, shorter: BacktestResult) -> ResultDifference | None:
    """Compare two results of one crypto with trades and equity, `shorter` of a window that ended earlier.

    Everything that was known at the shorter one's end has to be the same in both, bit by bit: equity,
    entries, and the exits until then. A position that a break closes at the shorter one's last close is
    still open there. Returns the earliest difference, or None.
    """
    differences = [*_equity_differences(whole, shorter), *_trade_differences(whole, shorter)]
    return min(differences, key=lambda difference: difference.time_s, default=None)


def _equity_differences(whole: BacktestResult, shorter: BacktestResult) -> list[ResultDifference]:
    count = len(shorter.equity_curve.equity)
    ours = np.array(whole.equity_curve.equity[:count])
    theirs = np.array(shorter.equity_curve.equity)
    # Compared as bits: NaN does not equal NaN.
    different = np.flatnonzero(ours.view(np.int64) != theirs[: len(ours)].view(np.int64))
    if not len(different):
        return []
    at = int(different[0])
    time_s = shorter.equity_curve.open_time_s[at]
    return [ResultDifference(whole.symbol, time_s, "equity", repr(float(ours[at])), repr(float(theirs[at])))]


def _trade_differences(whole: BacktestResult, shorter: BacktestResult) -> list[ResultDifference]:
    last_s = shorter.equity_curve.open_time_s[-1]
    known = [trade for trade in whole.trades if trade.entry_time.seconds <= last_s]
    if len(known) != len(shorter.trades):
        extra = (known if len(known) > len(shorter.trades) else shorter.trades)[
            min(len(known), len(shorter.trades))
        ]
        counts = str(len(known)), str(len(shorter.trades))
        return [ResultDifference(whole.symbol, extra.entry_time.seconds, "number of trades", *counts)]
    for ours, theirs in zip(known, shorter.trades, strict=True):
        names = _OF_THE_ENTRY if theirs.open and _closes_after(ours, last_s) else _OF_THE_ENTRY + _OF_THE_EXIT
        for name in names:
            if getattr(ours, name) != getattr(theirs, name):
                time_s = theirs.entry_time.seconds if name in _OF_THE_ENTRY else theirs.exit_time.seconds
                return [
                    ResultDifference(
                        whole.symbol, time_s, f"{name} of a trade", _shown(ours, name), _shown(theirs, name)
                    )
                ]
    return []


def _closes_after(trade: Trade, time_s: int) -> bool:
    """Return whether a trade was open at the close of the candle that opened at `time_s`.

    A trade that a break closes at that close counts as open, because the break was not known then.
    """
    if trade.exit_reason == EXIT_REASON_BREAK:
        return trade.exit_time.seconds >= time_s
    return trade.open or trade.exit_time.seconds > time_s


def _shown(trade: Trade, name: str) -> str:
    value = getattr(trade, name)
    if name.endswith("_time"):
        return f"{datetime.fromtimestamp(value.seconds, UTC):%Y-%m-%d %H:%M}"
    return repr(value)
