"""Server reflection: what tools like grpcurl and ghz ask a server about its services.

It is served as grpc.reflection.v1, which newer tools ask for first, and as v1alpha, which is all that the
library has. The messages of both are the same.
"""

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pool, text_format
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

_V1ALPHA: str = reflection.SERVICE_NAME
_V1 = _V1ALPHA.replace("v1alpha", "v1")
_METHOD = "ServerReflectionInfo"


def add_reflection_to(server: grpc.aio.Server, services: Iterable[str]) -> None:
    """Have `server` describe `services`, given by their full names, and reflection itself."""
    servicer = reflection.aio.ReflectionServicer((*services, _V1, _V1ALPHA), pool=_Descriptors())
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    v1 = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_V1, {_METHOD: v1}),))


class _Descriptors:
    """The descriptors of all messages and services, with what Python's pool of them does not find.

    It looks up no method by name, and has no grpc.reflection.v1.
    """

    def __init__(self) -> None:
        self._all = descriptor_pool.Default()
        # A pool of its own: another library may bring the same file into the default one.
        self._v1 = descriptor_pool.DescriptorPool()
        self._v1.Add(_v1_file())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._all, name)

    def FindFileByName(self, name: str) -> FileDescriptor:  # noqa: N802  # the pool's name
        """Return the file `name`; raise KeyError where there is none."""
        return _first_found(name, self._all.FindFileByName, self._v1.FindFileByName)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802  # the pool's name
        """Return the file of a message, service, method, …; raise KeyError where there is none."""
        return _first_found(
            symbol,
            self._all.FindFileContainingSymbol,
            self._v1.FindFileContainingSymbol,
            self._file_of_method,
        )

    def _file_of_method(self, symbol: str) -> FileDescriptor:
        service, _, method = symbol.rpartition(".")
        pool = self._v1 if service == _V1 else self._all
        return pool.FindServiceByName(service).methods_by_name[method].containing_service.file


def _first_found(name: str, *finders: Any) -> FileDescriptor:
    for find in finders:
        try:
            return find(name)  # type: ignore[no-any-return]  # finders of files
        except KeyError:
            continue
    raise KeyError(name)


def _v1_file() -> FileDescriptorProto:
    """Return v1's file: that of v1alpha under another name, and not deprecated."""
    v1alpha = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(v1alpha)
    v1 = text_format.Parse(str(v1alpha).replace("v1alpha", "v1"), FileDescriptorProto())
    v1.name = "grpc/reflection/v1/reflection.proto"
    v1.options.ClearField("deprecated")
    return v1
