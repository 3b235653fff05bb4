"""The valid tokens: from the settings, or from a file that may change while the gateway runs."""

from pathlib import Path

import structlog

from backcast_engine.errors import InvalidInput
from services.gateway.auth.clients import Client
from services.gateway.auth.tokens import Tokens, tokens_from_json, tokens_from_toml
from services.settings import Settings

_log = structlog.get_logger()

_FILE, _LIST = "BACKCAST_TOKENS_FILE", "BACKCAST_TOKENS"

# Modification time, inode and size: one of them changes when the file is written or replaced.
_Stamp = tuple[int, int, int]


class TokenBook:
    """Finds the client of a token. A token that is removed from the file is refused from the next call on."""

    def __init__(self, tokens: Tokens, file: Path | None = None, stamp: _Stamp | None = None) -> None:
        self._tokens = tokens
        self._file = file
        self._stamp = stamp

    def client(self, token: str) -> Client | None:
        """Return the client of a token, None where the token is unknown."""
        # The stat call takes 2 µs.
        if self._file and _stamp(self._file) != self._stamp:
            self.reload()
        return self._tokens.client(token)

    def reload(self) -> None:
        """Read the file again; where it is invalid, log the error and keep the previous tokens."""
        if self._file is None:
            return
        self._stamp = _stamp(self._file)
        try:
            self._tokens = _read(self._file)
        except InvalidInput as error:
            _log.error("token file rejected, previous tokens stay valid", reason=str(error))
        else:
            _log.info("tokens loaded", tokens=len(self._tokens.clients))


def token_book(settings: Settings) -> TokenBook | None:
    """Return the book of the settings' tokens; None where there are none, and every client is served.

    Raises InvalidInput, naming the variable, where the tokens cannot be read.
    """
    if settings.tokens_file and settings.tokens:
        raise InvalidInput.of(_LIST, f"is set beside {_FILE}: tokens come from one of them")
    if settings.tokens:
        return TokenBook(tokens_from_json(settings.tokens.get_secret_value(), _LIST))
    if settings.tokens_file:
        stamp = _stamp(settings.tokens_file)
        return TokenBook(_read(settings.tokens_file), settings.tokens_file, stamp)
    return None


def _read(file: Path) -> Tokens:
    try:
        return tokens_from_toml(file.read_text(encoding="utf-8"), _FILE)
    except OSError as error:
        raise InvalidInput.of(_FILE, f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput.of(_FILE, f"{file} is not text in UTF-8") from None


def _stamp(file: Path) -> _Stamp | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
