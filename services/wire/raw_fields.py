"""Fields whose values are serialized already: they are put into a message without being parsed.

A serialized message is its fields one after the other, in any order. Therefore serialized messages that are
joined are their merge.
"""

from google.protobuf.message import Message

_LENGTH_DELIMITED = 2


class RawField:
    """A field of the message type `message`, which holds a message; of a list, it is one element."""

    def __init__(self, message: type[Message], name: str) -> None:
        number = message.DESCRIPTOR.fields_by_name[name].number
        self._tag = _varint(number << 3 | _LENGTH_DELIMITED)

    def of(self, value: bytes) -> bytes:
        """Return the serialized field with a serialized value."""
        return self._tag + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    """Return a number in bytes of seven bits, the lowest first; all but the last have the eighth bit too."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
