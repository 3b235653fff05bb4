"""Pages of one result: its parts, and the tokens that name them.

A token names the result by a hash of its content, and no gateway keeps it. Whichever gateway gets the request
of the next page has the same result from the cache, or has it computed once more: results are bit-identical.
"""

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass
from itertools import islice

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast_engine.errors import InvalidInput
from services.wire.result_parts import result_parts

_HASH_BYTES = 16
# The hash, and the number of the page.
_TOKEN = struct.Struct(f"!{_HASH_BYTES}sI")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page that is asked for: of which result (a hash; empty for the first page) and its number, from 0."""

    content_hash: bytes = b""
    number: int = 0

    def of(self, result: BacktestResult) -> tuple[BacktestResult, str]:
        """Return this page of a result, and the token of the next page, which is empty on the last page.

        Raises InvalidInput, naming the field, where it is a page of another result.
        """
        parts = result_parts(result)
        page, has_next = next(islice(parts, self.number, None), None), next(parts, None) is not None
        # The hash takes a while, and most results are one page.
        content_hash = _content_hash(result) if self.content_hash or has_next else b""
        if page is None or self.content_hash not in (b"", content_hash):
            reason = (
                "is of another result: the request differs from that of the first page, or candles changed"
            )
            raise InvalidInput.of("page_token", reason)
        return page, PageRequest(content_hash, self.number + 1).token() if has_next else ""

    def token(self) -> str:
        """Return the page as clients get it."""
        return base64.urlsafe_b64encode(_TOKEN.pack(self.content_hash, self.number)).decode()


def page_from(page_token: str) -> PageRequest:
    """Return the page that a token names, the first page where it is empty; raise InvalidInput for others."""
    if not page_token:
        return PageRequest()
    try:
        return PageRequest(*_TOKEN.unpack(base64.b64decode(page_token, altchars=b"-_", validate=True)))
    except (binascii.Error, struct.error, ValueError):
        raise InvalidInput.of("page_token", "is not the next_page_token of a page") from None


def _content_hash(result: BacktestResult) -> bytes:
    """Return a hash of the content of a result, whether it was cached or computed."""
    content = BacktestResult()
    content.CopyFrom(result)
    # Candles after the window change the fingerprint, and not the result.
    content.ClearField("data_fingerprint")
    content.ClearField("from_cache")
    return hashlib.blake2b(content.SerializeToString(deterministic=True), digest_size=_HASH_BYTES).digest()
