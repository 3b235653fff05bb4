"""Rules see longer candles and other cryptos as they were known: at each close, the last one that had closed.

The reference below is written from docs/rules.md alone, hour by hour, in plain Python.
"""

import math
import random
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from backcast_engine import (
    Backtest,
    BreakRule,
    Detail,
    Execution,
    TradedWindow,
    Window,
    backtest_series,
    run_backtest,
)
from backcast_engine.aggregation import aggregate
from backcast_engine.breaks import Break
from backcast_engine.candles import Candles
from backcast_engine.errors import NotFound, Refused
from backcast_engine.history import History, HistoryTooShort
from backcast_engine.interval import Interval
from backcast_engine.rules import Evaluation
from backcast_engine.rules.parse import parse, parse_line
from backcast_engine.rules.signature import ValueKind
from backcast_engine.rules.ticks import exact_sums
from backcast_engine.strategies.custom_rules import CustomRules
from services.domain import aggregation

from .inputs import MONDAY_S, all_of, make_candles, real_candles

HOUR_S = 3_600
HOUR, HOUR_4, DAY, WEEK = Interval


@dataclass(frozen=True)
class Hours:
    """The hours of a crypto, and its breaks."""

    candles: Candles
    breaks: tuple[Break, ...]

    def history(self, interval=HOUR, since_s=None):
        """Return its candles of a length, as the data service has them, all or those from a time on."""
        candles, _ = aggregation.aggregate(self.candles, interval)
        end_s = int(self.candles.open_time_s[-1]) + HOUR_S
        candles = candles.at(candles.open_time_s + interval.seconds <= end_s)
        if since_s is None:
            return History(candles, self.breaks)
        return History(candles.at(candles.open_time_s >= since_s), self.breaks, since_s=since_s)

    def over(self, interval):
        """Return its hours in candles of a length that have ended by the end of its data."""
        end_s = int(self.candles.open_time_s[-1]) + HOUR_S
        return self.until(interval.opening(end_s))

    def until(self, end_s):
        """Return what there is of it at a time."""
        count = int(np.searchsorted(self.candles.open_time_s, end_s - HOUR_S, side="right"))
        return Hours(self.candles[:count], self.breaks)


@st.composite
def hours(draw):
    """Draw hours with gaps of hours, days and weeks, prices that often stand still, and up to two breaks."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    steps = [rng.choice([1] * 40 + [2, 5, 30, 400]) for _ in range(draw(st.integers(1, 900)))]
    at = np.cumsum([rng.randrange(200), *steps])[:-1]
    prices = [round(50 + rng.choice([0, 0, 1, 7, 20]) * rng.random(), 1) for _ in range(len(at) + 1)]
    made = make_candles(prices[:-1], prices[1:], at=at)
    made = replace(made, volume=np.array([rng.choice([0.1, 0.2, 3.75]) for _ in at]))
    behind = sorted(rng.sample(range(1, len(at)), min(draw(st.integers(0, 2)), len(at) - 1)))
    times = made.open_time_s.tolist()
    breaks = tuple(Break(times[i - 1], times[i], prices[i], prices[i]) for i in behind)
    return Hours(made, breaks)


@dataclass
class Candle:
    """A candle of the reference, and how many breaks come before it."""

    open: float
    high: float
    low: float
    close: float
    volume: Fraction
    turn: int


def candles_by_opening(crypto, interval, ignored):
    """Return the candles of a crypto by their opening times, made hour by hour; None if one has a break."""
    made: dict[int, Candle | None] = {}
    for time, opened, high, low, close, volume in zip(
        *(column.tolist() for column in crypto.candles.columns()), strict=True
    ):
        turn = 0 if ignored else sum(each.after_s <= time for each in crypto.breaks)
        opening = time - (time - MONDAY_S) % interval.seconds
        hour = Candle(opened, high, low, close, Fraction(repr(volume)), turn)
        before = made.setdefault(opening, hour)
        if before is None or before.turn != turn:
            made[opening] = None
        elif before is not hour:
            before.high, before.low = max(before.high, high), min(before.low, low)
            before.close, before.volume = close, before.volume + hour.volume
    return made


# What a part is at a candle, given those of its turn until then.
PARTS = {
    "close": lambda seen: seen[-1].close,
    "open": lambda seen: seen[-1].open,
    "volume": lambda seen: float(seen[-1].volume),
    "sma(3)": lambda seen: (
        float(sum(Fraction(repr(each.close)) for each in seen[-3:]) / 3) if len(seen) > 2 else None
    ),
    "highest(high, 2)": lambda seen: max(each.high for each in seen[-2:]) if len(seen) > 1 else None,
    "close[4]": lambda seen: seen[-5].close if len(seen) > 4 else None,
}


def expected(run, run_interval, other, interval, part, ignored, times, is_own):
    """Return the value of a part on other candles at each of the run's candles, None where it has none."""
    own = candles_by_opening(run, run_interval, ignored)
    longer = candles_by_opening(other, interval, ignored)
    known = sorted(opening for opening, candle in longer.items() if candle)
    values: list[float | None] = []
    for time in times:
        closed_s = time + run_interval.seconds
        opening = closed_s - (closed_s - MONDAY_S) % interval.seconds - interval.seconds
        candle = longer.get(opening)
        if candle is None or (is_own and candle.turn != own[time].turn):
            values.append(None)
            continue
        seen = [longer[each] for each in known if each <= opening and longer[each].turn == candle.turn]
        values.append(PARTS[part](seen))
    return values


