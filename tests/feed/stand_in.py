"""Stand-ins for exchanges: HTTP servers on loopback, as nasty as the originals.

Each serves given hours as its exchange does: in its order, with its cursors, its caps and its open candle.
The candle of an hour that is not over by the virtual clock has other values than the closed one. Faults come
one after the other, one for each request, until none is left.
"""

import ssl
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from services.feed.exchanges.exchange import Exchange
from tests.feed.virtual_clock import VirtualClock
from tests.ingest import exchange_answers
from tests.ingest.exchange_answers import Record, written

HOUR_S = 3600
# What a request can meet instead of its answer, or what can be wrong with the answer. All of it passes.
PASSING_FAULTS = (
    "503",
    "html",
    "429",
    "cut",
    "not the shape",
    "short",
    "row before",
    "twice",
    "null",
    "closed",
    "[]",
)
# What ends a fetch; the next one goes on.
LASTING_FAULTS = ("418", "403", "451", "400", "302")
Params = dict[str, str]


@dataclass
class Served:
    """A symbol that a stand-in serves: its candles, by the opening time."""

    name: str
    records: dict[int, Record]
    is_traded: bool = True
    # Until so many seconds after its close, a candle has provisional values.
    settles_after_s: int = 0


@dataclass
class StandIn:
    """What an exchange has, and what it was asked."""

    exchange: Exchange
    clock: VirtualClock
    served: dict[str, Served]
    # The most candles of an answer, whatever the documentation says.
    cap: int = 10_000
    # How far its clock is ahead.
    ahead_s: int = 0
    # A fault's name; or a body that is sent with status 200.
    faults: deque[str | bytes] = field(default_factory=deque)
    asked: list[tuple[str, Params]] = field(default_factory=list)
    # The weight used in each window, where answers state it: the first window starts in 1970.
    weights: Counter[int] = field(default_factory=Counter)
    # Where they do not, any `window_s` seconds count: the times of requests, and their weight.
    sent: list[tuple[float, int]] = field(default_factory=list)
    # The most weight that was used in any window.
    most_used: int = 0
    # Called with the number of each request before it is answered.
    on_request: Callable[[int], None] | None = None
    base_url: str = ""
    # Set when it is not served any more.
    over: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    @property
    def now_s(self) -> int:
        """The time by its clock."""
        return int(self.clock.now_s()) + self.ahead_s

    def answer(self, path: str, params: Params, fault: str) -> tuple[int, bytes]:
        """Return status and body of the answer to a request; it may have a fault."""
        status, answer = _answer(self, path, params, fault)
        return status, written(answer).encode()

    def windows(self) -> list[tuple[int, int]]:
        """Return the first and the last hour that each request for candles was for; 0 if it gave none."""
        return [_WINDOWS[self.exchange.name](params) for path, params in self.asked if _is_candles(path)]

    def records(self, name: str) -> list[Record]:
        """Return the candles of a symbol that it has now, in order; the last one may be open."""
        served = self.served[name]
        known = sorted(record for record in served.records.values() if record[0] <= self.now_s)
        is_provisional = self.now_s - HOUR_S - served.settles_after_s
        return [provisional(record) if record[0] > is_provisional else record for record in known]


def provisional(record: Record) -> Record:
    """Return what a candle is before its last trade."""
    time_s, open_, high, low, _, _ = record
    return time_s, open_, high, low, open_, "0.5"


