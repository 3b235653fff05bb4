"""A run as requested, and as planned: defaults filled in, everything checked."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from backcast_engine import Backtest, Detail, Execution, Strategy, Window
from backcast_engine.curves import FEWEST_POINTS
from backcast_engine.errors import ErrorReason, InvalidInput, Refused, Violation, Violations
from backcast_engine.interval import Interval
from backcast_engine.near_names import no_such_crypto
from backcast_engine.rules import OtherCandles
from backcast_engine.times import LATEST_S, utc
from services.gateway.planning.crypto_data import CryptoData

DEFAULT_WINDOW_S = 365 * 86_400
# A later end is worth this much overlap: else one crypto that was delisted would move everybody's window to
# the year before, where it has candles too.
_WELL_ENOUGH = 0.9

# Enough to show which symbols are wrong, few enough to read.
_VIOLATIONS_SHOWN = 10


class CacheMode(Enum):
    """Whether results may come from the cache."""

    DEFAULT = auto()
    BYPASS = auto()
    REFRESH = auto()
    ONLY = auto()


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a client asked for.

    `symbols` and `exclude` map each symbol to the request's field that named it; no symbols means all. A
    start or end (Unix seconds) that was left out is None. `results_per_event` is the maximum number of
    results in one event. `also_seen` are other candles that are looked at beside those of the strategy, with
    the path of each part that does.
    """

    symbols: dict[str, str]
    exclude: dict[str, str]
    strategy: Strategy
    interval: Interval
    start_s: int | None
    end_s: int | None
    execution: Execution
    detail: Detail
    curve_points: int
    cache_mode: CacheMode
    results_per_event: int = 1
    also_seen: tuple[tuple[str, OtherCandles], ...] = ()

    @property
    def seen_before_s(self) -> int | None:
        """Before which opening time (Unix seconds) hourly candles are seen; None where all are.

        The last candle of the window may be a longer one: it holds hours after the window's end.
        """
        return None if self.end_s is None else min(self.interval.next_opening(self.end_s), LATEST_S)

    @property
    def listed_symbols(self) -> list[str]:
        """The cryptos that have to be known to plan it, and those that its rules look at; none means all."""
        return list(dict.fromkeys((*self.symbols, *self.other_symbols))) if self.symbols else []

    @property
    def other_symbols(self) -> list[str]:
        """The other cryptos that the rules look at, each once."""
        symbols = (candles.symbol for _, candles in self.located_other_candles())
        return list(dict.fromkeys(filter(None, symbols)))

    def located_other_candles(self) -> Iterator[tuple[str, OtherCandles]]:
        """Yield the other candles that valid rules look at, and the path of each part that does."""
        yield from self.strategy.located_other_candles()
        yield from self.also_seen

    def same_plan_s(self, now_s: int) -> range:
        """Return the seconds, `now_s` among them, at which it has the same plan, of the same cryptos."""
        if self.end_s is not None and self.end_s <= now_s:
            return range(self.end_s, LATEST_S)
        # The window ends with the last candle that is over, or where it is asked to, once that is the past.
        opening_s = self.interval.opening(now_s)
        over_s = opening_s + self.interval.seconds
        return range(opening_s, over_s if self.end_s is None else min(over_s, self.end_s))

    def violations(self) -> list[Violation]:
        """Return what is wrong with the request, whatever the data."""
        of_strategy = self.strategy.violations() or self.strategy.interval_violations(self.interval)
        return of_strategy + self.violations_beside_strategy()

    def violations_beside_strategy(self) -> list[Violation]:
        """Return what is wrong with the request, whatever the strategy and the data."""
        violations = self.execution.violations()
        if self.start_s is not None and self.end_s is not None and self.start_s >= self.end_s:
            violations.append(Violation("start_time", "must be before end_time"))
        if self.curve_points and self.curve_points < FEWEST_POINTS:
            reason = f"must be 0 for all, or at least {FEWEST_POINTS}, not {self.curve_points}"
            violations.append(Violation("curve_points", reason))
        return violations


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run: one backtest on many cryptos.

    `left_out` are cryptos of the request that have no candle in the window, in order of symbols.
    `with_later_candles` counts the cryptos of the request that have candles after the end of a default
    window. `others` are the cryptos that the rules look at beside the one that is traded.
    """

    cryptos: list[CryptoData]
    left_out: list[CryptoData]
    backtest: Backtest
    cache_mode: CacheMode
    with_later_candles: int = 0
    results_per_event: int = 1
    others: tuple[CryptoData, ...] = ()


def make_plan(request: RunRequest, known: list[CryptoData], now_s: int) -> RunPlan:
    """Return the plan for `request`; `known` are the cryptos of its `listed_symbols`, or all of them.

    If some of its symbols do not exist, `known` must be all cryptos: the error suggests similar ones. `now_s`
    is the present, in Unix seconds: no window ends after it.

    Raises InvalidInput, naming the fields, for what cannot be done; Refused where there is no data at all, or
    none in the window.
    """
    violations = Violations()
    violations.add(*request.violations(), *unknown_symbols(request, known))
    violations.raise_if_any()
    cryptos = _chosen(request, known)
    window = _window(request, cryptos, now_s)
    others = _others(request, known, window)
    with_later = 0
    if request.end_s is None:
        with_later = sum(one.over_until_s(request.interval) > window.end_s for one in cryptos)
    left_out: list[CryptoData] = []
    # If the request names both the cryptos and the window, a crypto without a candle in it fails.
    if not request.symbols or (request.start_s is None and request.end_s is None):
        left_out = [one for one in cryptos if not one.may_have_candles(window, request.interval)]
        if left_out:
            cryptos = [one for one in cryptos if one.may_have_candles(window, request.interval)]
    if not cryptos:
        start, end = utc(window.start_s), utc(window.end_s)
        candle = f"whole {request.interval.value} candle"
        raise Refused(
            f"none of the cryptos has a {candle} in the window from {start} to {end}",
            reason=ErrorReason.NO_CANDLES_IN_WINDOW,
        )
    backtest = Backtest(
        strategy=request.strategy,
        interval=request.interval,
        window=window,
        execution=request.execution,
        detail=request.detail,
        # What nobody sees makes no difference: the same result is cached once.
        curve_points=request.curve_points if request.detail >= Detail.EQUITY else 0,
    )
    left_out.sort(key=lambda crypto: crypto.symbol)
    return RunPlan(
        cryptos, left_out, backtest, request.cache_mode, with_later, request.results_per_event, others
    )


def unknown_symbols(request: RunRequest, known: list[CryptoData]) -> list[Violation]:
    """Return violations for the first of a request's symbols that do not exist."""
    by_symbol = {crypto.symbol: crypto for crypto in known}
    unknown = [
        Violation(field, no_such_crypto(symbol, by_symbol))
        for symbol, field in request.symbols.items()
        if symbol not in by_symbol
    ]
    possible = request.symbols or by_symbol
    unknown += [
        Violation(field, _not_to_exclude(symbol, possible, bool(request.symbols)))
        for symbol, field in request.exclude.items()
        if symbol not in possible
    ]
    unknown += [
        Violation(f"{field}.symbol", no_such_crypto(candles.symbol, by_symbol))
        for field, candles in request.located_other_candles()
        if by_symbol and candles.symbol and candles.symbol not in by_symbol
    ]
    return unknown[:_VIOLATIONS_SHOWN]


