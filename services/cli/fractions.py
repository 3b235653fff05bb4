"""Fractions as they are typed."""


def fraction(text: str) -> float:
    """Return the number that `5%` or `0.05` is; raise ValueError where it is none."""
    written = text.strip()
    return float(written.removesuffix("%")) / 100 if written.endswith("%") else float(written)
