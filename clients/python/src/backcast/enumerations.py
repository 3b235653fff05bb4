"""Values of the API's enumerations by their short names: that of RUN_STATE_RUNNING is RUNNING."""

from functools import cache

from google.protobuf.descriptor import EnumDescriptor


@cache
def short_names(enum: EnumDescriptor) -> dict[int, str]:
    """Return the short names of all values, by number; that of 0 is UNSPECIFIED."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {value.number: value.name.removeprefix(prefix) for value in enum.values}


def short_name(enum: EnumDescriptor, number: int) -> str:
    """Return the short name of a value, or its number where only a newer server has a name for it."""
    return short_names(enum).get(number, str(number))
