"""Suggestions for mistyped names: of cryptos, indicators, parameters, options and metrics.

Apart from what has these names, so that engine, gateway and command suggest alike.
"""

import difflib
from collections.abc import Collection

_MOST = 3
# Stricter for symbols, because all cryptos that are quoted in one currency end alike.
_LIKENESS_OF_SYMBOLS = 0.8


def did_you_mean(name: str, known: Collection[str], otherwise: str = "", *, likeness: float = 0.6) -> str:
    """Return "did you mean …?", or `otherwise` if no known name is similar.

    Similar names begin with `name`; if there are none, they have at least the `likeness`, from 0 to 1
    (difflib.SequenceMatcher's ratio).
    """
    near = [one for one in known if name and one.startswith(name)][:_MOST]
    near = near or difflib.get_close_matches(name, known, _MOST, likeness)
    return f"did you mean {' or '.join(near)}?" if near else otherwise


def no_such_crypto(symbol: str, known: Collection[str]) -> str:
    """Return the message that there is no such crypto, with similar known symbols."""
    hint = did_you_mean(symbol, known, likeness=_LIKENESS_OF_SYMBOLS)
    return f"there is no crypto {symbol!r}{hint and f': {hint}'}"
