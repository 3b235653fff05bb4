"""The base class of strategies."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from backcast_engine.errors import Violation
from backcast_engine.interval import Interval
from backcast_engine.parameters import Parameter, parameters_of, range_violations
from backcast_engine.rules import Evaluation, Expression, On, OtherCandles, Rules
from backcast_engine.rules.check import columns_of_expression, interval_violations, lookback, warmup
from backcast_engine.rules.nodes import on_other_candles


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of a strategy at each close: bool columns of shape (n,).

    `buy` opens a long position or closes a short one, `sell` the other way round; the execution's direction
    decides which positions are allowed.
    """

    buy: NDArray[np.bool_]
    sell: NDArray[np.bool_]


@dataclass(frozen=True)
class Strategy(ABC):
    """A trading strategy, defined by its rules; its dataclass fields are its parameters."""

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def rules(self) -> Rules:
        """Return the conditions for buying and selling, for valid parameters."""

    def violations(self) -> list[Violation]:
        """Return a violation for each parameter that is out of range, or in conflict with another."""
        prefix = f"strategy.{self.name}"
        return range_violations(self, prefix) or self.conflicts(prefix)

    def conflicts(self, prefix: str) -> list[Violation]:
        """Return violations between parameters that are each within their range."""
        return []

    def located_other_candles(self) -> Iterator[tuple[str, OtherCandles]]:
        """Yield the other candles that valid rules look at, and the path of each part that does."""
        return iter(())

    def interval_violations(self, interval: Interval) -> list[Violation]:
        """Return a violation for each part of valid rules that looks at candles no longer than `interval`."""
        return interval_violations(self.located_other_candles(), interval)

    def swept_parameters(self) -> list[Parameter]:
        """Return the parameters that can have several values in a sweep."""
        return parameters_of(type(self))

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """Return the same strategy with other values of some parameters, by their names."""
        return replace(self, **values)

    @cached_property
    def _conditions(self) -> tuple[Expression, ...]:
        return self.rules().conditions()

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns of the candles that the signals read; others may be empty."""
        return frozenset().union(*map(columns_of_expression, self._conditions))

    @cached_property
    def on_other_candles(self) -> tuple[On, ...]:
        """The parts of the conditions that are evaluated on other candles than the run's, each once."""
        return tuple(dict.fromkeys(node for one in self._conditions for node in on_other_candles(one)))

    @cached_property
    def other_symbols(self) -> tuple[str, ...]:
        """The other cryptos that the conditions look at, each once."""
        symbols = (node.candles.symbol for node in self.on_other_candles)
        return tuple(dict.fromkeys(filter(None, symbols)))

    @cached_property
    def lookback_candles(self) -> int:
        """The number of candles before the first one that can have a signal of every kind."""
        return max(map(lookback, self._conditions))

    @cached_property
    def warmup_candles(self) -> int:
        """The number of warm-up candles that the indicators need before the window."""
        return max(map(warmup, self._conditions))

    def signals(self, evaluation: Evaluation) -> Signals:
        """Return the signals over the candles of `evaluation`; those at t depend on candles up to t only."""
        buy, *exits = map(evaluation.condition, self._conditions)
        return Signals(buy, exits[0] if exits else np.zeros(len(buy), np.bool_))
