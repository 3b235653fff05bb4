"""Fields of messages, set from the options that give their values."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message

from backcast import quantities
from backcast.enumerations import short_names
from backcast.errors import InvalidRequestError
from backcast.quantities import Time


def set_whole(message: Message, field: str, options: Mapping[str, Any], name: str) -> None:
    """Set a field to a whole number, where the options have it."""
    if name in options:
        set_number(message, field, quantities.whole(options[name], name), name)


def set_fraction(message: Message, field: str, options: Mapping[str, Any], name: str) -> None:
    """Set a field to a fraction, where the options have it."""
    if name in options:
        setattr(message, field, quantities.fraction(options[name], name))


def set_choice(
    message: Message, field: str, enum: EnumDescriptor, options: Mapping[str, Any], name: str
) -> None:
    """Set a field to the value of an enumeration that the options name, where they have it."""
    if name in options:
        setattr(message, field, enum_value(enum, options, name))


def set_time(message: Any, time: Time, name: str) -> None:
    """Set a Timestamp; raise InvalidRequestError where it is not in the years 1 to 9999, UTC."""
    try:
        message.FromDatetime(quantities.time(time, name))
    except (OverflowError, ValueError) as error:
        if isinstance(error, InvalidRequestError):
            raise
        raise InvalidRequestError.of(name, "is not in the years 1 to 9999, UTC") from None


def set_number(message: Message, field: str, value: float, name: str) -> None:
    """Set a field to a number; raise InvalidRequestError where the field's type cannot hold it."""
    try:
        setattr(message, field, value)
    except ValueError:
        raise InvalidRequestError.of(name, f"{value} is out of range") from None


def enum_value(enum: EnumDescriptor, options: Mapping[str, Any], name: str) -> Any:
    """Return the number that an option names; to type checkers, each enumeration has numbers of its own."""
    return quantities.choice(options[name], enum_numbers(enum), name)


def enum_numbers(enum: EnumDescriptor) -> dict[str, int]:
    """Return the numbers of an enumeration by the short names of its values, without UNSPECIFIED = 0."""
    return {name: number for number, name in short_names(enum).items() if number}
