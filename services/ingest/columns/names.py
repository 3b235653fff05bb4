"""Finds the columns of candles by their names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from backcast_engine.errors import InvalidInput, Violation
from services.domain.symbols import parse_symbol
from services.ingest.columns.symbol_column import (
    BASE_NAMES,
    QUOTE_NAMES,
    SYMBOL_NAMES,
    VAGUE_NAMES,
    may_be_symbol,
)
from services.ingest.files.text_rows import CANDLE_FIELDS, shown

# The field names of `backcast db migrate-from` and `--map`, in the order of Candles: the time, then the
# values.
CANDLE_COLUMNS = ("datetime", "open_price", "high_price", "low_price", "close_price", "volume")
# Names are compared by their letters and digits: `Open Time`, `open_time` and `<OpenTime>` are `opentime`.
# The clearest names of the opening time come first, a readable date last: if a file has several, the first of
# these is taken.
TIME_KEYS = (
    *("timeperiodstart", "opentime", "opentimestamp", "opentimeutc", "klineopentime", "opendatetime"),
    *("timeopen", "starttime", "startedat", "startat", "start", "candlebegintime", "periodstart", "begin"),
    *("timestamp", "timestamputc", "timestampms", "unix", "unixtimestamp", "unixtime", "epoch", "ts", "t"),
    *("datetime", "datetimeutc", "utcdatetime", "date", "dateutc", "utcdate", "gmttime", "utctime"),
    *("timeutc", "timegmt", "time", "localtime"),
)
_CLOSE_TIME_KEYS = (
    *("timeperiodend", "closetime", "closetimestamp", "closetimeutc", "klineclosetime", "closedatetime"),
    *("timeclose", "endtime", "endedat", "periodend", "end"),
)
_PRICE_KEYS = {
    name: (name, name[0], f"{name}price", f"price{name}") for name in ("open", "high", "low", "close")
}
# Names of volumes in the crypto itself. A volume in another currency or in ticks is not one.
_VOLUME_KEYS = (
    *("volume", "volumefrom", "basevolume", "volumebase", "basetokenvolume", "baseassetvolume"),
    *("volumetraded", "tradedvolume", "realvolume", "vol", "v"),
)
_DATE_KEYS = ("date", "dateutc", "utcdate")
_CLOCK_KEYS = ("time", "timeutc", "utctime", "gmttime", "timegmt")
# pandas' name of an unnamed index.
_INDEX_KEYS = ("", "unnamed0")
# `Volume USDT` is never an amount of the crypto.
_MONEY = frozenset(
    ("USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "DAI", "EUR", "GBP", "JPY", "KRW", "TRY", "AUD", "BRL")
)
_QUOTES = _MONEY | {"BTC", "XBT", "ETH", "BNB"}
_OTHER_UNITS = _MONEY | {"CURRENCY", "QUOTE", "TO", "QUOTEASSET", "TICK", "TICKS", "NOTIONAL", "MA", "CHANGE"}

_NOT_OF_KEYS = re.compile(r"[\W_]+")
_SPELLED_FIELDS = dict(zip(CANDLE_COLUMNS, CANDLE_FIELDS, strict=True)) | {"symbol": "symbol"}


@dataclass(frozen=True, slots=True)
class GivenNames:
    """Column names that the user gave, by field: `time`, `open`, …, `volume`, `symbol`.

    An empty name says that there is no such column; only volume and symbol may be absent.
    """

    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, mappings: Sequence[str]) -> Self:
        """Parse mappings like `datetime=Date`; raises InvalidInput, naming `--map` for each bad one."""
        names: dict[str, str] = {}
        faults = []
        for mapping in mappings:
            name, equals, column = mapping.partition("=")
            if not equals or name not in _SPELLED_FIELDS:
                faults.append(f"{mapping!r} is not NAME=COLUMN; the names are {', '.join(_SPELLED_FIELDS)}")
            elif _SPELLED_FIELDS[name] in names:
                faults.append(f"{name} is given twice")
            elif not column and name not in ("volume", "symbol"):
                faults.append(f"{name} cannot be without a column")
            else:
                names[_SPELLED_FIELDS[name]] = column
        if faults:
            raise InvalidInput(*(Violation("--map", fault) for fault in faults))
        return cls(names)

    def __bool__(self) -> bool:
        return bool(self.names)

    @property
    def is_without_volume(self) -> bool:
        """Return whether the user said that there is no volume."""
        return self.names.get("volume") == ""


@dataclass(frozen=True, slots=True)
class Columns:
    """Positions of the fields among a file's columns.

    `time` is one position, or those of date and time of day. `volume` is None if the user says that there is
    none, `close_time` if the file has none. `symbol` is empty if the file has none; with several positions,
    each has the symbol, or with `is_symbol_split`, they are base and quote.
    """

    time: tuple[int, ...]
    prices: tuple[int, ...]
    volume: int | None
    symbol: tuple[int, ...]
    close_time: int | None
    is_symbol_split: bool = False

    def picked(self) -> tuple[int, ...]:
        """Return all positions: the time, the prices, the volume, the closing time, the symbol."""
        others = (position for position in (self.volume, self.close_time) if position is not None)
        return (*self.time, *self.prices, *others, *self.symbol)


def column_key(name: str) -> str:
    """Return the part of a column's name that is compared: its letters and digits, in lower case."""
    return _NOT_OF_KEYS.sub("", name.lower())


