"""What all sides must agree on before their times mean anything."""

import math
from dataclasses import astuple, dataclass, fields


@dataclass(frozen=True, slots=True)
class Figures:
    """Some figures of one backtest; None where a side does not have one, or defines it in another way."""

    trades: float | None
    total_return: float | None
    sharpe_ratio: float | None
    max_drawdown: float | None

    def names(self) -> list[str]:
        """Return the names of the figures that there are."""
        return [
            field.name.replace("_", " ") for field in fields(self) if getattr(self, field.name) is not None
        ]


def difference(ours: Figures, theirs: Figures) -> float:
    """Return the greatest difference of the figures that `theirs` has, relative where a figure is above 1."""
    pairs = zip(astuple(ours), astuple(theirs), strict=True)
    return max(_apart(one, other) for one, other in pairs if other is not None)


def _apart(ours: float | None, theirs: float) -> float:
    """Return how far apart two figures are; what is undefined is None to us, and NaN to others."""
    if ours is None or math.isnan(theirs):
        return 0.0 if ours is None and math.isnan(theirs) else math.inf
    return abs(ours - theirs) / max(1.0, abs(ours))
