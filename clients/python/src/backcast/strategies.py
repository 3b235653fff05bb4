"""Trading strategies, as dataclasses; the server checks the ranges of their parameters.

The defaults are those of the server: a test of the server compares them.
"""

from dataclasses import dataclass, fields
from typing import ClassVar, Literal

from backcast.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Strategy:
    """Base of all strategies."""

    name: ClassVar[str]
    """The name of the strategy in the API: the name of its field in the message Strategy."""

    @property
    def parameters(self) -> dict[str, int | float | str]:
        """The values of the parameters, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Rsi(Strategy):
    """Relative strength index: buys below `oversold`, sells above `overbought`."""

    name: ClassVar[str] = "rsi"
    period: int = 14
    oversold: float = 30.0
    overbought: float = 70.0


@dataclass(frozen=True, slots=True)
class MaCross(Strategy):
    """Crossing moving averages: long while the fast average is above the slow one."""

    name: ClassVar[str] = "ma_cross"
    fast: int = 20
    slow: int = 50
    kind: Literal["SMA", "EMA"] = "SMA"


@dataclass(frozen=True, slots=True)
class Bollinger(Strategy):
    """Bollinger bands: buys below the lower band, sells above the exit band."""

    name: ClassVar[str] = "bollinger"
    period: int = 20
    width: float = 2.0
    exit_band: Literal["UPPER", "MIDDLE"] = "UPPER"


@dataclass(frozen=True, slots=True)
class BuyAndHold(Strategy):
    """Buys once and holds."""

    name: ClassVar[str] = "buy_and_hold"


@dataclass(frozen=True, slots=True)
class Macd(Strategy):
    """Moving average convergence/divergence: long while the MACD is above its signal."""

    name: ClassVar[str] = "macd"
    fast: int = 12
    slow: int = 26
    signal: int = 9


@dataclass(frozen=True, slots=True)
class Stochastic(Strategy):
    """Slow stochastic: buys where %K crosses above %D while oversold, sells where it crosses below."""

    name: ClassVar[str] = "stochastic"
    period: int = 14
    smoothing: int = 3
    signal: int = 3
    oversold: float = 20.0
    overbought: float = 80.0


@dataclass(frozen=True, slots=True)
class Donchian(Strategy):
    """Donchian breakout: buys new highs of `entry` candles, sells new lows of `exit` candles."""

    name: ClassVar[str] = "donchian"
    entry: int = 20
    exit: int = 10


@dataclass(frozen=True, slots=True)
class RocMomentum(Strategy):
    """Momentum: buys above a rate of change, sells below another; both in percent."""

    name: ClassVar[str] = "roc_momentum"
    period: int = 20
    buy_above: float = 0.0
    sell_below: float = 0.0


@dataclass(frozen=True, slots=True)
class Supertrend(Strategy):
    """Supertrend: long while the close is above the line."""

    name: ClassVar[str] = "supertrend"
    period: int = 10
    multiple: float = 3.0


@dataclass(frozen=True, slots=True)
class Keltner(Strategy):
    """Keltner breakout: buys above the upper channel, sells below the average in the middle."""

    name: ClassVar[str] = "keltner"
    period: int = 20
    atr_period: int = 10
    multiple: float = 2.0


@dataclass(frozen=True, slots=True)
class RsiTrend(Strategy):
    """RSI with a trend filter: buys oversold above the trend's average, sells overbought."""

    name: ClassVar[str] = "rsi_trend"
    period: int = 14
    oversold: float = 30.0
    overbought: float = 70.0
    trend: int = 200


@dataclass(frozen=True, slots=True)
class Rules(Strategy):
    """Rules as text: buys where `entry` holds, sells where `exit` holds; without `exit`, no signal sells."""

    name: ClassVar[str] = "rules"
    entry: str
    exit: str = ""


def rules(entry: object, exit: object = "") -> Rules:
    """Return the strategy that buys where `entry` holds and sells where `exit` holds.

    Both are text like `rsi(14) < 30 and close > sma(200)`, which the server parses, or conditions that
    `backcast.engine` writes with Python's operators.
    """
    return Rules(str(entry), str(exit))


def check_strategy(strategy: object) -> None:
    """Raise InvalidRequestError where something is no strategy."""
    if not isinstance(strategy, Strategy) or type(strategy) is Strategy:
        raise InvalidRequestError.of("strategy", f"{strategy!r} is no strategy, as backcast.Rsi(period=7) is")
