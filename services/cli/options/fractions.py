"""Fractions on the command line: `0.1%`, `10bps` or `0.001`."""

import re
from dataclasses import dataclass
from decimal import Decimal

_WRITTEN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?)\s*(%|bps?)?", re.ASCII | re.IGNORECASE)
_UNITS = {"%": Decimal("0.01"), "bps": Decimal("0.0001"), "bp": Decimal("0.0001"), None: Decimal(1)}


@dataclass(frozen=True, slots=True)
class Fraction:
    """A fraction, and whether it was written with a unit."""

    value: Decimal
    has_unit: bool

    @property
    def percent(self) -> str:
        """The fraction in percent, without a unit."""
        return f"{float(100 * self.value):.15g}"


def parse_fraction(text: str) -> Fraction:
    """Parse a fraction; raise ValueError, with the reason, if the text is not one."""
    written = _WRITTEN.fullmatch(text.strip())
    if written is None:
        comma = ", with a point and no comma" if "," in text else ""
        raise ValueError(f"{text!r} is not a fraction like 0.1%, 10bps or 0.001{comma}")
    number, unit = written.groups()
    return Fraction(Decimal(number) * _UNITS[unit.lower() if unit else None], unit is not None)


def fraction(text: str) -> float:
    """Return the value of a fraction like `5%`, `500bps` or `0.05`; raise ValueError if it is not one."""
    return float(parse_fraction(text).value)
