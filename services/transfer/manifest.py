"""The manifest of a dump. It is written last: a folder without it is an incomplete dump."""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from backcast_engine.breaks import BreakState
from backcast_engine.errors import InvalidInput
from backcast_engine.times import EARLIEST_S, LATEST_S
from services.domain.symbols import canonical_symbol
from services.domain.ticks import MAX_SCALE

MANIFEST = "manifest.json"
VERSION = 1
_FORMAT = "backcast dump"


def _checked_symbol(symbol: str) -> str:
    try:
        is_one = canonical_symbol(symbol) == symbol
    except InvalidInput:
        is_one = False
    if not is_one:
        raise ValueError("it is not a symbol")
    return symbol


# Strict, because a manifest comes from outside and its values go into the database.
_Symbol = Annotated[str, AfterValidator(_checked_symbol)]
_Time = Annotated[int, Field(ge=EARLIEST_S, le=LATEST_S)]
_Scale = Annotated[int, Field(ge=0, le=MAX_SCALE)]


class DumpedFile(BaseModel):
    """The file of a crypto's candles of one interval: their number, and the file's SHA-256."""

    model_config = ConfigDict(frozen=True)

    candles: int = Field(ge=0)
    sha256: str


class DumpedBreak(BaseModel):
    """A row of `breaks`, times in Unix seconds, prices in the quote currency."""

    model_config = ConfigDict(frozen=True)

    before_s: _Time
    after_s: _Time
    close: float = Field(gt=0, allow_inf_nan=False)
    open: float = Field(gt=0, allow_inf_nan=False)
    state: BreakState


class DumpedCrypto(BaseModel):
    """A row of `cryptos`, times in Unix seconds, the files of its candles by interval, and its breaks.

    `breaks` is None in a dump of a version without breaks; the restore detects them. `asked_hours` is as
    PostgreSQL writes it.
    """

    model_config = ConfigDict(frozen=True)

    symbol: _Symbol
    synthetic: bool
    candle_count: int = Field(ge=0)
    first_s: _Time | None
    last_s: _Time | None
    price_scale: _Scale
    volume_scale: _Scale
    files: dict[Literal["1h", "4h", "1d", "1w"], DumpedFile]
    breaks: list[DumpedBreak] | None = None
    source: str | None = Field(None, pattern="^[a-z0-9]{1,32}$")
    asked_hours: str = Field("{}", pattern=r'^\{[-+:0-9 ,"\[()]*\}$')

    @property
    def candles(self) -> int:
        """The number of its candles of all intervals."""
        return sum(file.candles for file in self.files.values())


class Manifest(BaseModel):
    """The contents of a dump: all cryptos, as they were at one moment."""

    model_config = ConfigDict(frozen=True)

    format: str = _FORMAT
    version: int = VERSION
    cryptos: list[DumpedCrypto]

    @property
    def candles(self) -> int:
        """The number of all candles."""
        return sum(crypto.candles for crypto in self.cryptos)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, completely or not at all."""
    unfinished = folder / f"{MANIFEST}.unfinished"
    unfinished.write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    unfinished.replace(folder / MANIFEST)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest; raise InvalidInput if there is none, or this version cannot read it."""
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise InvalidInput.of(
            "FOLDER", f"{folder} is no dump, or one that was not finished: it has no {MANIFEST}"
        ) from None
    except OSError as error:
        raise InvalidInput.of("FOLDER", f"{folder} cannot be read: {error.strerror}") from None
    except ValueError:
        content = None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise InvalidInput.of("FOLDER", f"{folder / MANIFEST} is no manifest of a dump")
    if content.get("version") != VERSION:
        raise InvalidInput.of(
            "FOLDER", f"the dump has version {content.get('version')}: this can read version {VERSION}"
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise InvalidInput.of("FOLDER", f"{folder / MANIFEST} is damaged: {where}") from None
