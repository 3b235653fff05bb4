"""Short names of a protobuf enum's values: EXIT_BAND_UPPER is UPPER.

Apart from the conversions, which need the engine: the command names values without importing it.
"""

from functools import cache

from google.protobuf.descriptor import EnumDescriptor


@cache
def names_of(enum: EnumDescriptor) -> dict[int, str]:
    """Return the names by number, without their common prefix, and without UNSPECIFIED = 0."""
    prefix = _prefix(enum)
    return {value.number: value.name.removeprefix(prefix) for value in enum.values if value.number}


@cache
def numbers_of(enum: EnumDescriptor) -> dict[str, int]:
    """Return the numbers by name; see `names_of`."""
    return {name: number for number, name in names_of(enum).items()}


def number_of(enum: EnumDescriptor, text: str) -> int | None:
    """Return the number of the value that `text` names, None where it names none.

    A name is taken in any case, with the enumeration's prefix or without: upper, UPPER, EXIT_BAND_UPPER.
    """
    return numbers_of(enum).get(text.upper().removeprefix(_prefix(enum)))


def _prefix(enum: EnumDescriptor) -> str:
    return enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
