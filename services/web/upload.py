"""POST /import: the import of one candle file, with the report that `backcast import` prints, as JSON."""

import asyncio
import re
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from google.rpc.error_details_pb2 import BadRequest
from grpc_status import rpc_status
from protobuf.wkt import Any as ConnectAny
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from backcast.marketdata.v1.market_data_service_pb2 import ImportCandlesRequest, ImportCandlesResponse
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.errors import BackcastError, ErrorReason, InvalidInput, Violation, Violations
from backcast_engine.interval import Interval
from backcast_engine.times import utc
from services.domain.conflict_rule import ConflictRule
from services.domain.errors import Exhausted, TooLarge
from services.domain.symbols import canonical_symbol
from services.imports.candle_writer import write_reading
from services.imports.daemon_thread import in_daemon_thread
from services.imports.report import break_line, count_without_volume, found_breaks, notes, report_line
from services.ingest.columns.names import GivenNames
from services.ingest.detect import read_file
from services.ingest.identity.lengths import given_length
from services.ingest.report import FileReading
from services.rpc.call_observer import ObservedCall
from services.rpc.client_stream import response_of as response_of_call
from services.rpc.status import status_of
from services.web.errors import connect_error, error_of_call, error_response, response_of
from services.web.metadata import request_metadata

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PATH = "/import"
_TYPE = "application/octet-stream"
# At once: each of them takes room for a file in the folder of temporary files.
_MOST_UPLOADS = 4
_RETRY_AFTER_S = 2.0
# Between two parts of a file: whoever sends nothing for so long must not keep others from importing.
_LONGEST_PAUSE_S = 30.0
_LONGEST_NAME = 255  # bytes, as file systems have it
# What the readers say in the words of the command; the blank is before a value, as in --map volume=COLUMN.
_OPTION = re.compile(r"--(symbol|interval|map|on-conflict)\b( (?=replace\b|[A-Z]{2}|\w+=))?")


@dataclass(frozen=True, slots=True)
class _Options:
    """What the query says of the file: the options of `backcast import`."""

    name: str
    symbol: str | None
    length_s: int | None
    on_conflict: ConflictRule
    given: GivenNames

    @classmethod
    def of(cls, query: QueryParams) -> Self:
        """Read the query; raise InvalidInput, naming every bad parameter."""
        violations = Violations()
        for unknown in sorted(set(query) - {"name", "symbol", "interval", "on_conflict", "map"}):
            violations.add(Violation(unknown[:_LONGEST_NAME], "is no parameter of an import"))
        symbol, interval = query.get("symbol"), query.get("interval")
        options = cls(
            violations.read("", _name_from, query.get("name", "")),
            violations.read(None, canonical_symbol, symbol) if symbol else None,
            violations.read(None, given_length, interval, Interval.HOUR_1, "interval") if interval else None,
            violations.read(ConflictRule.GUARDED, _conflict_rule_from, query.get("on_conflict")),
            violations.read(GivenNames({}), GivenNames.parse, query.getlist("map")),
        )
        violations.raise_if_any()
        return options


def _name_from(text: str) -> str:
    # The readers read it too: most files are named after their crypto.
    if not text.isprintable() or text in ("", ".", "..") or "/" in text or "\\" in text:
        raise InvalidInput.of("name", "is needed: the file's name, without a folder")
    if len(text.encode(errors="replace")) > _LONGEST_NAME:
        raise InvalidInput.of("name", f"is longer than {_LONGEST_NAME} bytes")
    return text


def _conflict_rule_from(text: str | None) -> ConflictRule:
    rules = {rule.value: rule for rule in ConflictRule}
    if text and text not in rules:
        raise InvalidInput.of("on_conflict", f"{text!r} is none of {', '.join(rules)}")
    return rules[text] if text else ConflictRule.GUARDED


class _Stalled(Exception):
    """Nothing of a file has come for too long."""