def known_names(names: Sequence[str]) -> int:
    """Return the number of different fields of candles among the names."""
    keys = {column_key(name) for name in names}
    wanted = (TIME_KEYS, _CLOSE_TIME_KEYS, *_PRICE_KEYS.values(), _VOLUME_KEYS)
    return sum(not keys.isdisjoint(field_keys) for field_keys in wanted)


def find_columns(
    names: Sequence[str],
    given: GivenNames,
    first_row: Sequence[str] = (),
    symbol: str | None = None,
) -> Columns:
    """Return the positions of the columns of candles, by their names and the names that the user gave.

    `first_row` has the values of the first row, if they are known: they decide whether a date and a time
    belong together. `symbol` decides which volume is the crypto's own, if volumes are named by currencies.
    Raises InvalidInput, naming the column, if one is missing or occurs twice.
    """
    search = _Search(list(map(column_key, names)), names, given, first_row)
    for name in given.names:
        search.said(name)  # raises if the file has no such column
    symbol_at, is_split = search.symbol()
    parts = [first_row[at].strip() for at in symbol_at if at < len(first_row)]
    # A base alone does not say in which currency the volume is counted.
    if parts and all(parts) and (is_split or _pair_of(parts[0], whole=True)):
        symbol = "/".join(parts) if is_split else parts[0]
    prices = search.prices()
    time = search.time()
    columns = Columns(
        time, prices, search.volume(symbol), symbol_at, search.first(_CLOSE_TIME_KEYS), is_split
    )
    if len(set(columns.picked())) < len(columns.picked()):
        raise InvalidInput.of("file", "--map gives one of its columns to two names")
    return columns


