"""An indicator that needs more candles than there are is refused: the error has both numbers."""

import pytest

from backcast_engine import STRATEGIES, Detail, Distance, Execution, VolatilityTarget, Window
from backcast_engine.errors import Refused
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.donchian import Donchian
from backcast_engine.strategies.macd import Macd
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.stochastic import Stochastic
from backcast_engine.traded_window import TradedWindow

from .inputs import FREE, HOUR_S, MONDAY_S, all_of, make_candles, run

# With what the first signal of every kind needs.
NEEDS = [
    (Rsi(14), 15),
    (Macd(12, 26, 9), 34),
    (Donchian(20, 10), 21),
    (Donchian(10, 20), 21),
    (Stochastic(14, 3, 3), 19),
    (STRATEGIES["ma_cross"](), 50),
    (STRATEGIES["bollinger"](), 20),
    (STRATEGIES["roc_momentum"](), 21),
    (STRATEGIES["supertrend"](), 11),
    (STRATEGIES["keltner"](), 20),
    (STRATEGIES["rsi_trend"](), 200),
    (CustomRules(call("crosses_above", call("sma", call("rsi", CLOSE, 5), 4), 50)), 10),
    (CustomRules(CLOSE > 0, call("shift", CLOSE, 7) > 0), 8),
]


@pytest.mark.parametrize(("strategy", "needed"), NEEDS, ids=lambda value: getattr(value, "name", value))
def test_a_history_with_one_candle_less_than_needed_is_refused(strategy, needed):
    candles = make_candles([10.0 + i % 3 for i in range(needed)])
    run(candles, strategy)
    message = (
        f"^its indicators need {needed} candles, and there are {needed - 1} in the window and before it$"
    )
    with pytest.raises(Refused, match=message):
        run(candles[1:], strategy)


def test_candles_before_the_window_count_and_those_after_it_do_not():
    candles = make_candles([10.0 + i % 3 for i in range(40)])
    window = Window(MONDAY_S + 10 * HOUR_S, MONDAY_S + 20 * HOUR_S)
    assert run(candles, Rsi(19), window=window).warmup_candles == 10
    with pytest.raises(Refused, match="need 21 candles, and there are 20 "):
        run(candles, Rsi(20), window=window)


@pytest.mark.parametrize("name", sorted(STRATEGIES.keys() - {"buy_and_hold", "rules"}))
def test_the_longest_strategies_name_how_many_candles_they_need(name):
    numbers = {"period": 10_000, "slow": 10_000, "entry": 10_000}
    strategy = STRATEGIES[name]()
    longest = type(strategy)(**{key: value for key, value in numbers.items() if hasattr(strategy, key)})
    assert longest.violations() == []
    with pytest.raises(Refused, match=rf"need {longest.lookback_candles + 1} candles, and there are 3 in"):
        run(make_candles([10.0, 11, 10]), longest)


def test_what_is_refused_spoils_nothing_for_the_others():
    candles = make_candles([10.0 + i % 3 for i in range(30)])
    traded = TradedWindow(History(candles), Interval.HOUR_1, all_of(candles), FREE)
    before = traded.metrics(Rsi(5))
    with pytest.raises(Refused):
        traded.metrics(Rsi(500))
    with pytest.raises(Refused):
        traded.result(Rsi(500), Detail.EQUITY)
    assert traded.metrics(Rsi(5)).tobytes() == before.tobytes()


@pytest.mark.parametrize(
    "execution",
    [
        Execution(stop_loss=Distance(atr_multiple=2.0), atr_period=10_000),
        Execution(volatility_target=VolatilityTarget(0.2, period=10_000)),
    ],
    ids=["average true range", "volatility"],
)
def test_a_measure_of_the_execution_that_is_too_long_opens_nothing(execution):
    result = run(make_candles([10.0, 11, 10, 12]), STRATEGIES["buy_and_hold"](), execution)
    assert result.trades == ()
    assert result.metrics.total_return == 0
