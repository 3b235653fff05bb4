"""A backtest by `backcast.engine` is that of the services, bit by bit."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import backcast
from backcast.engine import LocalResult, backtest
from backcast.strategies import Strategy
from backcast_engine.candles import Candles
from tests.candle_making import import_candles, random_candles
from tests.clients.python.test_strategies import CLIENT_STRATEGIES
from tests.engine_results import message_of

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

RELISTED = "FACADEUSDT"
STRATEGIES: list[Strategy] = [
    *(kind() for name, kind in CLIENT_STRATEGIES.items() if name != "rules"),
    backcast.rules("close > sma(50) and volume > sma(volume, 10)", "crosses_below(rsi(14), 50)"),
]
OPTIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no costs": {"fee": 0},
    "costs": {"fee": "3%", "slippage": "5bps", "initial_capital": 250},
    "the same close": {"fill": "same-close"},
    "both sides": {"direction": "long-short", "borrow_rate": "10%", "funding_rate": "5%"},
    "stops": {"stop_loss": "2atr", "take_profit": "8%", "trailing_stop": 0.05, "atr_period": 7},
    "an amount, short": {"size_amount": 1_000, "direction": "short"},
    "a volatility": {"size_volatility": "40%", "volatility_period": 20},
    "a fraction": {"size_fraction": "30%", "fill": "same-close", "stop_loss": "3%"},
    "split": {"breaks": "split"},
    "ignored breaks": {"breaks": "ignore"},
}
WINDOW: Any = {"start": "2024-01-20", "end": "2024-04-01"}


@pytest.fixture(scope="module")
async def frames(
    client_of_the_module: backcast.Client,
    data_service: "MarketDataServiceAsyncStub",
    cryptos: dict[str, Candles],
) -> dict[str, Any]:
    """The candles of two cryptos, as the client reads them; one of them was relisted in the window."""
    before = random_candles(31, 900)
    after = random_candles(32, 1_300, int(before.open_time_s[-1]) + 80 * 3_600)
    risen = Candles(
        after.open_time_s, after.open * 40, after.high * 40, after.low * 40, after.close * 40, after.volume
    )
    relisted = Candles.concatenate([before, risen])
    await import_candles(data_service, RELISTED, relisted)
    return {symbol: client_of_the_module.candles(symbol) for symbol in ("CLIENT0USDT", RELISTED)}


def same(result: backcast.Result, local: LocalResult) -> bool:
    ours = message_of(
        result.symbol, result.data_fingerprint, local.engine_result, from_cache=result.from_cache
    )
    return ours.SerializeToString(deterministic=True) == result.message.SerializeToString(deterministic=True)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_strategy_has_the_result_of_the_services(
    name: str, client_of_the_module: backcast.Client, frames: dict[str, Any]
) -> None:
    options = WINDOW | OPTIONS[name]
    trades = 0
    for strategy in STRATEGIES:
        run = client_of_the_module.run(strategy, symbols=[*frames], detail="equity", **options).wait()
        for symbol, frame in frames.items():
            local = backtest(frame, strategy, **options)
            assert same(run[symbol], local), (strategy, symbol)
            trades += len(local.engine_result.trades)
    assert trades > 50


def test_the_relisting_is_a_break_of_both(
    client_of_the_module: backcast.Client, frames: dict[str, Any]
) -> None:
    local = backtest(frames[RELISTED], backcast.BuyAndHold(), breaks="split", **WINDOW)
    assert len(local.engine_result.breaks) == 1
    assert len(local.engine_result.parts) == 2


@pytest.mark.parametrize("interval", ["4h", "1d", "1w"])
def test_longer_candles_have_the_result_of_the_services(
    interval: Any, client_of_the_module: backcast.Client, frames: dict[str, Any]
) -> None:
    strategy = backcast.rules("close > sma(3)", "close < sma(3)")
    window: Any = {"start": "2024-01-29", "end": "2024-04-01"}
    frame = client_of_the_module.candles("CLIENT0USDT", interval)
    run = client_of_the_module.run(
        strategy, symbols="CLIENT0USDT", interval=interval, detail="equity", **window
    )
    local = backtest(frame, strategy, **window)
    assert local.interval == interval
    assert same(run["CLIENT0USDT"], local)


def test_frames_of_trades_and_equity_have_the_columns_of_a_run(
    client_of_the_module: backcast.Client, frames: dict[str, Any]
) -> None:
    strategy = backcast.Rsi(period=7)
    result = client_of_the_module.run(strategy, symbols=RELISTED, detail="equity", **WINDOW)[RELISTED]
    local = backtest(frames[RELISTED], strategy, symbol=RELISTED, **WINDOW)
    for ours, theirs in ((local.trades_frame(), result.trades()), (local.equity_frame(), result.equity())):
        assert [*ours] == [*theirs]
        for name, column in theirs.items():
            assert ours[name].dtype == column.dtype
            assert ours[name].tobytes() == column.tobytes()
    assert len(result.trades()["profit"]) > 3
    assert np.isnan(result.trades()["exit_price"]).sum() <= 1


def test_rules_on_other_candles_have_the_result_of_the_services(
    client_of_the_module: backcast.Client, frames: dict[str, Any]
) -> None:
    strategy = backcast.rules(
        "close > sma(3)@1d and rsi(5)@CLIENT0USDT@4h < 60", f"close@{RELISTED} < ema(9)@{RELISTED}"
    )
    run = client_of_the_module.run(strategy, symbols=[*frames], detail="equity", **WINDOW).wait()
    for symbol, frame in frames.items():
        local = backtest(frame, strategy, others=frames, **WINDOW)
        assert same(run[symbol], local), symbol
        assert len(local.engine_result.trades) > 5
