"""Requests that nobody would make, for every method that a server says it has."""

import math
import random
from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from backcast.compute.v1 import compute_service_pb2
from backcast.gateway.v1 import backtest_service_pb2, portfolio_service_pb2, run_service_pb2
from backcast.marketdata.v1 import feed_service_pb2, fetch_service_pb2, market_data_service_pb2
from tests.domain.test_symbols import HOSTILE

# What a client can mend, or is asked to wait for. INTERNAL and UNKNOWN would be bugs of ours.
CLEAR = {
    *(grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND),
    *(grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.RESOURCE_EXHAUSTED),
}
DOUBLES = (math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -0.0, 0.5, 14.0)
TEXTS = (*HOSTILE, "FUZZUSDT", "close > 1", "rsi(14) < 30", "period", "sharpe_ratio")
_DEEPEST = 6
_MOST_ANSWERS = 3
_LIMIT_S = 60.0


async def methods_of(channel: grpc.aio.Channel) -> list[MethodDescriptor]:
    """Return the methods of Backcast's services that a server has."""
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]))
    (names,) = [[service.name for service in answer.list_services_response.service] async for answer in call]
    ours = {
        service.full_name: service
        for module in (
            *(backtest_service_pb2, portfolio_service_pb2, run_service_pb2, compute_service_pb2),
            *(market_data_service_pb2, feed_service_pb2, fetch_service_pb2),
        )
        for service in module.DESCRIPTOR.services_by_name.values()
    }
    return [method for name in names if name.startswith("backcast.") for method in ours[name].methods]


async def code_of(channel: grpc.aio.Channel, method: MethodDescriptor, *requests: bytes) -> grpc.StatusCode:
    """Make a call of raw messages; return how it ends, OK where a stream of answers begins well."""
    sides = (method.client_streaming, method.server_streaming)
    kind = "_".join("stream" if streaming else "unary" for streaming in sides)
    make = getattr(channel, kind)(f"/{method.containing_service.full_name}/{method.name}")
    call: Any = make(iter(requests) if method.client_streaming else requests[0], timeout=_LIMIT_S)
    try:
        if not method.server_streaming:
            await call
            return grpc.StatusCode.OK
        for _ in range(_MOST_ANSWERS):
            if await call.read() is grpc.aio.EOF:
                return await call.code()  # type: ignore[no-any-return]  # a status
    except grpc.aio.AioRpcError as error:
        return error.code()
    finally:
        call.cancel()
    return grpc.StatusCode.OK


def random_message(kind: Descriptor, chance: random.Random, depth: int = 0) -> Message:
    """Return a message with about half of the fields there, and values at the edges of their types."""
    message = GetMessageClass(kind)()
    for field in kind.fields:
        if chance.random() < 0.5 or _is_map(field) or (field.message_type and depth == _DEEPEST):
            continue
        if field.is_repeated:
            values = [_value(field, chance, depth) for _ in range(chance.randrange(4))]
            getattr(message, field.name).extend(values)
        elif field.message_type:
            getattr(message, field.name).CopyFrom(_value(field, chance, depth))
        else:
            setattr(message, field.name, _value(field, chance, depth))
    return message


def messages_with_one_double(kind: Descriptor, depth: int = 0) -> Iterator[tuple[str, Message]]:
    """Yield, for each field of doubles anywhere in a message and each odd value, one that has it alone."""
    for field in kind.fields:
        if _is_map(field):
            continue
        if field.type == FieldDescriptor.TYPE_DOUBLE:
            for value in DOUBLES[:3]:
                message = GetMessageClass(kind)()
                if field.is_repeated:
                    getattr(message, field.name).append(value)
                else:
                    setattr(message, field.name, value)
                yield f"{field.name}={value}", message
        elif field.message_type and depth < _DEEPEST and field.message_type is not kind:
            for path, inner in messages_with_one_double(field.message_type, depth + 1):
                message = GetMessageClass(kind)()
                place = getattr(message, field.name)
                (place.add() if field.is_repeated else place).CopyFrom(inner)
                yield f"{field.name}.{path}", message


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def _value(field: FieldDescriptor, chance: random.Random, depth: int) -> Any:
    if field.message_type:
        return random_message(field.message_type, chance, depth + 1)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.randrange(64))
    return chance.choice(_EDGES[field.cpp_type])


_EDGES: dict[int, tuple[Any, ...]] = {
    FieldDescriptor.CPPTYPE_DOUBLE: DOUBLES,
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
    FieldDescriptor.CPPTYPE_STRING: TEXTS,
    FieldDescriptor.CPPTYPE_ENUM: (0, 1, 2, 3, 99, -1),
    FieldDescriptor.CPPTYPE_INT32: (0, 1, -1, 7, 2**31 - 1, -(2**31)),
    FieldDescriptor.CPPTYPE_INT64: (0, 1, -1, 7, 1_704_067_200, 2**63 - 1, -(2**63)),
}