@contextmanager
def serving(stand_in: StandIn, tls: ssl.SSLContext | None = None) -> Iterator[StandIn]:
    """Serve a stand-in on loopback for as long as the context lasts; by HTTPS with `tls`."""

    class Handler(_Handler):
        exchange = stand_in

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    stand_in.base_url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    try:
        yield stand_in
    finally:
        stand_in.over.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers requests, with the next fault if there is one."""

    exchange: StandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a request."""
        stand_in = self.exchange
        url = urlsplit(self.path)
        params = dict(parse_qsl(url.query))
        with stand_in.lock:
            stand_in.asked.append((url.path, params))
            number = len(stand_in.asked)
            fault = stand_in.faults.popleft() if stand_in.faults else ""
            used, is_too_much = _count_weight(stand_in, url.path)
        if stand_in.on_request:
            stand_in.on_request(number)
        name = "429" if is_too_much else fault
        if isinstance(name, str) and name in _STATUSES:
            status, headers = _STATUSES[name]
            if fault == "429 until":
                headers = {"Retry-After": formatdate(stand_in.now_s + 7, usegmt=True)}
            self._send(status, b'{"msg": "no"}', headers, used)
        elif fault == "stall":
            with suppress(ConnectionError):
                self.rfile.read(1)  # until the client gives up
            self.close_connection = True
        elif fault == "drip":
            self.send_response_only(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            with suppress(ConnectionError):
                while not stand_in.over.wait(0.05):
                    self.wfile.write(b" ")
            self.close_connection = True
        elif fault == "closed":
            self.close_connection = True
        elif fault == "html":
            self._send(200, b"<html><body>Please wait</body></html>", {}, used)
        elif fault == "not the shape":
            self._send(200, b'{"status": "ok"}', {}, used)
        elif fault == "null":
            self._send(200, b"null", {}, used)
        elif isinstance(fault, bytes):
            self._send(200, fault, {}, used)
        else:
            status, body = stand_in.answer(url.path, params, fault)
            self._send(status, body, {}, used, is_cut=fault == "cut")

    def _send(
        self, status: int, body: bytes, headers: dict[str, str], used: int, is_cut: bool = False
    ) -> None:
        self.send_response_only(status)
        self.send_header("Date", formatdate(self.exchange.now_s, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        if header := self.exchange.exchange.limit.used_header:
            self.send_header(header, str(used))
        for name, value in headers.items():
            self.send_header(name, value)
        # One who has been killed is not there any more.
        with suppress(ConnectionError):
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if is_cut else body)
        self.close_connection |= is_cut

    def log_message(self, *_: object) -> None:
        """Write no log."""


_STATUSES = {
    "503": (503, {}),
    "429": (429, {"Retry-After": "7"}),
    "429 until": (429, {}),
    "418": (418, {"Retry-After": "300"}),
    "403": (403, {}),
    "451": (451, {}),
    "400": (400, {}),
    "302": (302, {"Location": "http://127.0.0.1:1/"}),
}


def _count_weight(stand_in: StandIn, path: str) -> tuple[int, bool]:
    """Count a request; return the weight used in this window, and whether it is too much."""
    limit = stand_in.exchange.limit
    is_markets = path == stand_in.exchange.markets_request.path
    weight = (
        stand_in.exchange.markets_request.weight if is_markets else _WEIGHTS.get(stand_in.exchange.name, 1)
    )
    if limit.used_header:
        window = stand_in.now_s // limit.window_s
        stand_in.weights[window] += weight
        used = stand_in.weights[window]
    else:
        now_s = stand_in.clock.now_s()
        counting = [each for each in stand_in.sent if each[0] > now_s - limit.window_s]
        stand_in.sent = [*counting, (now_s, weight)]
        used = sum(weight for _, weight in stand_in.sent)
    stand_in.most_used = max(stand_in.most_used, used)
    return used, used > limit.weight


_WEIGHTS = {"binance": 2}


def _answer(stand_in: StandIn, path: str, params: Params, fault: str) -> tuple[int, Any]:
    answers, markets = _ANSWERS[stand_in.exchange.name]
    if path == stand_in.exchange.markets_request.path:
        return 200, markets(stand_in)

    def shaken(records: list[Record], all_records: list[Record], takes_oldest: bool) -> list[Record]:
        """Return records as a nasty answer has them."""
        if fault == "[]":
            return []
        most = min(stand_in.cap, max(len(records) // 2, 1) if fault == "short" else len(records))
        records = records[:most] if takes_oldest else records[len(records) - most :]
        if fault == "row before" and records:
            records = [each for each in all_records if each[0] < records[0][0]][-1:] + records
        return records + records[-1:] if fault == "twice" else records

    return answers(stand_in, path, params, shaken)


Shaken = Callable[[list[Record], list[Record], bool], list[Record]]


def _binance(stand_in: StandIn, _: str, params: Params, shaken: Shaken) -> tuple[int, Any]:
    if params["symbol"] not in stand_in.served:
        return 400, {"code": -1121, "msg": "Invalid symbol."}
    records = stand_in.records(params["symbol"])
    start_ms, end_ms = int(params["startTime"]), int(params["endTime"])
    there = [each for each in records if start_ms <= each[0] * 1000 <= end_ms]
    return 200, exchange_answers.binance(shaken(there[: min(int(params["limit"]), 1000)], records, True))


def _okx(stand_in: StandIn, _: str, params: Params, shaken: Shaken) -> tuple[int, Any]:
    if params["instId"] not in stand_in.served:
        return 200, {"code": "51001", "msg": "Instrument ID doesn't exist", "data": []}
    records = stand_in.records(params["instId"])
    before_ms, after_ms = int(params["before"]), int(params["after"])
    there = [each for each in records if before_ms < each[0] * 1000 < after_ms]
    answer = exchange_answers.okx(shaken(there[-min(int(params["limit"]), 100) :], records, False))
    for row in answer["data"]:
        if int(row[0]) // 1000 + HOUR_S > stand_in.now_s:
            row[-1] = "0"
    return 200, answer


def _bybit(stand_in: StandIn, _: str, params: Params, shaken: Shaken) -> tuple[int, Any]:
    if params["symbol"] not in stand_in.served:
        return 200, {"retCode": 10001, "retMsg": "Not supported symbols", "result": {}}
    records = stand_in.records(params["symbol"])
    start_ms, end_ms = int(params["start"]), int(params["end"])
    there = [each for each in records if start_ms <= each[0] * 1000 <= end_ms]
    answer = exchange_answers.bybit(shaken(there[-min(int(params["limit"]), 1000) :], records, False))
    answer["result"]["symbol"] = params["symbol"]
    return 200, answer


def _coinbase(stand_in: StandIn, path: str, params: Params, shaken: Shaken) -> tuple[int, Any]:
    name = path.split("/")[-2]
    if name not in stand_in.served:
        return 404, {"error": "NOT_FOUND", "message": "valid product_id is required"}
    start_s, end_s = int(params["start"]), int(params["end"])
    if (end_s - start_s) // HOUR_S >= 350:
        return 400, {"error": "INVALID_ARGUMENT", "message": "number of candles requested should be less"}
    records = stand_in.records(name)
    there = [each for each in records if start_s <= each[0] <= end_s]
    return 200, exchange_answers.coinbase(shaken(there[-int(params["limit"]) :], records, False))


def _kraken(stand_in: StandIn, _: str, params: Params, shaken: Shaken) -> tuple[int, Any]:
    if params["pair"] not in stand_in.served:
        return 200, {"error": ["EQuery:Unknown asset pair"]}
    newest = stand_in.records(params["pair"])[-720:]
    there = [each for each in newest if each[0] > int(params["since"])]
    records = shaken(there, newest, True)
    closed = [each[0] for each in newest if each[0] + HOUR_S <= stand_in.now_s]
    result = {params["pair"]: [], "last": closed[-1] if closed else 0}
    if records:
        rows = exchange_answers.kraken(records)["result"]["ABCUSDT"]
        result[params["pair"]] = rows
    return 200, {"error": [], "result": result}


def _binance_markets(stand_in: StandIn) -> Any:
    symbols = [
        {
            "symbol": name,
            "status": "TRADING" if served.is_traded else "BREAK",
            "quoteAsset": name[-4:],
        }
        for name, served in stand_in.served.items()
    ]
    return {"timezone": "UTC", "symbols": symbols}


def _okx_markets(stand_in: StandIn) -> Any:
    pairs = [(name, *name.split("-"), served.is_traded) for name, served in stand_in.served.items()]
    data = [
        {"instId": name, "baseCcy": base, "quoteCcy": quote, "state": "live" if is_traded else "suspend"}
        for name, base, quote, is_traded in pairs
    ]
    return {"code": "0", "msg": "", "data": data}


def _bybit_markets(stand_in: StandIn) -> Any:
    found = [
        {"symbol": name, "quoteCoin": name[-4:], "status": "Trading" if served.is_traded else "Closed"}
        for name, served in stand_in.served.items()
    ]
    return {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": found}}


def _coinbase_markets(stand_in: StandIn) -> Any:
    pairs = [(name, *name.split("-"), served.is_traded) for name, served in stand_in.served.items()]
    products = [
        {
            "product_id": name,
            "base_currency_id": base,
            "quote_currency_id": quote,
            "status": "online" if is_traded else "delisted",
        }
        for name, base, quote, is_traded in pairs
    ]
    return {"products": products}


def _kraken_markets(stand_in: StandIn) -> Any:
    result = {
        name: {"wsname": f"{name[1:4]}/{name[5:]}", "status": "online" if served.is_traded else "cancel_only"}
        for name, served in stand_in.served.items()
    }
    return {"error": [], "result": result}


_ANSWERS: dict[str, tuple[Callable[..., tuple[int, Any]], Callable[[StandIn], Any]]] = {
    "binance": (_binance, _binance_markets),
    "okx": (_okx, _okx_markets),
    "bybit": (_bybit, _bybit_markets),
    "coinbase": (_coinbase, _coinbase_markets),
    "kraken": (_kraken, _kraken_markets),
}
# A name that each exchange would give, and the symbol of it.
NAMES = {
    "binance": ("SOLUSDT", "SOLUSDT"),
    "okx": ("SOL-USDT", "SOLUSDT"),
    "bybit": ("SOLUSDT", "SOLUSDT"),
    "coinbase": ("SOL-USDT", "SOLUSDT"),
    "kraken": ("XETHZUSD", "ETHUSD"),
}
_WINDOWS: dict[str, Callable[[Params], tuple[int, int]]] = {
    "binance": lambda params: _hours(int(params["startTime"]) // 1000, int(params["endTime"]) // 1000),
    "okx": lambda params: _hours(int(params["before"]) // 1000 + 1, int(params["after"]) // 1000 - 1),
    "bybit": lambda params: _hours(int(params["start"]) // 1000, int(params["end"]) // 1000),
    "coinbase": lambda params: _hours(int(params["start"]), int(params["end"])),
    "kraken": lambda params: _hours(int(params["since"]) + 1, 0),
}


def _hours(first_s: int, last_s: int) -> tuple[int, int]:
    return first_s, last_s // HOUR_S * HOUR_S


def _is_candles(path: str) -> bool:
    return "candles" in path or "kline" in path or "OHLC" in path
