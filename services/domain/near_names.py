"""What somebody may have meant who mistyped a name."""

import difflib
from collections.abc import Collection

_MOST = 3
# All cryptos that are priced in one currency end alike.
_LIKENESS_OF_SYMBOLS = 0.8


def did_you_mean(name: str, known: Collection[str], otherwise: str = "", *, likeness: float = 0.6) -> str:
    """Return "did you mean …?", or `otherwise` where no name is near.

    Near are those that begin with `name`, or else those that are at least as like it as `likeness`, from 0 to
    1, says (difflib.SequenceMatcher's ratio).
    """
    near = [one for one in known if name and one.startswith(name)][:_MOST]
    near = near or difflib.get_close_matches(name, known, _MOST, likeness)
    return f"did you mean {' or '.join(near)}?" if near else otherwise


def no_such_crypto(symbol: str, known: Collection[str]) -> str:
    """Return that there is no crypto of a symbol, and which of the known ones may have been meant."""
    hint = did_you_mean(symbol, known, likeness=_LIKENESS_OF_SYMBOLS)
    return f"there is no crypto {symbol!r}{hint and f': {hint}'}"
