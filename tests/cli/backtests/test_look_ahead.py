"""What `backcast verify` finds: a strategy that knows the future, and nothing in one that does not."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from backcast.backtest.v1.result_pb2 import EXIT_REASON_BREAK, EXIT_REASON_SIGNAL
from backcast_engine import Backtest, Detail, Direction, Execution, FillTime, Strategy, Window, run_backtest
from backcast_engine.breaks import Break
from backcast_engine.candles import Candles
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.rules import Evaluation, Rules
from backcast_engine.rules.nodes import CLOSE
from backcast_engine.strategies import Signals
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.ma_cross import MaCross
from services.cli.commands.look_ahead import first_difference
from services.domain.aggregation import aggregate
from tests.candle_making import START_S, random_candles
from tests.engine_results import message_of

CANDLES = random_candles(3, 400)
END_S = START_S + 400 * 3600
CUTS = range(START_S + 100 * 3600, END_S, 7 * 3600)


@dataclass(frozen=True)
class Seer(Strategy):
    """Buys before a rise and sells before a fall: it looks at the next close."""

    name: ClassVar[str] = "seer"
    summary: ClassVar[str] = "For tests."

    def rules(self) -> Rules:
        return Rules(CLOSE > 0)

    def signals(self, evaluation: Evaluation) -> Signals:
        close = evaluation.candles.close
        rises = np.append(close[1:] > close[:-1], [False])
        return Signals(buy=rises, sell=~rises)


def result(strategy, end_s=END_S, execution=None):
    window = Window(START_S, end_s)
    found = run_backtest(
        History(CANDLES), Backtest(strategy, Interval.HOUR_1, window, execution or Execution(), Detail.EQUITY)
    )
    return message_of("A", "1", found)


@pytest.mark.parametrize("execution", [Execution(), Execution(direction=Direction.LONG_SHORT)])
def test_an_honest_strategy_has_no_difference(execution):
    strategy = MaCross(2, 5)
    whole = result(strategy, execution=execution)
    assert len(whole.trades) > 20
    assert [first_difference(whole, result(strategy, cut, execution)) for cut in CUTS] == [None] * len(CUTS)


def test_a_strategy_that_knows_the_next_close_is_found_out():
    # Filled at the next open it trades with a candle that it knew before, and that has come by then.
    assert first_difference(result(Seer()), result(Seer(), CUTS[3])) is None
    at_close = Execution(fill_time=FillTime.SAME_CLOSE)
    whole = result(Seer(), execution=at_close)
    found = [
        difference for cut in CUTS if (difference := first_difference(whole, result(Seer(), cut, at_close)))
    ]
    assert len(found) > len(CUTS) / 4
    assert all(START_S <= difference.time_s < END_S for difference in found)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda shorter: shorter.equity_curve.equity.__setitem__(50, 1.0), "equity"),
        (lambda shorter: setattr(shorter.trades[3], "entry_price", 1.0), "entry_price of a trade"),
        (lambda shorter: setattr(shorter.trades[3], "profit", 1.0), "profit of a trade"),
        (lambda shorter: setattr(shorter.trades[3], "exit_reason", 2), "exit_reason of a trade"),
        (lambda shorter: shorter.trades.pop(2) and shorter.trades.pop(2), "number of trades"),
    ],
)
def test_every_difference_is_named(change, what):
    strategy = MaCross(2, 5)
    shorter = result(strategy, START_S + 300 * 3600)
    change(shorter)
    difference = first_difference(result(strategy), shorter)
    assert difference is not None
    assert difference.what == what
    assert difference.whole != difference.shorter


def test_the_earliest_difference_is_reported():
    strategy = MaCross(2, 5)
    shorter = result(strategy, START_S + 300 * 3600)
    trade = shorter.trades[5]
    trade.profit += 1
    shorter.equity_curve.equity[10] += 1
    difference = first_difference(result(strategy), shorter)
    assert difference is not None
    assert (difference.what, difference.time_s) == ("equity", START_S + 10 * 3600)


def test_a_trade_that_closes_later_is_compared_as_far_as_it_is_known():
    strategy = MaCross(2, 5)
    whole = result(strategy)
    trade = next(trade for trade in whole.trades if trade.held_candles > 3)
    shorter = result(strategy, trade.exit_time.seconds - 3600)
    assert shorter.trades[-1].open
    assert first_difference(whole, shorter) is None
    shorter.trades[-1].units *= 2
    difference = first_difference(whole, shorter)
    assert difference is not None
    assert difference.what == "units of a trade"
    assert replace(difference, symbol="A") == difference


# Two weeks without candles, and then the price is 1,000 times what it was.
RELISTED = Candles(
    *(
        np.concatenate([column[:200], column[200:] + shift if number == 0 else column[200:] * shift])
        for number, (column, shift) in enumerate(
            zip(CANDLES.columns(), (14 * 86_400, *(1_000.0,) * 4, 1.0), strict=True)
        )
    )
)
BREAK = Break(int(RELISTED.open_time_s[199]), int(RELISTED.open_time_s[200]), 1.0, 1_000.0)


def broken_result(strategy, end_s, execution, breaks=(BREAK,)):
    history, window = History(RELISTED, breaks), Window(START_S, end_s)
    found = run_backtest(history, Backtest(strategy, Interval.HOUR_1, window, execution, Detail.EQUITY))
    return message_of("A", "1", found)


@pytest.mark.parametrize("fill_time", FillTime)
def test_a_break_is_no_look_ahead(fill_time):
    execution = Execution(fill_time=fill_time, direction=Direction.LONG_SHORT)
    strategy = MaCross(2, 5)
    whole = broken_result(strategy, BREAK.after_s + 200 * 3600, execution)
    assert EXIT_REASON_BREAK in {trade.exit_reason for trade in whole.trades}
    # Right before the break, right behind it, within the gap, and anywhere.
    ends = [BREAK.before_s + 3600 * hours for hours in (-1, 0, 1, 2)]
    ends += [BREAK.after_s + 3600 * hours for hours in (0, 1, 2)]
    ends += [START_S + 3600 * hours + 1_800 for hours in range(20, 600, 37)]
    for end_s in ends:
        assert first_difference(whole, broken_result(strategy, end_s, execution)) is None


def test_who_sells_before_a_break_knew_of_it():
    whole = broken_result(
        MaCross(2, 5), BREAK.after_s + 200 * 3600, Execution(direction=Direction.LONG_SHORT)
    )
    end_s = BREAK.before_s + 3600
    shorter = broken_result(MaCross(2, 5), end_s, Execution(direction=Direction.LONG_SHORT))
    assert first_difference(whole, shorter) is None
    closed = next(trade for trade in whole.trades if trade.exit_reason == EXIT_REASON_BREAK)
    # As if the shorter history had closed it as well, and for another reason than the break.
    shorter.trades[-1].CopyFrom(closed)
    shorter.trades[-1].exit_reason = EXIT_REASON_SIGNAL
    found = first_difference(whole, shorter)
    assert (found.what, found.time_s) == ("exit_reason of a trade", BREAK.before_s)


def test_daily_candles_that_end_within_a_day_are_compared():
    days, _ = aggregate(RELISTED, Interval.DAY_1)
    history = History(days, (BREAK,))
    results = {
        end_s: message_of(
            "A",
            "1",
            run_backtest(
                history,
                Backtest(BuyAndHold(), Interval.DAY_1, Window(START_S, end_s), Execution(), Detail.EQUITY),
            ),
        )
        for end_s in range(START_S + 3600, START_S + 32 * 86_400, 5 * 3600)
    }
    whole = results[max(results)]
    assert [trade.exit_reason for trade in whole.trades][:1] == [EXIT_REASON_BREAK]
    assert {first_difference(whole, shorter) for shorter in results.values()} == {None}