class Upload:
    """Imports files that browsers send, of at most `most_bytes` each, by the gateway of `channel`."""

    def __init__(self, channel: grpc.aio.Channel, most_bytes: int) -> None:
        self._stub = MarketDataServiceStub(channel)
        self._most_bytes = most_bytes
        self._uploads = asyncio.Semaphore(_MOST_UPLOADS)
        # A reading takes several times as much memory as its file, so that there is one at a time.
        self._reading = asyncio.Lock()

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer with the report on the file of a request, or with why nothing was written of it."""
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        observed = ObservedCall("import", request.headers)
        code = grpc.StatusCode.CANCELLED
        try:
            if _is_file(request):
                response = await self._import(request)
                code = grpc.StatusCode.OK
            else:
                response = error_response(
                    415, Code.INVALID_ARGUMENT, f"content-type: must be {_TYPE}, a file as it is"
                )
                code = grpc.StatusCode.INVALID_ARGUMENT
        except BackcastError as error:
            code = rpc_status.to_status(status_of(error)).code
            response = response_of(_with_parameters(connect_error(error)))
        except grpc.aio.AioRpcError as error:
            code = error.code()
            response = response_of(_with_parameters(error_of_call(error)))
        except _Stalled:
            code = grpc.StatusCode.ABORTED
            message = f"nothing came for {_LONGEST_PAUSE_S:g} seconds, and nothing was written: send it again"
            # What may still come of it is not read.
            response = error_response(408, Code.ABORTED, message, connection="close")
        except ClientDisconnect:
            # Nobody is there to read it.
            response = Response(status_code=499)
        finally:
            observed.end(code)
        return response

    async def _import(self, request: Request) -> Response:
        options = _Options.of(request.query_params)
        if int(request.headers.get("content-length", "0")) > self._most_bytes:
            raise self._too_large()
        metadata = request_metadata(request.headers)
        await self._check_right(metadata)
        if self._uploads.locked():
            raise Exhausted(
                f"at most {_MOST_UPLOADS} files may be imported at once",
                _RETRY_AFTER_S,
                ErrorReason.TOO_MANY_UPLOADS,
                limit=str(_MOST_UPLOADS),
            )
        async with self._uploads:
            with tempfile.TemporaryDirectory(prefix="backcast-import-") as folder:
                file = Path(folder, options.name)
                await self._save(request, file)
                reading = await self._read(file, options)
        symbol, counts = await write_reading(self._stub, reading, options.on_conflict, metadata=metadata)
        return JSONResponse(_report(symbol, reading, counts, options))

    async def _check_right(self, metadata: tuple[tuple[str, str], ...]) -> None:
        """Raise AioRpcError if the client may not import: before its file is taken, not after.

        A request without a header imports nothing. (Without a request, gRPC reports no status.)
        """

        nothing = iter([ImportCandlesRequest()])
        try:
            await response_of_call(self._stub.ImportCandles(nothing, metadata=metadata))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                raise

    async def _save(self, request: Request, file: Path) -> None:
        size = 0
        with file.open("wb") as opened:
            async for chunk in _chunks(request):
                size += len(chunk)
                if size > self._most_bytes:
                    raise self._too_large()
                # To a page of memory that the kernel writes: it waits for no disk.
                opened.write(chunk)

    async def _read(self, file: Path, options: _Options) -> FileReading:
        async with self._reading:
            return await in_daemon_thread(
                partial(
                    read_file,
                    file,
                    Interval.HOUR_1,
                    now_s=int(time.time()),
                    on_conflict=options.on_conflict,
                    given=options.given,
                    symbol=options.symbol,
                    length_s=options.length_s,
                )
            )

    def _too_large(self) -> TooLarge:
        return TooLarge(
            Violation(
                "file",
                f"is larger than {self._most_bytes:,} bytes, BACKCAST_WEB_MAX_UPLOAD_BYTES of the page",
            ),
            reason=ErrorReason.FILE_TOO_LARGE,
            limit=str(self._most_bytes),
        )


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """Yield the parts of a request's body as they come; raise _Stalled where none comes for too long."""
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(_LONGEST_PAUSE_S):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise _Stalled from None
        if chunk is None:
            return
        yield chunk


def _is_file(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _TYPE


def _with_parameters(error: ConnectError) -> ConnectError:
    """Return an error that names parameters of the query, where readers and services name options."""
    # Whose report it is names the file already.
    message = _named(error.message.removeprefix("file: "))
    return ConnectError(error.code, message, [_detail_with_parameters(each) for each in error.details])


def _detail_with_parameters(detail: ErrorDetail) -> ErrorDetail:
    if detail.type_name != BadRequest.DESCRIPTOR.full_name:
        return detail
    bad_request = BadRequest.FromString(detail.message_bytes)
    for violation in bad_request.field_violations:
        violation.field = _named(violation.field)
        violation.description = _named(violation.description)
    named = ConnectAny(
        type_url=f"type.googleapis.com/{detail.type_name}", value=bad_request.SerializeToString()
    )
    return ErrorDetail(named)


def _named(text: str) -> str:
    return _OPTION.sub(_parameter, text).replace("CONFLICT_RULE_REPLACE", "on_conflict=replace")


def _parameter(option: re.Match[str]) -> str:
    return option[1].replace("-", "_") + ("=" if option[2] else "")


def _report(
    symbol: str, reading: FileReading, counts: ImportCandlesResponse, options: _Options
) -> dict[str, Any]:
    return {
        "name": options.name,
        "symbol": symbol,
        "format": reading.format,
        "candles": len(reading.candles),
        "inserted": counts.inserted,
        "corrected": counts.corrected,
        "unchanged": counts.unchanged,
        "kept": counts.kept,
        "withoutVolume": count_without_volume(reading),
        "rejected": reading.rejected,
        "duplicates": reading.duplicates,
        "conflicts": reading.conflicts,
        "stillOpen": reading.still_open,
        "incomplete": reading.incomplete,
        "withJump": reading.with_jump,
        "breaks": [
            {
                "beforeTime": utc(each.before_s),
                "afterTime": utc(each.after_s),
                "close": each.close,
                "open": each.open,
                "text": break_line(each),
            }
            for each in found_breaks(counts)
        ],
        "rejections": [
            {"line": each.line, "reason": each.reason, "values": each.values} for each in reading.rejections
        ],
        "summary": report_line(symbol, reading, counts, options.on_conflict),
        "notes": notes(reading, counts),
    }
