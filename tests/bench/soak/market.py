"""The market of the soak, and the check that a result is right."""

from collections.abc import Callable

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast_engine import Backtest, Detail, Execution, Window, run_backtest
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from tests.candle_making import START_S
from tests.changing_crypto import ChangingCrypto
from tests.engine_results import message_of

HOURS = 1_000
# Runs under way may have seen older states.
_KEPT_STATES = 20
# Some candles are after the window: changes of these leave results as they are.
WINDOW = Window(START_S, START_S + 3600 * (HOURS - 100))


def forget_old_states(crypto: ChangingCrypto) -> None:
    """Forget the states that no run sees any more."""
    del crypto.states[:-_KEPT_STATES], crypto.fingerprints[:-_KEPT_STATES]


def checker(cryptos: list[ChangingCrypto]) -> Callable[[BacktestResult, float, Detail], bool]:
    """Return a function that checks whether a result of RSI is the engine's for the state that it names."""
    by_symbol = {crypto.symbol: crypto for crypto in cryptos}
    expected: dict[tuple[str, str, float, Detail], bytes] = {}

    def is_right(result: BacktestResult, oversold: float, detail: Detail) -> bool:
        key = result.symbol, result.data_fingerprint, oversold, detail
        if key not in expected:
            crypto = by_symbol[result.symbol]
            candles = crypto.states[crypto.fingerprints.index(result.data_fingerprint)]
            backtest = Backtest(Rsi(oversold=oversold), Interval.HOUR_1, WINDOW, Execution(), detail)
            message = message_of(
                result.symbol, result.data_fingerprint, run_backtest(History(candles), backtest)
            )
            expected[key] = message.SerializeToString(deterministic=True)
        found = BacktestResult()
        found.CopyFrom(result)
        found.from_cache = False
        return found.SerializeToString(deterministic=True) == expected[key]

    return is_right
