"""Pages of lists: their sizes, and the tokens that lead from one page to the next."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from google.protobuf.message import Message

from backcast_engine.errors import InvalidInput, Violations

# Ten times as many cryptos as any exchange lists.
MAX_SYMBOLS = 10_000
_DEFAULT_PAGE = 1_000
_DIGEST_BYTES = 8
_POSITION = r"[^\0]+"

_T = TypeVar("_T")


def page_size(requested: int) -> int:
    """Return the most items of a page, from the request's `page_size` (0: not given)."""
    if requested < 0:
        raise InvalidInput.of("page_size", f"must not be negative, as {requested} is")
    return min(requested, MAX_SYMBOLS) or _DEFAULT_PAGE


def token_after(request: Message, position: str) -> str:
    """Return the token of the page that follows the item at `position` in the list that `request` asks for.

    It holds the position, and a digest of the request: a token of another list is refused.
    """
    raw = _digest(request) + position.encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def position_of(request: Message, form: str = _POSITION) -> str:
    """Return the position that the request's `page_token` holds; empty where it asks for the first page.

    Raises InvalidInput where the token is none, or of a request with other fields, or where its position does
    not match the regular expression `form`.
    """
    token: str = request.page_token  # type: ignore[attr-defined]  # of a list
    if not token:
        return ""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        position = raw[_DIGEST_BYTES:].decode()
    except (binascii.Error, ValueError):
        raise _no_token() from None
    is_own = token_after(request, position) == token
    if not is_own or not re.fullmatch(form, position):
        raise _no_token()
    return position


def requested_page(request: Message, form: str = _POSITION) -> tuple[int, str]:
    """Return the most items of the page that is asked for, and the position after which they are.

    Raises InvalidInput, naming each bad field; see `page_size` and `position_of`.
    """
    violations = Violations()
    size = violations.read(_DEFAULT_PAGE, page_size, request.page_size)  # type: ignore[attr-defined]  # of a list
    after = violations.read("", position_of, request, form)
    violations.raise_if_any()
    return size, after


def page_of(items: Iterable[_T], request: Message, key: Callable[[_T], str]) -> tuple[list[_T], str]:
    """Return one page of a list that is in memory, and the token of the next page, empty on the last.

    Items are ordered by `key`, which no two of them have in common. Raises InvalidInput for a bad page.
    """
    size, after = requested_page(request)
    left = sorted((item for item in items if key(item) > after), key=key)
    page = left[:size]
    return page, token_after(request, key(page[-1])) if len(left) > size else ""


def _digest(request: Message) -> bytes:
    """Return a digest that identifies the list that a request asks for, whatever the page."""
    of_list = type(request)()
    of_list.CopyFrom(request)
    of_list.ClearField("page_size")
    of_list.ClearField("page_token")
    named = of_list.DESCRIPTOR.full_name.encode() + b"\0" + of_list.SerializeToString(deterministic=True)
    return hashlib.sha256(named).digest()[:_DIGEST_BYTES]


def _no_token() -> InvalidInput:
    return InvalidInput.of("page_token", "is not the next_page_token of a page of this list")
