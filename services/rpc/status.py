"""Conversion between domain errors and gRPC statuses, on server and client."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import grpc
import structlog
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from backcast_engine.errors import BackcastError, ErrorReason, InvalidInput, NotFound, Refused, Violation
from services.domain.errors import (
    AlreadyExists,
    Cancelled,
    Denied,
    Exhausted,
    Internal,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from services.rpc.handlers import Behaviour, WrappedHandlers, behaviour_of, replaced

if TYPE_CHECKING:
    from services.rpc.handlers import Context, Handler

_Parse = Callable[[Any], Any]

# Of a message that names invalid fields.
_MOST_CHARACTERS = 1_000

_log = structlog.get_logger()

# The domain of our reasons in google.rpc.ErrorInfo.
ERROR_DOMAIN = "backcast"
_REASONS: dict[str, ErrorReason] = {reason.value: reason for reason in ErrorReason}

# Subclasses come before their base classes: the first match counts.
_CODES: dict[type[BackcastError], int] = {
    TooLarge: code_pb2.RESOURCE_EXHAUSTED,
    InvalidInput: code_pb2.INVALID_ARGUMENT,
    NotFound: code_pb2.NOT_FOUND,
    Refused: code_pb2.FAILED_PRECONDITION,
    Unavailable: code_pb2.UNAVAILABLE,
    Internal: code_pb2.INTERNAL,
    AlreadyExists: code_pb2.ALREADY_EXISTS,
    Exhausted: code_pb2.RESOURCE_EXHAUSTED,
    Cancelled: code_pb2.CANCELLED,
    Unauthenticated: code_pb2.UNAUTHENTICATED,
    Denied: code_pb2.PERMISSION_DENIED,
}
# The errors of single backtests and portfolios, by code.
_IN_RESULTS: dict[int, type[BackcastError]] = {
    code_pb2.NOT_FOUND: NotFound,
    code_pb2.FAILED_PRECONDITION: Refused,
    code_pb2.UNAVAILABLE: Unavailable,
}
# What gRPC itself ends calls with: the connection was not made, or is lost; the service is stopping; it has
# reset the stream; a request could not be sent ("Internal error from Core").
_CODES_OF_BREAKS = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
)


def status_of(error: BackcastError) -> status_pb2.Status:
    """Return the gRPC status of `error`.

    It carries a google.rpc.ErrorInfo; that of InvalidInput a google.rpc.BadRequest too, that of Exhausted a
    google.rpc.RetryInfo.
    """
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), code_pb2.UNKNOWN)
    status = status_pb2.Status(code=code, message=_message(error))
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN, metadata=error.metadata)
    )
    if isinstance(error, InvalidInput):
        bad_request = error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(
                    field=violation.field, description=violation.reason
                )
                for violation in error.violations
            ]
        )
        status.details.add().Pack(bad_request)
    if isinstance(error, Exhausted):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        status.details.add().Pack(retry)
    return status


def _message(error: BackcastError) -> str:
    """Return the message of an error; of invalid fields that are many, the first ones.

    Clients refuse a call whose end has more than 8 KiB of headers. A message stands there twice, and all
    fields once more, in the details: these take four thirds of their length.
    """
    message = str(error)
    if not isinstance(error, InvalidInput) or len(message) <= _MOST_CHARACTERS:
        return message
    lengths = accumulate(len(str(violation)) + 2 for violation in error.violations)
    kept = sum(length <= _MOST_CHARACTERS for length in lengths)
    if not kept:
        return f"{message[:_MOST_CHARACTERS]}…"
    more = len(error.violations) - kept
    return f"{InvalidInput(*error.violations[:kept])}; and {more} more: see the details"


def error_of(error: grpc.aio.AioRpcError | grpc.RpcError, service: str) -> BackcastError:
    """Return the domain error of a failed call to `service`; for gRPC's own errors, Unavailable.

    The deadline of such a call is the caller's own, not that of a client.

    If the service reports that something else is unavailable, such as the database, its message, its reason
    and its metadata are kept.
    """
    is_late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    if is_late or is_cut_off(error):
        return overdue(service) if is_late else unanswered(service)
    details = error.details() or error.code().name
    reason, metadata = _error_info(error)
    match error.code():
        case grpc.StatusCode.INVALID_ARGUMENT if violations := violations_of(error):
            return InvalidInput(*violations, reason=reason, **metadata)
        case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.FAILED_PRECONDITION:
            return Refused(details, reason=reason, **metadata)
        case grpc.StatusCode.NOT_FOUND:
            return NotFound(details, reason=reason, **metadata)
        case grpc.StatusCode.UNAVAILABLE:
            return Unavailable(details, reason=reason, **metadata)
        case _:
            return Unavailable(
                f"the {service} service failed: {details}",
                reason=ErrorReason.SERVICE_UNAVAILABLE,
                service=service,
            )


def error_of_status(status: status_pb2.Status) -> BackcastError:
    """Return the error of a backtest or a portfolio of which `status_of` has made a status."""
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        if not detail.Unpack(info):
            detail.Unpack(bad_request)
    reason = _REASONS.get(info.reason)
    if status.code == code_pb2.INVALID_ARGUMENT and bad_request.field_violations:
        violations = (Violation(bad.field, bad.description) for bad in bad_request.field_violations)
        return InvalidInput(*violations, reason=reason, **info.metadata)
    return _IN_RESULTS.get(status.code, Internal)(status.message, reason=reason, **info.metadata)


def unanswered(service: str) -> Unavailable:
    """Return the error for a service that does not answer."""
    return Unavailable(
        f"the {service} service does not answer", reason=ErrorReason.SERVICE_UNAVAILABLE, service=service
    )


def overdue(service: str) -> Unavailable:
    """Return the error for a service that did not answer before the deadline."""
    return Unavailable(
        f"the {service} service did not answer before the deadline: try again; if that does not help, see "
        "its load and its log",
        reason=ErrorReason.SERVICE_UNAVAILABLE,
        service=service,
    )


def of_passed_deadline(service: str) -> str:
    """Return the message for a client whose own deadline passed while `service` worked for it."""
    return f"the deadline passed before the {service} service had answered: call again with a later one"


def is_cut_off(error: grpc.RpcError) -> bool:
    """Return whether gRPC ended a call and not the service: the connection broke off, or the service stops.

    A status of the service itself comes with a google.rpc.Status.
    """
    return error.code() in _CODES_OF_BREAKS and rpc_status.from_call(error) is None


def _error_info(error: grpc.RpcError) -> tuple[ErrorReason | None, dict[str, str]]:
    """Return the reason and the metadata of a failed call; no reason where it is none that is known here."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status else ():
        if detail.Unpack(info) and info.domain == ERROR_DOMAIN and info.reason in _REASONS:
            return _REASONS[info.reason], dict(info.metadata)
    return None, {}


