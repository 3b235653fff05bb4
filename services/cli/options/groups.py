"""Groups of options that several commands share, declared once as the fields of a dataclass."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

_Command = Callable[..., None]
_BY_NAME = inspect.Parameter.KEYWORD_ONLY


def takes_groups(command: _Command) -> _Command:
    """Let a command take dataclasses as parameters; on the command line, each of their fields is an option.

    A field is declared like a parameter for Typer, with an Annotated type.
    """
    declared = inspect.signature(command).parameters.values()
    groups: dict[str, type[Any]] = {
        one.name: one.annotation
        for one in declared
        if isinstance(one.annotation, type) and is_dataclass(one.annotation)
    }

    def run(**given: Any) -> None:
        filled = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**filled, **given)

    options: list[inspect.Parameter] = []
    for one in declared:
        options += _options(groups[one.name]) if one.name in groups else [one.replace(kind=_BY_NAME)]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    # Typer reads the command's signature.
    run.__annotations__ = {option.name: option.annotation for option in options}
    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return run


def _options(group: type[Any]) -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            field.name,
            _BY_NAME,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=field.type,
        )
        for field in fields(group)
    ]
