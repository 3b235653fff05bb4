"""Requests in JSON: enum values by any of their names, as in `"interval": "1h"`."""

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from backcast_engine.errors import InvalidInput, Violations
from backcast_engine.near_names import did_you_mean
from services.wire.enum_names import names_of, number_of

_MessageT = TypeVar("_MessageT", bound=Message)

_NUMBER = re.compile(r"-?\d+")
# How much of an unknown name an error quotes.
_MOST_CHARACTERS = 40
# An error lists all known names up to this many, and otherwise the similar ones.
_MOST_NAMES = 30


def request_from_json(text: bytes, kind: type[_MessageT]) -> _MessageT:
    """Return the request of type `kind` that a JSON text is; raise InvalidInput where it is none.

    It is read as Protobuf's JSON format, in which the names of enum values may be in any case, and without
    the prefix of their enumeration. Fields that have another name are all named.
    """
    violations = Violations()
    message = violations.read(kind(), _parsed, text, kind, violations)
    violations.raise_if_any()
    return message


def _parsed(text: bytes, kind: type[_MessageT], violations: Violations) -> _MessageT:
    try:
        content = json.loads(text.decode(), object_pairs_hook=_object)
        # Its type is that of another implementation too.
        descriptor: Any = kind.DESCRIPTOR
        _number_enums(descriptor, content, "", violations)
        return ParseDict(content, kind())
    except Exception as error:
        # The parsers raise errors of many types; what they say names the field.
        raise InvalidInput.of("request", f"is no {kind.DESCRIPTOR.name} in JSON: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"duplicate key {next(key for key in keys if keys.count(key) > 1)}")
    return content


def _number_enums(kind: Descriptor, content: Any, path: str, violations: Violations) -> None:
    """Replace the names of enum values in the JSON of a message, which is at `path`, by their numbers.

    Names that there are not are collected. What is not as it should be in another way is left to the parser.
    """
    # These have a JSON of their own.
    if not isinstance(content, dict) or kind.file.package == "google.protobuf":
        return
    fields = _fields_by_key(kind)
    for key, value in content.items():
        if field := fields.get(key):
            content[key] = _numbered(field, value, f"{path}{field.name}", violations)


def _numbered(field: FieldDescriptor, value: Any, path: str, violations: Violations) -> Any:
    kind = field.message_type
    if kind and kind.GetOptions().map_entry:
        of_value = _fields_by_key(kind).get("value")
        if of_value and isinstance(value, dict):
            return {
                key: _numbered(of_value, each, f"{path}[{json.dumps(key)}]", violations)
                for key, each in value.items()
            }
    elif isinstance(value, list):
        return [_numbered(field, each, f"{path}[{index}]", violations) for index, each in enumerate(value)]
    elif kind:
        _number_enums(kind, value, f"{path}.", violations)
    elif field.enum_type and isinstance(value, str):
        return violations.read(0, _number, field.enum_type, value, path)
    return value


def _number(enum: EnumDescriptor, name: str, path: str) -> int | str:
    """Return the number of an enum value; the parser takes a number in quotation marks as it is."""
    if (number := number_of(enum, name)) is not None:
        return number
    if unspecified := enum.values_by_name.get(name.upper()):
        return unspecified.number
    if _NUMBER.fullmatch(name):
        return name
    shown, names = name[:_MOST_CHARACTERS], list(names_of(enum).values())
    if len(names) <= _MOST_NAMES:
        raise InvalidInput.of(path, f"must be one of {', '.join(names)}, not {shown!r}")
    hint = did_you_mean(shown.upper(), names, f"docs/api.md lists the values of {enum.name}")
    raise InvalidInput.of(path, f"there is no {shown!r}: {hint}")


@cache
def _fields_by_key(kind: Descriptor) -> dict[str, FieldDescriptor]:
    """Return the fields of a message that hold enum values or messages, by both of their keys in JSON."""
    holding: Iterable[FieldDescriptor] = (
        field for field in kind.fields if field.enum_type or field.message_type
    )
    return {key: field for field in holding for key in (field.json_name, field.name)}
