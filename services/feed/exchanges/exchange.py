"""The interface of an exchange: how it is asked for candles, and what its answers mean."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from backcast_engine.errors import InvalidInput
from services.domain.symbols import CryptoKind, parse_symbol
from services.feed.errors import Unanswered
from services.ingest.answers import AnswerFormat
from services.ingest.formats.json_text import Json, member


class AnswerKind(Enum):
    """What an answer of an exchange means."""

    GOOD = "good"
    UNKNOWN_SYMBOL = "unknown symbol"
    TOO_OFTEN = "too often"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means, and the exchange's reason, empty if it gives none."""

    kind: AnswerKind
    reason: str = ""


GOOD = Verdict(AnswerKind.GOOD)


@dataclass(frozen=True, slots=True)
class Request:
    """A request by GET, and how much it counts against the exchange's limit."""

    path: str
    params: dict[str, str] = field(default_factory=dict)
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Limit:
    """The weight of requests that an exchange allows in each `window_s` seconds.

    `used_header` is the header of its answers that has the weight used so far; empty if there is none.
    """

    weight: int
    window_s: int
    used_header: str = ""


@dataclass(frozen=True, slots=True)
class ExchangeMarket:
    """A spot market of an exchange.

    `symbol` is the canonical one, `name` the exchange's. `quote` is the quote currency. `other_symbol` is one
    by which users may know it too, empty if there is none. What is no longer traded may still have candles.
    """

    symbol: str
    name: str
    quote: str
    is_traded: bool
    other_symbol: str = ""

    @property
    def is_storable(self) -> bool:
        """Whether its symbol is one of Backcast's: an exchange may list others, and those are not fetched."""
        try:
            symbol = parse_symbol(self.symbol)
        except InvalidInput:
            return False
        return symbol.kind is CryptoKind.SPOT and symbol.canonical == self.symbol


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange: its paths, limits and order of candles, and the meaning of its answers.

    `candles_request` makes the request for the candles of a market that open at or after a time and before
    another (Unix seconds). An answer has at most `page_candles` candles of these: the newest if
    `newest_first`, else the oldest. `jumps_gaps`: a request may ask for more hours than an answer can have,
    and is answered with the oldest candles, wherever they are. `kept_hours` is the number of newest closed
    hours that it answers with, None if all. `candles_in` and `markets_in` return the list in an answer, and
    raise Unanswered if it has none.
    """

    name: str
    title: str
    base_url: str
    page_candles: int
    newest_first: bool
    limit: Limit
    answer_format: AnswerFormat
    candles_request: Callable[[str, int, int], Request]
    candles_in: Callable[[Json], list[Json]]
    markets_request: Request
    markets_in: Callable[[Json], list[ExchangeMarket]]
    verdict: Callable[[Json], Verdict]
    jumps_gaps: bool = False
    kept_hours: int | None = None


def list_at(answer: Json, *path: str) -> list[Json]:
    """Return the list at a path of names; raise Unanswered if the answer has none."""
    found = member(answer, *path)
    if not isinstance(found, list):
        raise Unanswered("its answer has no list where it should be")
    return found


def objects_at(answer: Json, *path: str) -> list[dict[str, Json]]:
    """Return the list of objects at a path of names; raise Unanswered if the answer has none."""
    found = list_at(answer, *path)
    if not all(isinstance(each, dict) for each in found):
        raise Unanswered("its answer has a list of other things than objects")
    return found


def text_at(record: Json, name: str) -> str:
    """Return the text of a member; raise Unanswered if there is none."""
    found = member(record, name)
    if not isinstance(found, str):
        raise Unanswered(f"its answer has no {name} where it should be")
    return found
