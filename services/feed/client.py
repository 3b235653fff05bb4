"""Client of an exchange: sends requests at its pace, and takes only answers of the right shape."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Self, TypeVar
from urllib.parse import urlsplit

import requests
import stamina

from backcast_engine.errors import InvalidInput, Refused
from services.domain.addresses import is_loopback
from services.feed.clock import Clock
from services.feed.errors import Banned, Forbidden, Unanswered, Unreachable
from services.feed.exchanges.exchange import AnswerKind, Exchange, ExchangeMarket, Request, Verdict
from services.feed.metrics import REQUESTS, TOO_OFTEN, request_counted
from services.feed.pace import Pace
from services.imports.daemon_thread import in_daemon_thread
from services.ingest.answers import read_answer
from services.ingest.candle_rows import CandleRows
from services.ingest.files.text_rows import shown
from services.ingest.formats.json_text import Json

T = TypeVar("T")

# Requests at once: enough for the weight that the limits allow, at any distance from the exchange.
MOST_REQUESTS = 8

_ATTEMPTS = 5
_CONNECT_S = 5.0
# Without a byte, and for the whole answer.
_READ_S = 10.0
_ANSWER_S = 60.0
# The list of all markets is some 20 MB.
_MOST_BYTES = 128 * 2**20
# Numbers in headers that have as many digits, or more, are ignored.
_MOST_DIGITS = 10
# How often one request may be answered with a wait.
_MOST_WAITS = 20
_NEVER = (301, 302, 303, 307, 308)
_BANNED, _TOO_OFTEN, _FORBIDDEN = 418, 429, (403, 451)
# Where an exchange does not say for how long: the ban of Binance's that is the shortest.
_BAN_S = 120.0
# Clocks that differ by more are reported to the user.
_SKEW_S = 60.0


@dataclass(frozen=True, slots=True)
class _Answer:
    """The answer to a request. `at_s` is its time by the exchange's clock, None if it has none."""

    status: int
    body: bytes
    at_s: float | None
    used_weight: int | None
    retry_after_s: float | None