def values_of(history, text, run_interval, window, rule=BreakRule.CLOSE):
    """Return the times of a window's candles, and the values of a series there, None where undefined."""
    traded = TradedWindow(history, run_interval, window, Execution(break_rule=rule))
    values = traded.values(parse_line(text, ValueKind.SERIES)).tolist()
    return traded.candles.open_time_s.tolist(), [None if math.isnan(value) else value for value in values]


CHOICES = st.sampled_from(
    [
        *((HOUR, "", longer) for longer in (HOUR_4, DAY, WEEK)),
        *((HOUR, "@BTCUSDT", longer) for longer in (None, HOUR_4, DAY, WEEK)),
        *((HOUR_4, symbol, longer) for symbol, longer in (("", DAY), ("@BTCUSDT", None), ("@BTCUSDT", WEEK))),
        (DAY, "", WEEK),
    ]
)


@pytest.mark.slow
@settings(max_examples=300)
@given(
    own=hours(),
    btc=hours(),
    choice=CHOICES,
    part=st.sampled_from(sorted(PARTS)),
    rule=st.sampled_from([BreakRule.CLOSE, BreakRule.CLOSE, BreakRule.IGNORE]),
    data=st.data(),
)
def test_a_part_on_other_candles_is_that_of_the_last_one_that_had_closed(own, btc, choice, part, rule, data):
    run_interval, symbol, interval = choice
    history = replace(own.history(run_interval), others={"BTCUSDT": btc.history(run_interval)})
    if not len(history.candles):
        return
    window = all_of(history.candles, run_interval)
    window = replace(window, start_s=data.draw(st.integers(window.start_s, window.end_s - 1)))
    text = f"({part}){symbol}" + (f"@{interval.value}" if interval else "")
    try:
        times, values = values_of(history, text, run_interval, window, rule)
    except NotFound:
        return
    own, other = own.over(run_interval), (btc if symbol else own).over(run_interval)
    ignored = rule is BreakRule.IGNORE
    theirs = expected(own, run_interval, other, interval or run_interval, part, ignored, times, not symbol)
    event(f"{sum(value is not None for value in values) > 0}")
    assert values == theirs


def known(breaks, end_s):
    """Return the breaks that are known at a time."""
    return tuple(each for each in breaks if each.after_s < end_s)


@pytest.mark.parametrize("text", ["sma(3)@1d", "ema(3)@4h", "rsi(5)@BTCUSDT", "supertrend(3)@BTCUSDT@4h"])
@settings(max_examples=80)
@given(own=hours(), btc=hours(), data=st.data())
def test_candles_that_come_later_change_no_value(text, own, btc, data):
    whole = replace(own.history(), others={"BTCUSDT": btc.history()})
    window = all_of(whole.candles)
    end_s = data.draw(st.integers(window.start_s + HOUR_S, window.end_s))
    shorter = History(own.until(end_s).candles, known(own.breaks, end_s))
    btc_until = History(btc.until(end_s).candles, known(btc.breaks, end_s))
    shorter = replace(shorter, others={"BTCUSDT": btc_until})
    times, values = values_of(whole, text, HOUR, window)
    for history, until_s in ((shorter, window.end_s), (whole, end_s)):
        their_times, theirs = values_of(history, text, HOUR, replace(window, end_s=until_s))
        assert (times[: len(theirs)], values[: len(theirs)]) == (their_times, theirs)


@pytest.mark.parametrize("text", ["sma(9)@1d", "ema(2)@4h", "close@BTCUSDT", "wma(3)@BTCUSDT@1d", "close@1w"])
@settings(max_examples=80)
@given(own=hours(), btc=hours(), data=st.data())
def test_a_short_history_gives_the_values_of_the_whole_one_or_none(text, own, btc, data):
    whole = replace(own.history(), others={"BTCUSDT": btc.history()})
    window = all_of(whole.candles)
    start_s = data.draw(st.integers(window.start_s, window.end_s - 1))
    since_s = data.draw(st.integers(window.start_s - 10 * HOUR_S, start_s))
    window = replace(window, start_s=start_s)
    short = replace(own.history(since_s=since_s), others={"BTCUSDT": btc.history(since_s=since_s)})
    try:
        found = values_of(short, text, HOUR, window)
    except HistoryTooShort:
        event("too short")
        return
    assert found == values_of(whole, text, HOUR, window)


