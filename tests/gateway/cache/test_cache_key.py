"""The key of a result depends on everything that a result depends on."""

from dataclasses import replace

from backcast_engine import Backtest, Detail, Strategy, Window
from backcast_engine.execution import (
    BreakRule,
    Direction,
    Distance,
    Execution,
    FillTime,
    VolatilityTarget,
)
from backcast_engine.interval import Interval
from backcast_engine.rules.nodes import CLOSE, HIGH, On, OtherCandles, call
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.macd import Macd
from backcast_engine.strategies.rsi import Rsi
from services.gateway.cache.keys import ResultKeys
from services.gateway.planning.crypto_data import CryptoData

ABOVE, BELOW = call("greater", CLOSE, 1), call("less", CLOSE, 1)

STRATEGIES = [
    Rsi(),
    Rsi(period=7),
    Macd(),
    CustomRules(ABOVE),
    CustomRules(BELOW),
    CustomRules(ABOVE, BELOW),
    CustomRules(ABOVE, ABOVE),
    CustomRules(call("greater", HIGH, 1)),
    CustomRules(call("greater", 1, CLOSE)),
    CustomRules(call("greater", CLOSE, 2)),
    CustomRules(call("greater", call("sma", CLOSE, 1), 1)),
    CustomRules(call("greater", call("ema", CLOSE, 1), 1)),
    CustomRules(call("and", call("and", ABOVE, BELOW), ABOVE)),
    CustomRules(call("and", ABOVE, call("and", BELOW, ABOVE))),
    *(
        CustomRules(On(ABOVE, OtherCandles(symbol, interval)))
        for symbol, interval in (
            ("", Interval.DAY_1),
            ("", Interval.WEEK_1),
            ("BTCUSDT", None),
            ("ETHUSDT", None),
        )
    ),
    CustomRules(call("greater", On(CLOSE, OtherCandles("BTCUSDT", None)), 1)),
]
EXECUTIONS = [
    Execution(),
    Execution(fee_rate=0.0),
    Execution(slippage_bps=1.0),
    Execution(initial_capital=1.0),
    Execution(fill_time=FillTime.SAME_CLOSE),
    *(Execution(direction=direction) for direction in (Direction.SHORT_ONLY, Direction.LONG_SHORT)),
    Execution(equity_fraction=0.5),
    Execution(quote_amount=0.5),
    Execution(volatility_target=VolatilityTarget(0.5)),
    Execution(volatility_target=VolatilityTarget(0.5, 20)),
    *(
        Execution(**{name: distance})
        for name in ("stop_loss", "take_profit", "trailing_stop")
        for distance in (Distance(fraction=0.5), Distance(atr_multiple=0.5), Distance(fraction=0.25))
    ),
    Execution(atr_period=7),
    Execution(borrow_rate=0.1),
    Execution(funding_rate=0.1),
    Execution(break_rule=BreakRule.SPLIT),
    Execution(break_rule=BreakRule.IGNORE),
]


def backtest_of(strategy: Strategy, execution: Execution) -> Backtest:
    return Backtest(strategy, Interval.HOUR_1, Window(0, 3_600), execution, Detail.METRICS, curve_points=0)


def key_of(backtest: Backtest) -> str:
    return ResultKeys(backtest).key(CryptoData("BTCUSDT", "whole", 0, 0, "part"), "fingerprint")


def test_all_strategies_and_executions_have_different_keys():
    backtest = backtest_of(Rsi(), Execution())
    keys = [key_of(replace(backtest, strategy=strategy)) for strategy in STRATEGIES]
    keys += [key_of(replace(backtest, execution=execution)) for execution in EXECUTIONS[1:]]
    assert len(set(keys)) == len(keys)


def test_the_same_backtest_has_the_same_key():
    backtest = backtest_of(CustomRules(ABOVE, BELOW), EXECUTIONS[-1])
    same = replace(backtest, strategy=CustomRules(call("greater", CLOSE, 1), call("less", CLOSE, 1)))
    assert key_of(backtest) == key_of(same)


def test_that_high_costs_are_meant_makes_no_other_result():
    backtest = backtest_of(Rsi(), Execution(fee_rate=0.01))
    meant = replace(backtest, execution=replace(backtest.execution, allow_high_costs=True))
    assert key_of(backtest) == key_of(meant)


def test_a_day_that_is_over_now_makes_another_key():
    backtest = replace(backtest_of(Rsi(), Execution()), interval=Interval.DAY_1, window=Window(0, 86_400))
    running, over, later = (
        ResultKeys(backtest).key(CryptoData("BTCUSDT", "whole", 0, last_s, "part"), "fingerprint")
        for last_s in (22 * 3_600, 23 * 3_600, 40 * 3_600)
    )
    assert running != over == later


def test_the_candles_of_another_crypto_that_rules_look_at_make_another_key():
    backtest = backtest_of(CustomRules(On(ABOVE, OtherCandles("BTCUSDT"))), Execution())
    crypto = CryptoData("ETHUSDT", "whole", 0, 0, "part")
    keys = [ResultKeys(backtest, [CryptoData("BTCUSDT", "all", 0, 0, seen)]) for seen in ("one", "two")]
    listed, corrected = (each.key(crypto, "part") for each in keys)
    assert listed != corrected
    # A result says which data it was computed from: what was listed, or what was imported since.
    assert keys[0].key_of_result(crypto, "whole", {"BTCUSDT": "all"}) == listed
    newer = keys[0].key_of_result(crypto, "whole", {"BTCUSDT": "newer"})
    assert newer not in (listed, corrected)
    seen_as = ResultKeys(backtest, [CryptoData("BTCUSDT", "newer", 0, 0, "newer")])
    assert newer == seen_as.key(crypto, "part")


def test_a_day_of_another_crypto_that_is_over_now_makes_another_key():
    strategy = CustomRules(On(ABOVE, OtherCandles("BTCUSDT")))
    backtest = replace(backtest_of(strategy, Execution()), interval=Interval.DAY_1, window=Window(0, 86_400))
    crypto = CryptoData("ETHUSDT", "whole", 0, 23 * 3_600, "part")
    running, over, later = (
        ResultKeys(backtest, [CryptoData("BTCUSDT", "all", 0, last_s, "seen")]).key(crypto, "part")
        for last_s in (22 * 3_600, 23 * 3_600, 40 * 3_600)
    )
    assert running != over == later
