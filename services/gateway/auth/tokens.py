"""Tokens: each stands for a client with a name, rights and limits.

Only their hashes are stored. A token is 256 random bits, which nobody can guess: SHA-256 is enough, and the
slow, salted hashes that passwords need would only slow down every call.
"""

import hashlib
import hmac
import json
import secrets
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from backcast_engine.errors import InvalidInput, Violation
from services.gateway.auth.clients import Client, Right

# A prefix by which scanners find tokens in files, logs and commits.
PREFIX = "backcast_"
_WANTED = {
    "name": "must be 1 to 64 letters, digits, dots, dashes and underscores",
    "sha256": "must be 64 hexadecimal digits, as `backcast token` prints them",
    "rights": "must be one or more of run, import and admin",
}
_WANTED_LIMIT = "must be a whole number of at least 1"
_Limit = Annotated[int, Field(ge=1)] | None


class TokenEntry(BaseModel):
    """An entry of the file or the setting of tokens; see Client for its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    rights: Annotated[list[Annotated[Right, Field(strict=False)]], Field(min_length=1)]
    max_runs: _Limit = None
    max_backtests: _Limit = None
    max_backtests_per_request: _Limit = None
    max_symbols_per_request: _Limit = None


_ENTRIES: TypeAdapter[list[TokenEntry]] = TypeAdapter(Annotated[list[TokenEntry], Field(min_length=1)])


@dataclass(frozen=True, slots=True)
class Tokens:
    """The clients, each with the SHA-256 of its token (32 bytes)."""

    clients: Sequence[tuple[bytes, Client]]

    def client(self, token: str) -> Client | None:
        """Return the client of a token, None where the token is unknown."""
        shown = _digest(token)
        found = None
        # Every hash is compared in constant time, so that the duration reveals nothing.
        for digest, client in self.clients:
            if hmac.compare_digest(digest, shown):
                found = client
        return found


def make_token() -> str:
    """Return a new token: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """Return the hash of a token that is stored: SHA-256 as 64 hexadecimal digits."""
    return _digest(token).hex()


def tokens_from_toml(text: str, source: str) -> Tokens:
    """Return the tokens of TOML tables [[tokens]]; raise InvalidInput, naming `source`, for a mistake."""
    try:
        entries = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput.of(source, f"is not TOML: {error}"[:200]) from None
    if entries.keys() - {"tokens"}:
        raise InvalidInput.of(source, "has other content than [[tokens]] tables")
    return _tokens(entries.get("tokens", []), source)


def tokens_from_json(text: str, source: str) -> Tokens:
    """Return the tokens of a JSON list of objects; raise InvalidInput, naming `source`, for a mistake."""
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput.of(source, "is not JSON: a list of objects with name, sha256 and rights") from None
    return _tokens(entries, source)


def _tokens(raw: object, source: str) -> Tokens:
    try:
        entries = _ENTRIES.validate_python(raw)
    except ValidationError as error:
        # The violation names the field and not its value, which may be a token by mistake.
        raise InvalidInput(*(_violation(wrong, source) for wrong in error.errors())) from None
    for field in ("name", "sha256"):
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            if getattr(entry, field) in seen:
                raise InvalidInput.of(f"{source}: tokens[{index}].{field}", "occurs twice")
            seen.add(getattr(entry, field))
    return Tokens([(bytes.fromhex(entry.sha256), _client(entry)) for entry in entries])


def _violation(wrong: ErrorDetails, source: str) -> Violation:
    index, field = (*wrong["loc"], None, None)[:2]
    if index is None:
        return Violation(
            source,
            "has no token: `backcast token` makes entries"
            if wrong["type"] == "too_short"
            else "is not a list",
        )
    if field is None:
        return Violation(source, f"tokens[{index}]: is not a table with name, sha256 and rights")
    if wrong["type"] == "extra_forbidden":
        allowed = ", ".join(TokenEntry.model_fields)
        return Violation(source, f"tokens[{index}]: has a key that is none of {allowed}")
    return Violation(f"{source}: tokens[{index}].{field}", _WANTED.get(str(field), _WANTED_LIMIT))


def _client(entry: TokenEntry) -> Client:
    limits = entry.model_dump(exclude={"name", "sha256", "rights"})
    return Client(entry.name, frozenset(entry.rights), **limits)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