def _chosen(request: RunRequest, known: list[CryptoData]) -> list[CryptoData]:
    """Return the cryptos that a request is of, whether or not they have candles in its window."""
    if not known:
        raise Refused(
            "there are no candles yet: import some first, or write the sample market",
            reason=ErrorReason.NO_CANDLES,
        )
    by_symbol = {crypto.symbol: crypto for crypto in known}
    possible = request.symbols or by_symbol
    chosen = [by_symbol[symbol] for symbol in possible if symbol not in request.exclude]
    if not chosen:
        raise InvalidInput.of("exclude", "leaves no crypto: keep at least one")
    return chosen


def _others(request: RunRequest, known: list[CryptoData], window: Window) -> tuple[CryptoData, ...]:
    """Return the other cryptos that the rules look at.

    Raises InvalidInput, naming the part of the rules, where the window sees no candle of one.
    """
    by_symbol = {crypto.symbol: crypto for crypto in known}
    violations = Violations()
    for field, candles in request.located_other_candles():
        if not candles.symbol:
            continue
        crypto, interval = by_symbol[candles.symbol], candles.interval or request.interval
        # The window sees candles that have closed by its first close.
        seen = Window(window.start_s - 2 * interval.seconds, window.end_s)
        if not crypto.may_have_candles(seen, request.interval):
            first, last = utc(crypto.first_candle_s), utc(crypto.last_candle_s)
            reason = f"{crypto.symbol} has candles from {first} to {last}, none of which the window sees"
            violations.add(Violation(f"{field}.symbol", reason))
    violations.raise_if_any()
    return tuple(by_symbol[symbol] for symbol in request.other_symbols)


def _not_to_exclude(symbol: str, possible: Collection[str], named: bool) -> str:
    if not named:
        return no_such_crypto(symbol, possible)
    return f"{symbol} is not among the symbols that are asked for"


def _window(request: RunRequest, cryptos: list[CryptoData], now_s: int) -> Window:
    """Return the window asked for; by default the 365 days before its end, which is never in the future."""
    if request.end_s is None:
        end_s = default_end_s(cryptos, request.interval, request.start_s, now_s)
        end = f"the end of the data, {utc(end_s)}"
    elif request.end_s > now_s:
        end_s = request.interval.opening(now_s)
        end = f"the present, {utc(end_s)}"
    else:
        end_s, end = request.end_s, "end_time"
    start_s = end_s - DEFAULT_WINDOW_S if request.start_s is None else request.start_s
    if start_s >= end_s:
        raise InvalidInput.of("start_time", f"must be before {end}")
    return Window(start_s, end_s)


def default_end_s(cryptos: Sequence[CryptoData], interval: Interval, start_s: int | None, now_s: int) -> int:
    """Return the end (Unix seconds) of the window of `cryptos`, of which there is at least one.

    It is one of the ends of the cryptos' data, which are those of the last candles of length `interval` that
    are over, none after `now_s`. The overlap of an end is the sum over the cryptos of the share of the window
    that lies within their data; the window begins at `start_s`, or 365 days before its end. Of the ends with
    at least 90 % of the greatest overlap, it is the latest.
    """
    present_s = interval.opening(now_s)
    over_s = np.array([min(crypto.over_until_s(interval), present_s) for crypto in cryptos], np.int64)
    ends_s = np.unique(over_s)
    if start_s is not None:
        ends_s = ends_s[ends_s > start_s]
    if len(ends_s) < 2:
        return int(over_s.max())
    first_s = np.array([crypto.first_candle_s for crypto in cryptos], np.int64)
    overlaps = np.empty(len(ends_s))
    for index, end_s in enumerate(ends_s.tolist()):
        window_start_s = end_s - DEFAULT_WINDOW_S if start_s is None else start_s
        within_s = np.minimum(over_s, end_s) - np.maximum(first_s, window_start_s)
        overlaps[index] = np.maximum(within_s, 0).sum() / (end_s - window_start_s)
    return int(ends_s[overlaps >= _WELL_ENOUGH * overlaps.max()][-1])