def violations_of(error: grpc.RpcError) -> tuple[Violation, ...]:
    """Return the invalid fields that a failed call names."""
    status = rpc_status.from_call(error)
    bad_request = error_details_pb2.BadRequest()
    for detail in status.details if status else ():
        if detail.Unpack(bad_request):
            return tuple(Violation(bad.field, bad.description) for bad in bad_request.field_violations)
    return ()


class StatusInterceptor(grpc.aio.ServerInterceptor):
    """Ends a call whose handler raised, with the status of the domain error, or INTERNAL without a traceback.

    It wraps the iteration of streams too, where most of the work happens.
    """

    def __init__(self) -> None:
        self._handlers = WrappedHandlers(_guarded)

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Wrap the method's handler."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        return self._handlers.of(handler_call_details.method, handler)


def _guarded(_: str, handler: "Handler") -> "Handler":
    assert handler.request_deserializer
    guard = _guard_stream if handler.response_streaming else _guard_unary
    # Requests are parsed inside of the guard: grpc would answer junk with the parser's class name.
    parse = _parse_each if handler.request_streaming else _parse
    guarded = guard(behaviour_of(handler), partial(parse, handler.request_deserializer))
    return replaced(handler, guarded, None)


def _parse(deserialize: _Parse, raw: bytes) -> Any:
    try:
        return deserialize(raw)
    except DecodeError:
        raise InvalidInput.of(
            "request", "the bytes are not a message of this method, or nested too deeply"
        ) from None


async def _parse_each(deserialize: _Parse, raw_messages: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for raw in raw_messages:
        yield _parse(deserialize, raw)


def _guard_unary(method: Behaviour, parse: _Parse) -> Behaviour:
    async def guarded(raw: Any, context: "Context") -> Any:
        try:
            answer = method(parse(raw), context)
            return await answer if inspect.isawaitable(answer) else answer
        except Exception as error:
            await _end(context, error)

    return guarded


def _guard_stream(method: Behaviour, parse: _Parse) -> Behaviour:
    async def guarded(raw: Any, context: "Context") -> AsyncIterator[Any]:
        try:
            # Closed explicitly: the generator of a stream that ends early must not stay open until it is
            # garbage collected.
            messages = method(parse(raw), context)
            if inspect.isawaitable(messages):
                # As gRPC's own Health.Watch: it writes to the context, and yields nothing.
                await messages
                return
            async with aclosing(messages):
                async for message in messages:
                    yield message
        except Exception as error:
            await _end(context, error)

    return guarded


async def _end(context: "Context", error: Exception) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, NotImplementedError) and context.code() is grpc.StatusCode.UNIMPLEMENTED:
        # Generated servicers do this for methods that are not written.
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, context.details())
    if isinstance(error, Unavailable):
        # Not the caller's fault, so the operator should see it too.
        _log.warning("call not served", reason=str(error), cause=str(error.__cause__ or ""))
    elif isinstance(error, Exhausted | TooLarge):
        _log.info("call refused", reason=str(error))
    elif isinstance(error, asyncio.TimeoutError):
        error = Unavailable("a part of the service did not answer in time: try again")
    elif not isinstance(error, BackcastError):
        _log.error("call failed", exc_info=error)
        error = Internal("internal error; the service's log has more")
    await context.abort_with_status(rpc_status.to_status(status_of(error)))