def test_the_time_from_which_candles_are_asked_for_holds_the_warm_up_of_other_candles():
    window = Window(MONDAY_S + 400 * 86_400, MONDAY_S + 500 * 86_400)
    asked = Backtest(CustomRules(parse("close > sma(200)@1d", "entry")), HOUR, window, Execution())
    assert asked.since_s <= window.start_s - 200 * 86_400
    hours_ = make_candles(np.arange(500 * 24) % 97 + 3.0)
    whole = History(hours_)
    short = History(hours_.at(hours_.open_time_s >= asked.since_s), since_s=asked.since_s)
    assert run_backtest(short, asked) == run_backtest(whole, asked)


def test_what_came_before_the_warm_up_of_other_candles_has_no_say():
    hours_ = make_candles(np.arange(400 * 24) % 97 + 3.0)
    window = Window(MONDAY_S + 390 * 86_400, MONDAY_S + 400 * 86_400)
    _, values = values_of(History(hours_), "ema(5)@1d", HOUR, window)
    days, _ = aggregate(hours_, DAY, exact_sums)
    whole = Evaluation(days).series(parse_line("ema(5)", ValueKind.SERIES))[389:399].repeat(24)
    # The last hour of a day sees this day.
    assert values[:24] == pytest.approx([*whole[:23], whole[24]], rel=1e-8)


@pytest.mark.parametrize("interval", [HOUR_4, DAY, WEEK])
@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_longer_candles_are_those_that_an_import_stores_bit_by_bit(interval, symbol):
    candles = real_candles(symbol)
    ours, theirs = aggregate(candles, interval, exact_sums), aggregation.aggregate(candles, interval)
    assert ours[1].tolist() == theirs[1].tolist()
    for column, other in zip(ours[0].columns(), theirs[0].columns(), strict=True):
        assert column.tobytes() == other.tobytes()


@given(
    st.lists(st.one_of(st.integers(0, 10**9).map(lambda n: n / 1000), st.floats(0, 1e300)), min_size=1),
    st.sampled_from([1, 3, 7]),
)
def test_volumes_are_summed_as_decimals(values, size):
    starts = np.arange(0, len(values), size)
    groups = [values[start : start + size] for start in starts.tolist()]
    sums = [float(sum(Fraction(repr(value)) for value in group)) for group in groups]
    assert exact_sums(np.array(values), starts).tolist() == sums


def test_candles_that_are_centuries_apart_are_aggregated():
    candles = make_candles([1.0, 2.0, 3.0], at=[0, 3, 60_000_000])
    longer, made_of = aggregate(candles, HOUR_4, exact_sums)
    assert (longer.open.tolist(), longer.close.tolist(), made_of.tolist()) == ([1, 3], [2, 3], [2, 1])


def conditions(own, btc, *texts):
    """Return where conditions hold over all candles of a history."""
    history = History(own, others={"BTCUSDT": History(btc)})
    strategy = CustomRules(*(parse(text, "entry") for text in texts))
    traded = TradedWindow(history, HOUR, all_of(own), Execution())
    signals = traded.orders(strategy).signals
    return np.flatnonzero(signals.buy).tolist(), np.flatnonzero(signals.sell).tolist()


def test_a_condition_on_other_candles_holds_until_the_next_one_closes():
    days = make_candles([5.0] * 24 + [9.0] * 24 + [4.0] * 24)
    # Its day closes higher than the day before from the close of hour 47 on.
    buys, sells = conditions(days, days, "(close > close[1])@1d", "not (close > close[1])@1d")
    assert buys == list(range(47, 71))
    # The first day has none before: the condition is undefined, and so is its opposite.
    assert sells == [71]


def test_averages_of_other_candles_are_compared_as_on_paper():
    # Six closes of 0.1 are 0.6 on paper, and in float64 their mean is not 0.1.
    own = make_candles([0.3, 0.1] * 36)
    btc = make_candles([0.1, 0.2, 0.3] * 24)
    everywhere = list(range(5, 72))
    assert conditions(own, btc, "sma(6)@BTCUSDT == 0.2", "sma(6)@BTCUSDT != 0.2") == (everywhere, [])
    assert conditions(own, btc, "sma(2) == sma(6)@BTCUSDT")[0] == everywhere
    assert conditions(own, btc, "sma(3)@BTCUSDT / sma(6)@BTCUSDT == 1")[0] == everywhere
    assert conditions(own, btc, "sma(close@BTCUSDT, 6) == 0.2")[0] == everywhere
    # In float64, 0.2 * 3 is above 0.6, and 0.3 - 0.2 is below 0.1.
    assert conditions(own, btc, "sma(6)@BTCUSDT * 3 == 0.6", "(sma(6) * 3)@BTCUSDT > 0.6") == (everywhere, [])
    risen = [position for position in range(1, 72) if position % 3]
    assert conditions(own, btc, "close@BTCUSDT - close[1]@BTCUSDT == 0.1")[0] == risen
    assert conditions(own, btc, "(close - close[1] == 0.1)@BTCUSDT")[0] == risen
    days = make_candles([0.1] * 24 + [0.2] * 24 + [0.3] * 25)
    assert conditions(days, btc, "sma(3)@1d == 0.2")[0] == [71, 72]


