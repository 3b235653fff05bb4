"""Page sizes of lists."""

from services.domain.errors import InvalidInput

# Ten times as many cryptos as any exchange lists.
MAX_SYMBOLS = 10_000
_DEFAULT_PAGE = 1_000


def page_size(requested: int) -> int:
    """Return the most items of a page, from the request's `page_size` (0: not given)."""
    if requested < 0:
        raise InvalidInput.of("page_size", f"must not be negative, as {requested} is")
    return min(requested, MAX_SYMBOLS) or _DEFAULT_PAGE
