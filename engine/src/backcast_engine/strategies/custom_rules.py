"""Rules written by the user."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from backcast_engine.errors import Violation
from backcast_engine.rules import Expression, OtherCandles, Rules
from backcast_engine.rules.check import located_other_candles, rules_violations
from backcast_engine.strategies.base import Strategy


@dataclass(frozen=True)
class CustomRules(Strategy):
    """Buys where `entry` is true, sells where `exit` is; without `exit`, no signal ever sells."""

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