@pytest.mark.parametrize("offset", [-1e-13, 0.0, 1e-13])
def test_a_break_of_other_candles_hides_no_equality(offset):
    prices = [0.1, 0.2, 0.3] * 24
    times = make_candles(prices).open_time_s.tolist()
    history = History(
        make_candles([0.2 + offset] * 72),
        others={"BTCUSDT": History(make_candles(prices), (Break(times[29], times[30], 0.3, 0.1),))},
    )
    traded = TradedWindow(history, HOUR, all_of(history.candles), Execution())
    orders = traded.orders(CustomRules(parse("close == sma(3)@BTCUSDT", "entry")))
    equal = np.flatnonzero(orders.signals.buy).tolist()
    assert equal == ([*range(2, 30), *range(32, 72)] if offset == 0 else [])


def test_what_a_chart_draws_of_other_candles_is_what_the_rules_saw():
    candles = make_candles(np.arange(96) + 1.0)
    strategy = CustomRules(parse("close > close@1d and rsi(14)@4h < 30", "entry"))
    asked = Backtest(strategy, HOUR, all_of(candles), Execution())
    daily, _ = backtest_series(History(candles), asked).values
    assert math.isnan(daily[22])
    assert (daily[23], daily[46], daily[47], daily[95]) == (24, 24, 48, 96)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (
            "close > sma(5)@1d",
            "sma(5)@1d needs 5 candles of 1d, and there are 4 until the end of the window without a break "
            "between them",
        ),
        (
            "close > close[60]@BTCUSDT",
            "shift(60)@BTCUSDT needs 61 candles of BTCUSDT, and there are 60 until the end of the window "
            "without a break between them",
        ),
        (
            "close > sma(9)@BTCUSDT@4h",
            "sma(9)@BTCUSDT@4h needs 9 candles of 4h of BTCUSDT, and there are 8 until the end of the window "
            "without a break between them",
        ),
    ],
)
def test_too_few_other_candles_are_counted(entry, reason):
    candles = make_candles([1.0] * 97)
    times = candles.open_time_s.tolist()
    history = History(candles, others={"BTCUSDT": History(candles, (Break(times[59], times[60], 1, 1),))})
    if "@4h" in entry:
        history = replace(history, others={"BTCUSDT": History(candles[:32])})
    with pytest.raises(Refused) as caught:
        run_backtest(history, Backtest(CustomRules(parse(entry, "e")), HOUR, all_of(candles), Execution()))
    assert str(caught.value) == reason


def test_a_crypto_that_is_not_given_is_named():
    candles = make_candles([1.0] * 30)
    asked = Backtest(CustomRules(parse("close@BTCUSDT > 1", "e")), HOUR, all_of(candles), Execution())
    with pytest.raises(NotFound, match="no candles of BTCUSDT, which the rules look at"):
        run_backtest(History(candles), asked)


def test_results_of_real_candles_do_not_depend_on_later_ones():
    own, btc = real_candles("ETHUSDT")[:5_000], real_candles("BTCUSDT")
    strategy = CustomRules(
        parse("close > sma(20)@1d and roc(24)@BTCUSDT > 0 and rsi(14)@BTCUSDT@4h < 70", "entry"),
        parse("crosses_below(ema(12), ema(10)@1d) or (close < lowest(low, 5)[1])@4h", "exit"),
    )
    window = replace(all_of(own), start_s=int(own.open_time_s[2_000]))
    history = History(own, others={"BTCUSDT": History(btc)})
    whole = run_backtest(history, Backtest(strategy, HOUR, window, Execution(), Detail.EQUITY))
    assert len(whole.trades) > 20
    for length in (2_500, 4_001, 4_992, 4_999):
        end_s = int(own.open_time_s[length])
        cut = replace(window, end_s=end_s)
        shorter = History(own[:length], others={"BTCUSDT": History(btc.at(btc.open_time_s < end_s))})
        for part, asked in ((shorter, window), (history, cut)):
            result = run_backtest(part, Backtest(strategy, HOUR, asked, Execution(), Detail.EQUITY))
            ours = whole.equity_curve.equity[: length - 2_000]
            assert result.equity_curve.equity.tobytes() == ours.tobytes()
