"""Counts with their nouns, in sentences."""


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: "1 crypto", "1,200 cryptos", "2 histories"."""
    if count != 1:
        noun = f"{noun.removesuffix('y')}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count:,} {noun}"
