"""The tokens that hold now: of the settings, or of a file that may change while the gateway runs."""

from pathlib import Path

import structlog

from services.domain.errors import InvalidInput
from services.gateway.auth.clients import Client
from services.gateway.auth.tokens import Tokens, tokens_from_json, tokens_from_toml
from services.settings import Settings

_log = structlog.get_logger()

_FILE, _LIST = "BACKCAST_TOKENS_FILE", "BACKCAST_TOKENS"

# By these a file that was written or replaced is known for another.
_Stamp = tuple[int, int, int]


class TokenBook:
    """Finds whose a token is. What is revoked in the file does not hold from the next call on."""

    def __init__(self, tokens: Tokens, file: Path | None = None, stamp: _Stamp | None = None) -> None:
        self._tokens = tokens
        self._file = file
        self._stamp = stamp

    def client(self, token: str) -> Client | None:
        """Return whose token it is, None where it is nobody's."""
        # A look at the file takes two millionths of a second.
        if self._file and _stamp(self._file) != self._stamp:
            self.reload()
        return self._tokens.client(token)

    def reload(self) -> None:
        """Read the file anew. Where it is broken, that is logged, and the tokens of before hold on."""
        if self._file is None:
            return
        self._stamp = _stamp(self._file)
        try:
            self._tokens = _read(self._file)
        except InvalidInput as error:
            _log.error("the tokens of before hold on", reason=str(error))
        else:
            _log.info("tokens read", tokens=len(self._tokens.clients))


def token_book(settings: Settings) -> TokenBook | None:
    """Return the book of the settings' tokens, None where there are none and everybody is served.

    Raises InvalidInput, naming the variable, where they cannot be read.
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
