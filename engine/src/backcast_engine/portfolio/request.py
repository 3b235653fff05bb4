"""What a portfolio is asked to be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from backcast_engine.backtest import Backtest
from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import Violation
from backcast_engine.execution import Execution
from backcast_engine.interval import Interval
from backcast_engine.needs import columns_of
from backcast_engine.results import Detail, Window
from backcast_engine.rules import Expression, OtherCandles
from backcast_engine.rules.check import (
    columns_of_expression,
    interval_violations,
    located_other_candles,
    series_violations,
)
from backcast_engine.rules.nodes import call
from backcast_engine.strategies import Strategy
from backcast_engine.strategies.custom_rules import CustomRules

USUAL_BENCHMARK = "BTCUSDT"
"""The benchmark of a portfolio that names none, where it is one of the cryptos."""

# Each is in the memory of every worker.
_MOST_OTHER_CRYPTOS = 32
# Sums of weights such as 0.1 are not exactly 1.
_ROUNDING = 1e-9


class PortfolioSize(IntEnum):
    """The size of a position: an equal share of the equity for each place, or the size of the execution."""

    EQUAL = 1
    EXECUTION = 2


@dataclass(frozen=True, slots=True)
class WeightedStrategy:
    """A strategy, and the share of the equity that it trades with."""

    strategy: Strategy
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Rebalancing:
    """Brings positions to their targets at every so many candles.

    A position is left alone that is not further from its target than `threshold` × target.
    """

    every: int
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A portfolio in every respect but the cryptos; docs/portfolios.md says what each of these means.

    Higher values of `rank`, a series, are entered first. Without a `benchmark`, it is USUAL_BENCHMARK where
    that is one of the cryptos. Curves have at most `curve_points` points (0: all, else at least
    curves.FEWEST_POINTS).
    """

    strategies: tuple[WeightedStrategy, ...]
    interval: Interval
    window: Window
    execution: Execution
    max_positions: int = 10
    rank: Expression | None = None
    size: PortfolioSize = PortfolioSize.EQUAL
    rebalancing: Rebalancing | None = None
    benchmark: str | None = None
    detail: Detail = Detail.METRICS
    curve_points: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of candles that it reads besides the time, in the candles' order."""
        read = set().union(
            *(columns_of(each.strategy, self.execution, self.detail) for each in self.strategies)
        )
        if self.rank is not None:
            read |= columns_of_expression(self.rank)
        return tuple(name for name in VALUE_COLUMNS if name in read)

    @property
    def other_symbols(self) -> tuple[str, ...]:
        """The other cryptos that the strategies and the rank look at, each once."""
        symbols = (candles.symbol for _, candles in self.located_other_candles())
        return tuple(dict.fromkeys(filter(None, symbols)))

    def located_other_candles(self) -> Iterator[tuple[str, OtherCandles]]:
        """Yield the other candles that valid strategies and a valid rank look at, and each part's path."""
        for index, each in enumerate(self.strategies):
            for path, candles in each.strategy.located_other_candles():
                yield f"strategies[{index}].{path}", candles
        if self.rank is not None:
            yield from located_other_candles(self.rank, "rank")

    @property
    def since_s(self) -> int:
        """From when on it needs candles (Unix seconds), as Backtest.since_s."""
        warmed_up = [each.strategy for each in self.strategies]
        if self.rank is not None:
            # Rules that read the rank have its warm-up.
            warmed_up.append(CustomRules(call("greater", self.rank, 0)))
        return min(
            Backtest(strategy, self.interval, self.window, self.execution).since_s for strategy in warmed_up
        )

    def violations(self, symbols: Sequence[str] | None = None) -> list[Violation]:
        """Return a violation for each field that is out of range, or does not fit to the cryptos.

        Without `symbols`, the cryptos are not known yet.
        """
        found = self.execution.violations()
        for index, each in enumerate(self.strategies):
            found += [
                Violation(f"strategies[{index}].{fault.field}", fault.reason)
                for fault in each.strategy.violations() or each.strategy.interval_violations(self.interval)
            ]
            if not each.weight > 0:
                found.append(
                    Violation(f"strategies[{index}].weight", f"must be above 0, not {each.weight:g}")
                )
        total = sum(each.weight for each in self.strategies)
        if not self.strategies:
            found.append(Violation("strategies", "needs at least one strategy"))
        elif not abs(total - 1) <= _ROUNDING:
            found.append(Violation("strategies", f"their weights must add up to 1, not {total:g}"))
        found += [] if self.rank is None else self._rank_violations(self.rank)
        if (others := len(self.other_symbols)) > _MOST_OTHER_CRYPTOS:
            most = f"at most {_MOST_OTHER_CRYPTOS} are allowed"
            reason = f"with the rank, they look at {others} other cryptos, {most}"
            found.append(Violation("strategies", reason))
        return found + self._place_violations(symbols) + self._rebalancing_violations()

    def _rank_violations(self, rank: Expression) -> list[Violation]:
        found = series_violations(rank, "rank")
        return found or interval_violations(located_other_candles(rank, "rank"), self.interval)

    def _place_violations(self, symbols: Sequence[str] | None) -> list[Violation]:
        found: list[Violation] = []
        if symbols is None:
            if self.max_positions < 1:
                found.append(Violation("max_positions", f"must be at least 1, not {self.max_positions}"))
            return found
        if len(set(symbols)) < len(symbols):
            twice = next(symbol for symbol in symbols if list(symbols).count(symbol) > 1)
            found.append(Violation("symbols", f"{twice} is there twice"))
        if not 1 <= self.max_positions <= len(symbols):
            fault = f"must be from 1 to {len(symbols)}, the number of cryptos, not {self.max_positions}"
            found.append(Violation("max_positions", fault))
        if self.benchmark is not None and self.benchmark not in symbols:
            found.append(Violation("benchmark", f"{self.benchmark} is not one of the cryptos"))
        return found

    def _rebalancing_violations(self) -> list[Violation]:
        if self.rebalancing is None:
            return []
        found, every, threshold = [], self.rebalancing.every, self.rebalancing.threshold
        if every < 1:
            found.append(Violation("rebalancing.every", f"must be at least 1, not {every}"))
        if not 0 <= threshold <= 1:
            found.append(Violation("rebalancing.threshold", f"must be from 0 to 1, not {threshold:g}"))
        return found + self.rebalancing_conflicts()

    def rebalancing_conflicts(self) -> list[Violation]:
        """Return a violation where positions are to be rebalanced, and their size is no target."""
        has_target = self.size is PortfolioSize.EQUAL or self.execution.quote_amount is None
        if self.rebalancing is None or has_target:
            return []
        return [Violation("rebalancing", "needs a target, and execution.quote_amount is none")]
