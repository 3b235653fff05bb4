"""Rules written by the user."""

from dataclasses import dataclass
from typing import ClassVar

from backcast_engine.errors import Violation
from backcast_engine.rules import Expression, Rules
from backcast_engine.rules.check import rules_violations
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

    def rules(self) -> Rules:
        """Return the two conditions."""
        return Rules(self.entry, self.exit)
