"""Messages on their way between browser and gateway: as bytes, or as JSON that is made of them.

Binary messages pass unread. JSON is translated with the types of the method.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connectrpc.codec import Codec
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from backcast_engine.errors import InvalidInput
from services.web.errors import connect_error
from services.web.json_requests import request_from_json


@dataclass(frozen=True, slots=True)
class RawMessage:
    """The bytes of a message, and its type."""

    kind: type[Message]
    raw: bytes


class BinaryCodec:
    """Protobuf's binary format: the gateway reads it, and says what is wrong with it."""

    def name(self) -> str:
        """Return the name of the format in content types."""
        return "proto"

    def encode(self, message: RawMessage) -> bytes:
        """Return the bytes of a response."""
        return message.raw

    def decode(self, data: bytes | bytearray, message_class: type[Message]) -> bytes:
        """Return the bytes of a request."""
        return bytes(data)


class JsonCodec:
    """Protobuf's JSON format."""

    def name(self) -> str:
        """Return the name of the format in content types."""
        return "json"

    def encode(self, message: RawMessage) -> bytes:
        """Return a response as JSON, with zeros left out."""
        return MessageToJson(message.kind.FromString(message.raw), indent=None).encode()

    def decode(self, data: bytes | bytearray, message_class: type[Message]) -> bytes:
        """Return the bytes of a request; raise ConnectError, INVALID_ARGUMENT, where it is not one."""
        try:
            return request_from_json(bytes(data), message_class).SerializeToString()
        except InvalidInput as error:
            raise connect_error(error) from None


CODECS: Iterable[Codec[Any, Any]] = (BinaryCodec(), JsonCodec())
