"""Short names of a protobuf enum's values: EXIT_BAND_UPPER is UPPER."""

from functools import cache

from google.protobuf.descriptor import EnumDescriptor


@cache
def names_of(enum: EnumDescriptor) -> dict[int, str]:
    """Return the names by number, without their common prefix, and without UNSPECIFIED = 0."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {value.number: value.name.removeprefix(prefix) for value in enum.values if value.number}


@cache
def numbers_of(enum: EnumDescriptor) -> dict[str, int]:
    """Return the numbers by name; see `names_of`."""
    return {name: number for number, name in names_of(enum).items()}
