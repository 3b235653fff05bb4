"""Rules of the user's own."""

from dataclasses import dataclass
from typing import ClassVar

from services.domain.errors import Violation
from services.engine.rules import Expression, Rules
from services.engine.rules.check import rules_violations
from services.engine.strategies.base import Strategy


@dataclass(frozen=True)
class CustomRules(Strategy):
    """Buy where `entry` holds, sell where `exit` does; without it no signal ever sells."""

    name: ClassVar[str] = "rules"
    summary: ClassVar[str] = "Buys where a condition of your own holds, sells where another one does."

    entry: Expression
    exit: Expression | None = None

    def violations(self) -> list[Violation]:
        """Return a violation for each part of the expressions that cannot be."""
        return rules_violations(self.rules(), f"strategy.{self.name}")

    def rules(self) -> Rules:
        """Return them."""
        return Rules(self.entry, self.exit)