class ExchangeClient:
    """Asks one exchange. An asynchronous context manager, whose connections end with it.

    `base_url` is the address of another server than the exchange's. `read_s` is how many seconds an answer
    may stall.
    """

    def __init__(
        self, exchange: Exchange, clock: Clock, base_url: str | None = None, read_s: float = _READ_S
    ) -> None:
        self.exchange = exchange
        self.pace = Pace(exchange.limit, clock)
        self._clock = clock
        self._base_url = base_url or exchange.base_url
        self._host = urlsplit(self._base_url).netloc
        self._read_s = read_s
        self._ahead_s = 0.0
        # The name of an exchange behind a proxy may be unknown here.
        is_secure = self._base_url.startswith("https://")
        is_here = not is_secure and is_loopback(urlsplit(self._base_url).hostname or "", "base_url")
        if not (is_secure or is_here):
            raise InvalidInput.of(
                "base_url", f"{self._base_url} is not https, which is needed off this machine"
            )
        self._session = requests.Session()
        # A proxy does not reach this machine.
        self._session.trust_env = not is_here
        self._session.headers["User-Agent"] = "backcast"
        adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=MOST_REQUESTS)
        self._session.mount(self._base_url, adapter)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._session.close()

    def now_s(self) -> float:
        """Return the time in Unix seconds that both clocks, ours and the exchange's, have reached."""
        return self._clock.now_s() + min(self._ahead_s, 0)

    def exchange_s(self) -> float:
        """Return the time in Unix seconds by the exchange's clock."""
        return self._clock.now_s() + self._ahead_s

    @property
    def skew(self) -> str:
        """A sentence about clocks that differ; empty if they agree."""
        if abs(self._ahead_s) < _SKEW_S:
            return ""
        which = "ahead of" if self._ahead_s > 0 else "behind"
        return f"the clock of {self.exchange.title} is {abs(self._ahead_s):,.0f} s {which} this machine's"

    async def markets(self) -> list[ExchangeMarket]:
        """Return the exchange's spot markets."""
        return await self._ask(self.exchange.markets_request, lambda _, answer: self._markets_in(answer))

    async def candles(self, market: ExchangeMarket, start_s: int, end_s: int) -> CandleRows | None:
        """Return the rows of one answer for the hours from `start_s` up to `end_s`; None if it has none.

        Rows may lie outside, be in any order, and not be all that the exchange has of these hours. Raises
        Unanswered, Unreachable, Forbidden or Banned where there is no answer, InvalidInput of the field
        `symbol` if the exchange does not know the market, and Refused if it refuses for another reason.
        """

        def read(body: bytes, answer: Json) -> CandleRows | None:
            if not self.exchange.candles_in(answer):
                return None
            try:
                rows = read_answer(self.exchange.answer_format, body)
            except InvalidInput as error:
                raise Unanswered(error.violations[0].reason) from error
            if rows.misshapen:
                raise Unanswered(rows.misshapen[0].reason)
            if len(rows.lines) and not len(rows.times_s()):
                raise Unanswered(next(iter(rows.reasons.values())))
            return rows

        return await self._ask(self.exchange.candles_request(market.name, start_s, end_s), read)

    def _markets_in(self, answer: Json) -> list[ExchangeMarket]:
        markets = self.exchange.markets_in(answer)
        if not markets:
            raise Unanswered("its list of markets is empty")
        return markets

    async def _ask(self, request: Request, read: Callable[[bytes, Json], T]) -> T:
        """Send a request until its answer can be read, five times at most."""
        title = self.exchange.title
        attempts = stamina.retry_context(
            on=Unanswered, attempts=_ATTEMPTS, timeout=None, wait_initial=1.0, wait_max=30.0, wait_jitter=1.0
        )
        try:
            async for attempt in attempts:
                with attempt, request_counted(self.exchange.name):
                    return read(*await self._answered(request))
        except Unanswered as error:
            times = f"{_ATTEMPTS} times"
            raise Unanswered(f"{title} was asked {times} without a usable answer: {error}") from error
        raise AssertionError("the last attempt either returns or raises")

    async def _answered(self, request: Request) -> tuple[bytes, Json]:
        """Return the body of a good answer, and what it holds."""
        for _ in range(_MOST_WAITS):
            await self.pace.take(request.weight)
            answer = await self._answer_to(request)
            self._note(answer)
            body, content = answer.body, _json(answer.body)
            verdict = Verdict(AnswerKind.FAILED) if content is None else self.exchange.verdict(content)
            reason = f": {shown(verdict.reason)}" if verdict.reason else ""
            if answer.status == _TOO_OFTEN or verdict.kind is AnswerKind.TOO_OFTEN:
                REQUESTS.labels(self.exchange.name, TOO_OFTEN).inc()
                self.pace.pause(answer.retry_after_s or self.exchange.limit.window_s)
                continue
            self._raise_if_refused(answer, verdict, reason)
            if answer.status == 200 and verdict.kind is AnswerKind.GOOD:
                return body, content
            if answer.status != 200:
                raise Unanswered(f"it answers with status {answer.status}{reason}")
            if content is None:
                raise Unanswered("its answer is not JSON")
            raise Unanswered(f"its answer is an error{reason}" if reason else "its answer has another shape")
        raise Unreachable(f"{self.exchange.title} says again and again that it is asked too often")

    def _raise_if_refused(self, answer: _Answer, verdict: Verdict, reason: str) -> None:
        """Raise an error for an answer that would be the same again."""
        title = self.exchange.title
        if answer.status == _BANNED:
            raise Banned(title, self._clock.now_s() + (answer.retry_after_s or _BAN_S))
        if answer.status in _FORBIDDEN:
            raise Forbidden(f"{title} refuses to answer this machine, with status {answer.status}{reason}")
        if verdict.kind is AnswerKind.UNKNOWN_SYMBOL:
            raise InvalidInput.of("symbol", f"{title} does not know it{reason}")
        if answer.status in _NEVER:
            raise Unreachable(
                f"{title} sends elsewhere, with status {answer.status}: something is in between"
            )
        if 400 <= answer.status < 500:
            raise Refused(f"{title} refuses the request, with status {answer.status}{reason}")

    def _note(self, answer: _Answer) -> None:
        if answer.at_s is None:
            return
        self._ahead_s = answer.at_s - self._clock.now_s()
        if answer.used_weight is not None:
            self.pace.note_used(answer.used_weight, answer.at_s)

    async def _answer_to(self, request: Request) -> _Answer:
        """Send a request in another thread; raise Unanswered also where its answer comes byte by byte."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await in_daemon_thread(lambda: self._get(request))
        except TimeoutError:
            raise Unanswered("its answer does not end") from None

    def _get(self, request: Request) -> _Answer:
        """Send a request in this thread; raise Unanswered or Unreachable where no whole answer comes."""
        title = self.exchange.title
        try:
            with self._session.get(
                self._base_url + request.path,
                params=request.params,
                timeout=(_CONNECT_S, self._read_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = bytearray()
                for part in response.iter_content(65_536):
                    body += part
                    if len(body) > _MOST_BYTES:
                        raise Unanswered("its answer does not end")
                headers = response.headers
                at_s = _time_in(headers.get("Date"))
                return _Answer(
                    response.status_code,
                    bytes(body),
                    at_s,
                    _whole_number(headers.get(self.exchange.limit.used_header)),
                    _wait_in(headers.get("Retry-After"), self._clock.now_s() if at_s is None else at_s),
                )
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                raise Unanswered(f"there is no connection by TLS to {self._host}, or it broke") from error
            raise Unreachable(f"the certificate of {title} is not trusted here") from error
        except requests.exceptions.ProxyError as error:
            raise Unreachable(f"the proxy does not let through to {title}") from error
        except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidProxyURL) as error:
            raise Unreachable(f"the proxy that the environment names cannot be used: {error}") from error
        except requests.exceptions.Timeout as error:
            raise Unanswered("it did not answer in time") from error
        except requests.exceptions.RequestException as error:
            raise Unanswered(f"there is no connection to {self._host}, or it broke") from error
        except OSError as error:
            # What requests does not wrap: the certificates that the environment names cannot be read.
            raise Unreachable(f"{title} cannot be asked: {error}") from error


def _json(body: bytes) -> Json:
    """Return what JSON holds, with numbers as text; None if a body is no JSON."""
    try:
        return json.loads(body, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _wait_in(text: str | None, now_s: float) -> float | None:
    """Return the seconds that a `Retry-After` means, which may be a time of the clock that says `now_s`.

    None if there is none.
    """
    seconds = _whole_number(text)
    if seconds is not None:
        return float(seconds)
    time_s = _time_in(text)
    return None if time_s is None else max(time_s - now_s, 1.0)


def _time_in(text: str | None) -> float | None:
    """Return the Unix seconds of a time of HTTP; None if there is none."""
    with suppress(TypeError, ValueError, OverflowError):
        return parsedate_to_datetime(text or "").timestamp()
    return None


def _whole_number(text: str | None) -> int | None:
    """Return the number that a header has; None if it has none, or none of a sensible size."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS else None
