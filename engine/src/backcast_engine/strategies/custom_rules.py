"""Rules written by the user."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from backcast_engine.errors import Violation
from backcast_engine.parameters import Parameter, Range
from backcast_engine.rules import Expression, OtherCandles, Rules
from backcast_engine.rules.check import MAX_NUMBER, located_other_candles, rules_violations
from backcast_engine.rules.placeholders import filled, labels_of
from backcast_engine.strategies.base import Strategy

_ANY_NUMBER = Range(-MAX_NUMBER, MAX_NUMBER, "A placeholder of the rules.")


@dataclass(frozen=True)
class CustomRules(Strategy):
    """Buys where `entry` is true, sells where `exit` is; without `exit`, no signal ever sells.

    In a sweep, they can have placeholders, whose values each combination fills in.
    """

    name: ClassVar[str] = "rules"
    summary: ClassVar[str] = "Buys where a condition of yours is true, sells where another one is."

    entry: Expression
    exit: Expression | None = None

    def violations(self) -> list[Violation]:
        """Return a violation for each invalid part of the expressions."""
        return rules_violations(self.rules(), f"strategy.{self.name}")

    def located_other_candles(self) -> Iterator[tuple[str, OtherCandles]]:
        """Yield the other candles that the conditions look at, and the path of each part that does."""
        yield from located_other_candles(self.entry, f"strategy.{self.name}.entry")
        if self.exit is not None:
            yield from located_other_candles(self.exit, f"strategy.{self.name}.exit")

    def rules(self) -> Rules:
        """Return the two conditions."""
        return Rules(self.entry, self.exit)

    def swept_parameters(self) -> list[Parameter]:
        """Return the placeholders, in order of the alphabet."""
        return [Parameter(label, float, 0.0, _ANY_NUMBER) for label in labels_of(self.rules())]

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """Return the rules with numbers for all of their placeholders, which have a value each."""
        rules = filled(self.rules(), values)
        return type(self)(rules.entry, rules.exit)
