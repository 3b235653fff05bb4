"""Reflection answers what tools ask: of services, messages and methods, by both of its versions."""

from collections.abc import AsyncIterator
from functools import partial

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2 as pb

from backcast.gateway.v1 import backtest_service_pb2
from services.rpc.reflection import add_reflection_to
from tests.rpc.serving import channel_to

(SERVICE,) = backtest_service_pb2.DESCRIPTOR.services_by_name.values()
METHOD = f"{SERVICE.full_name}.{SERVICE.methods[0].name}"
V1, V1ALPHA = "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"
NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    async with channel_to(partial(add_reflection_to, services=[SERVICE.full_name])) as channel:
        yield channel


async def answer(
    channel: grpc.aio.Channel, request: pb.ServerReflectionRequest, version: str = V1
) -> pb.ServerReflectionResponse:
    ask = channel.stream_stream(
        f"/{version}/ServerReflectionInfo",
        request_serializer=pb.ServerReflectionRequest.SerializeToString,
        response_deserializer=pb.ServerReflectionResponse.FromString,
    )
    (answered,) = [each async for each in ask(iter([request]))]
    return answered


def files_of(answered: pb.ServerReflectionResponse) -> list[FileDescriptorProto]:
    return [
        FileDescriptorProto.FromString(raw) for raw in answered.file_descriptor_response.file_descriptor_proto
    ]


@pytest.mark.parametrize("version", [V1, V1ALPHA])
async def test_both_versions_list_the_services(channel: grpc.aio.Channel, version: str) -> None:
    listed = await answer(channel, pb.ServerReflectionRequest(list_services=""), version)
    names = {service.name for service in listed.list_services_response.service}
    assert names == {SERVICE.full_name, V1, V1ALPHA}


@pytest.mark.parametrize("version", [V1, V1ALPHA])
@pytest.mark.parametrize("symbol", [SERVICE.full_name, METHOD, f"{SERVICE.file.package}.RunBacktestsRequest"])
async def test_a_symbol_has_the_file_that_it_is_in(
    channel: grpc.aio.Channel, version: str, symbol: str
) -> None:
    answered = await answer(channel, pb.ServerReflectionRequest(file_containing_symbol=symbol), version)
    assert SERVICE.file.name in [file.name for file in files_of(answered)]


async def test_reflection_v1_describes_itself(channel: grpc.aio.Channel) -> None:
    for request in (
        pb.ServerReflectionRequest(file_containing_symbol=V1),
        pb.ServerReflectionRequest(file_containing_symbol=f"{V1}.ServerReflectionInfo"),
        pb.ServerReflectionRequest(file_by_filename="grpc/reflection/v1/reflection.proto"),
    ):
        (file,) = files_of(await answer(channel, request))
        assert (file.package, file.service[0].name) == ("grpc.reflection.v1", "ServerReflection")
        assert "v1alpha" not in str(file)


@pytest.mark.parametrize(
    "symbol", ["", ".", "nobody", f"{SERVICE.full_name}.NoMethod", f"{METHOD}.more", f"{V1}.NoMethod"]
)
async def test_an_unknown_symbol_is_not_found(channel: grpc.aio.Channel, symbol: str) -> None:
    answered = await answer(channel, pb.ServerReflectionRequest(file_containing_symbol=symbol))
    assert answered.error_response.error_code == NOT_FOUND
