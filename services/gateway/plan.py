"""A run as it was asked for, and as it will be done: defaults filled in, everything checked."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto

from services.compute.engine import Detail, Execution, Strategy, Window
from services.compute.engine.curves import FEWEST_POINTS
from services.shared.clock import utc
from services.shared.errors import InvalidInput, Refused, Violation
from services.shared.interval import Interval
from services.shared.near_names import did_you_mean

_DEFAULT_WINDOW_S = 365 * 86_400
# Enough to be sure which symbols are wrong, few enough to read.
_VIOLATIONS_SHOWN = 10
# All that is quoted in one currency ends alike.
_LIKENESS = 0.8


class CacheMode(Enum):
    """Whether results may come from the cache."""

    DEFAULT = auto()
    BYPASS = auto()
    REFRESH = auto()
    ONLY = auto()


@dataclass(frozen=True, slots=True)
class CryptoData:
    """A crypto that has candles: the last one's opening time in Unix seconds, and the data's fingerprint."""

    symbol: str
    fingerprint: str
    last_candle_s: int

    @property
    def seen_fingerprint(self) -> str:
        """TODO."""
        return self.fingerprint

    def fingerprint_of_result(self, fingerprint: str) -> str:
        """TODO."""
        return fingerprint


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a client asked for.

    `symbols` maps each symbol to the request's field that named it; empty means all. A start or end
    (Unix seconds) that was left out is None.
    """

    symbols: dict[str, str]
    strategy: Strategy
    interval: Interval
    start_s: int | None
    end_s: int | None
    execution: Execution
    detail: Detail
    curve_points: int
    cache_mode: CacheMode


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """One backtest in every respect but the crypto."""

    strategy: Strategy
    interval: Interval
    window: Window
    execution: Execution
    detail: Detail
    curve_points: int


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run: one backtest on many cryptos."""

    cryptos: list[CryptoData]
    backtest: BacktestPlan
    cache_mode: CacheMode


def make_plan(request: RunRequest, known: list[CryptoData]) -> RunPlan:
    """Return the plan for `request`; `known` are the cryptos of its symbols, or all of them.

    Where some of its symbols do not exist, they have to be all: one of them may have been meant.

    Raises InvalidInput, naming the fields, for what cannot be done; Refused where there is no data at all.
    """
    if violations := _violations(request):
        raise InvalidInput(*violations)
    by_symbol = {crypto.symbol: crypto for crypto in known}
    unknown = [(field, symbol) for symbol, field in request.symbols.items() if symbol not in by_symbol]
    if unknown:
        raise InvalidInput(
            *(
                Violation(field, _no_such_crypto(symbol, by_symbol))
                for field, symbol in unknown[:_VIOLATIONS_SHOWN]
            )
        )
    if not known:
        raise Refused("there are no candles yet: import some first, or write the sample market")
    cryptos = [by_symbol[symbol] for symbol in request.symbols] or known
    window = _window(request, max(crypto.last_candle_s for crypto in cryptos))
    plan = BacktestPlan(
        strategy=request.strategy,
        interval=request.interval,
        window=window,
        execution=request.execution,
        detail=request.detail,
        # What nobody sees makes no difference: the same result is cached once.
        curve_points=request.curve_points if request.detail >= Detail.EQUITY else 0,
    )
    return RunPlan(cryptos, plan, request.cache_mode)


def _no_such_crypto(symbol: str, known: Collection[str]) -> str:
    hint = did_you_mean(symbol, known, likeness=_LIKENESS)
    return f"there is no crypto {symbol!r}{hint and f': {hint}'}"


def _violations(request: RunRequest) -> list[Violation]:
    violations = request.strategy.violations() + request.execution.violations()
    if request.curve_points and request.curve_points < FEWEST_POINTS:
        reason = f"must be 0 for all, or at least {FEWEST_POINTS}, not {request.curve_points}"
        violations.append(Violation("curve_points", reason))
    return violations


def _window(request: RunRequest, last_candle_s: int) -> Window:
    """Return the window asked for; by default the last 365 days up to the end of the last candle."""
    data_end_s = request.interval.opening(last_candle_s) + request.interval.seconds
    end_s = data_end_s if request.end_s is None else request.end_s
    start_s = end_s - _DEFAULT_WINDOW_S if request.start_s is None else request.start_s
    if start_s >= end_s:
        end = f"the end of the data, {utc(end_s)}" if request.end_s is None else "end_time"
        raise InvalidInput.of("start_time", f"must be before {end}")
    return Window(start_s, end_s)