@dataclass(frozen=True, slots=True)
class _Search:
    keys: list[str]
    names: Sequence[str]
    given: GivenNames
    first_row: Sequence[str]

    def first(self, wanted: Sequence[str]) -> int | None:
        """Return the position of the first of these keys that a column has."""
        found = next((key for key in wanted if key in self.keys), None)
        if found is None:
            return None
        if self.keys.count(found) > 1:
            raise InvalidInput.of("file", f"it has the column {found} twice")
        return self.keys.index(found)

    def said(self, name: str) -> int | None:
        """Return the position of the column that the user gave for a field; None if none was given."""
        column = self.given.names.get(name)
        if not column:
            return None
        # The very name before another spelling of it.
        for found in (list(self.names), self.keys):
            wanted = column if found is not self.keys else column_key(column)
            if found.count(wanted) > 1:
                raise InvalidInput.of("file", f"it has the column {shown(column)} of --map twice")
            if wanted in found:
                return found.index(wanted)
        raise InvalidInput.of("file", f"it has no column {shown(column)}, as --map says: {self._listed()}")

    def symbol(self) -> tuple[tuple[int, ...], bool]:
        """Return the positions of the symbol, and whether they are its base and quote."""
        if "symbol" in self.given.names:
            said = self.said("symbol")
            return (() if said is None else (said,)), False
        found = self._all_of(SYMBOL_NAMES)
        base, quote = self._all_of(BASE_NAMES), self._all_of(QUOTE_NAMES)
        if found or len(base) != 1 or len(quote) != 1 or not self._may_be_symbols((*base, *quote)):
            return found or self._all_of(VAGUE_NAMES), False
        return (*base, *quote), True

    def _all_of(self, wanted: Sequence[str]) -> tuple[int, ...]:
        """Return the positions of all columns with the first of these keys that can contain symbols."""
        for key in wanted:
            found = tuple(position for position, name in enumerate(self.keys) if name == key)
            if found and (key not in VAGUE_NAMES or self._may_be_symbols(found)):
                return found
        return ()

    def _may_be_symbols(self, positions: Sequence[int]) -> bool:
        return all(may_be_symbol(self._value(position)) for position in positions)

    def prices(self) -> tuple[int, ...]:
        found = {
            name: self.first(keys) if name not in self.given.names else self.said(name)
            for name, keys in _PRICE_KEYS.items()
        }
        missing = [name for name, position in found.items() if position is None]
        if len(missing) == len(found):
            raise InvalidInput.of("file", f"it names no prices of candles: {self._listed()}")
        if self.first(_VOLUME_KEYS) is None and not self._has_volume():
            missing.append("volume")
        if missing:
            raise InvalidInput.of("file", f"it has no column {', '.join(missing)}")
        return tuple(position for position in found.values() if position is not None)

    def time(self) -> tuple[int, ...]:
        said = self.said("time")
        if said is not None:
            return (said,)
        found = self.first(TIME_KEYS)
        if found is None:
            found = self._index()
        if found is None:
            if self.first(_CLOSE_TIME_KEYS) is not None:
                raise InvalidInput.of(
                    "file", "it has closing times of its candles, but no opening times: --map datetime=COLUMN"
                )
            raise InvalidInput.of(
                "file", "it has no column of the time, named one of timestamp, unix, datetime, date, time, …"
            )
        if self.keys[found] == "localtime" and not re.search(r"[+-]\d{2}:?\d{2}$", self._value(found)):
            raise InvalidInput.of("file", "its local times have no offset from UTC: times in UTC are needed")
        clock = self.first(_CLOCK_KEYS)
        if self.keys[found] not in _DATE_KEYS or clock is None:
            return (found,)
        date_text, clock_text = self._value(found), self._value(clock)
        if ":" in date_text:
            return (found,)
        # A whole time, or an epoch, needs no date beside it.
        is_clock = not re.search(r"\d[-/.]\d+[-/.]\d|^\d{9}", clock_text)
        return (found, clock) if is_clock else (clock,)

    def volume(self, symbol: str | None) -> int | None:
        if "volume" in self.given.names:
            return self.said("volume")
        plain = self.first(_VOLUME_KEYS)
        pair = _pair_of(symbol)
        units = {key: key.removeprefix("volume").upper() for key in self.keys if key.startswith("volume")}
        own = [key for key, unit in units.items() if unit and pair.removeprefix(unit) in _QUOTES - {pair}]
        if len(own) == 1:
            return self.first(own)
        if plain is not None and self.keys[plain] == "vol" and "amount" in self.keys:
            # Exchanges name them either way round.
            raise InvalidInput.of(
                "file", "vol or amount is its volume in the crypto: choose by --map volume=COLUMN"
            )
        if plain is not None:
            return plain
        if pair:
            own = [key for key, unit in units.items() if pair.startswith(unit) and pair != unit]
        else:
            own = [key for key, unit in units.items() if unit not in _OTHER_UNITS]
        if len(own) == 1:
            return self.first(own)
        if not units:
            raise InvalidInput.of(
                "file",
                "its volume is not counted in the crypto: --map volume=COLUMN, or --map volume= for none",
            )
        crypto = f"the crypto of {shown(symbol)}" if symbol else "the crypto that the file is about"
        raise InvalidInput.of(
            "file", f"its header does not name the volume in {crypto}: name it with --map volume=COLUMN"
        )

    def _has_volume(self) -> bool:
        return "volume" in self.given.names or any(
            "volume" in key or key in ("tickvol", "turnover", "amount") for key in self.keys
        )

    def _index(self) -> int | None:
        """Return the position of an unnamed index of pandas, if it contains times."""
        if not self.keys or self.keys[0] not in _INDEX_KEYS:
            return None
        # An index that counts the rows begins with a small number.
        return None if re.fullmatch(r"\d{0,7}", self._value(0)) else 0

    def _value(self, position: int) -> str:
        return self.first_row[position].strip() if position < len(self.first_row) else ""

    def _listed(self) -> str:
        listed = ", ".join(map(shown, self.names))
        if not listed:
            return "it has no columns"
        return f"its columns are {listed if len(listed) <= 100 else f'{listed[:100]}…'}"


def _pair_of(symbol: str | None, whole: bool = False) -> str:
    """Return the pair of a symbol, BTCUSDT of BINANCE:BTCUSDT.P; empty if it cannot be parsed.

    With `whole`, a symbol without a quote does not count.
    """
    try:
        parsed = parse_symbol(symbol) if symbol else None
    except InvalidInput:
        return ""
    return parsed.root if parsed and (parsed.is_pair or not whole) else ""
