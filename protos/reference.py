"""Writes docs/api.md: every service, RPC, message, field and enum of the protos, with its comment."""

import re
from collections.abc import Iterable, Iterator, Sequence

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    OneofDescriptorProto,
    ServiceDescriptorProto,
)

HEAD = """# API reference

Generated from the comments in [protos](../protos) by `make protos`; changes belong there.
[clients.md](clients.md) explains how to make a client.
"""

# Where the types are explained that are not ours.
GOOGLE = {
    "google.protobuf": "https://protobuf.dev/reference/protobuf/google.protobuf/",
    "google.rpc": "https://github.com/googleapis/googleapis/tree/master/google/rpc",
}

# A place in a file's descriptor as SourceCodeInfo names it: field numbers and indices in turn.
Path = tuple[int, ...]

# Clients call the gateway; compute's only client is the gateway.
_RANK = {"gateway": 0, "compute": 2}

_PACKAGE: Path = (FileDescriptorProto.PACKAGE_FIELD_NUMBER,)
_FieldType = FieldDescriptorProto.Type


def reference(descriptors: FileDescriptorSet) -> str:
    """Return the page of all files of `descriptors` in packages of ours.

    The descriptors need their source info, as comments are there.
    """
    packages: dict[str, list[_File]] = {}
    # protoc's own order follows the imports, and changes with them.
    for file in sorted(descriptors.file, key=lambda file: file.name):
        if file.package.startswith("backcast."):
            packages.setdefault(file.package, []).append(_File(file))
    order = sorted(packages, key=lambda package: (_RANK.get(package.split(".")[1], 1), package))
    contents = [f"- {_link(package)}: {_listed(_names(packages[package]))}" for package in order]
    sections = [text for package in order for text in _package(package, packages[package])]
    return "\n".join([HEAD, *contents, "", *sections]).rstrip("\n") + "\n"


class _File:
    """A file's descriptor and its comments."""

    def __init__(self, descriptor: FileDescriptorProto) -> None:
        self.descriptor = descriptor
        self._comments = {
            tuple(location.path): location.leading_comments or location.trailing_comments
            for location in descriptor.source_code_info.location
        }

    def comment(self, path: Path) -> str:
        """Return the comment at a place, as Markdown; empty where there is none."""
        lines = self._comments.get(path, "").splitlines()
        return _markdown("\n".join(line.removeprefix(" ").rstrip() for line in lines)).strip("\n")

    def services(self) -> Iterator[tuple[Path, ServiceDescriptorProto]]:
        """Return the services and where they are."""
        for index, service in enumerate(self.descriptor.service):
            yield (FileDescriptorProto.SERVICE_FIELD_NUMBER, index), service

    def messages(self) -> Iterator[tuple[Path, str, DescriptorProto]]:
        """Return the messages with their names and where they are; nested ones follow their outer one."""
        for index, message in enumerate(self.descriptor.message_type):
            path = (FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER, index)
            yield from _with_nested(path, message.name, message)

    def enums(self) -> Iterator[tuple[Path, str, EnumDescriptorProto]]:
        """Return the enums with their names and where they are, those within messages too."""
        for index, enum in enumerate(self.descriptor.enum_type):
            yield (FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER, index), enum.name, enum
        for path, name, message in self.messages():
            for index, enum in enumerate(message.enum_type):
                place = (*path, DescriptorProto.ENUM_TYPE_FIELD_NUMBER, index)
                yield place, f"{name}.{enum.name}", enum


def _with_nested(
    path: Path, name: str, message: DescriptorProto
) -> Iterator[tuple[Path, str, DescriptorProto]]:
    yield path, name, message
    for index, nested in enumerate(message.nested_type):
        # Entries of maps are shown as the types of their fields.
        if not nested.options.map_entry:
            place = (*path, DescriptorProto.NESTED_TYPE_FIELD_NUMBER, index)
            yield from _with_nested(place, f"{name}.{nested.name}", nested)


def _names(files: Iterable[_File]) -> Iterator[str]:
    """Return the full names of the services of a package, and where it has none, of its messages."""
    services = [
        f"{file.descriptor.package}.{service.name}" for file in files for _, service in file.services()
    ]
    messages = (f"{file.descriptor.package}.{name}" for file in files for _, name, _ in file.messages())
    yield from services or messages


def _package(package: str, files: Sequence[_File]) -> Iterator[str]:
    yield f"{_anchor(package)}\n## {package}\n"
    yield from (f"{comment}\n" for file in files if (comment := file.comment(_PACKAGE)))
    for file in files:
        for path, service in file.services():
            yield from _service(file, path, service)
    for file in files:
        for path, name, message in file.messages():
            yield from _message(file, path, name, message)
    for file in files:
        for path, name, enum in file.enums():
            yield from _enum(file, path, name, enum)


def _service(file: _File, path: Path, service: ServiceDescriptorProto) -> Iterator[str]:
    yield f"{_anchor(file.descriptor.package, service.name)}\n### {service.name}\n\n{file.comment(path)}\n"
    for index, method in enumerate(service.method):
        place = (*path, ServiceDescriptorProto.METHOD_FIELD_NUMBER, index)
        yield f"#### {service.name}.{method.name}\n\n{_signature(method)}\n\n{file.comment(place)}\n"


def _signature(method: MethodDescriptorProto) -> str:
    takes = f"{'stream of ' * method.client_streaming}{_link(method.input_type)}"
    returns = f"{'stream of ' * method.server_streaming}{_link(method.output_type)}"
    return f"{takes} → {returns}{' (deprecated)' * method.options.deprecated}"


def _message(file: _File, path: Path, name: str, message: DescriptorProto) -> Iterator[str]:
    yield f"{_anchor(file.descriptor.package, name)}\n### {name}\n\n{file.comment(path)}\n"
    for index, oneof in enumerate(message.oneof_decl):
        # What is optional is a oneof of its own for the compiler.
        if not oneof.name.startswith("_"):
            yield _oneof(file, (*path, DescriptorProto.ONEOF_DECL_FIELD_NUMBER, index), oneof)
    if message.field:
        yield "| field | number | type | meaning |\n|-|-:|-|-|"
        for index, field in enumerate(message.field):
            place = (*path, DescriptorProto.FIELD_FIELD_NUMBER, index)
            row = (f"`{field.name}`", str(field.number), _type(message, field), file.comment(place))
            yield _row(row, field.options.deprecated)
        yield ""


def _oneof(file: _File, path: Path, oneof: OneofDescriptorProto) -> str:
    return f"At most one field of `{oneof.name}` is set: {_in_a_cell(file.comment(path))}\n"


def _enum(file: _File, path: Path, name: str, enum: EnumDescriptorProto) -> Iterator[str]:
    yield f"{_anchor(file.descriptor.package, name)}\n### {name}\n\n{file.comment(path)}\n"
    yield "| value | number | meaning |\n|-|-:|-|"
    for index, value in enumerate(enum.value):
        place = (*path, EnumDescriptorProto.VALUE_FIELD_NUMBER, index)
        yield _row((f"`{value.name}`", str(value.number), file.comment(place)), value.options.deprecated)
    yield ""


def _type(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    """Return a field's type as the .proto file says it."""
    for nested in message.nested_type:
        if nested.options.map_entry and field.type_name.endswith(f".{message.name}.{nested.name}"):
            key, value = nested.field
            return f"map of {_type(message, key)} to {_type(message, value)}"
    kind = (
        _link(field.type_name)
        if field.type_name
        else _FieldType.Name(field.type).removeprefix("TYPE_").lower()
    )
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {kind}"
    if field.proto3_optional:
        return f"optional {kind}"
    if field.HasField("oneof_index"):
        return f"{kind}, of `{message.oneof_decl[field.oneof_index].name}`"
    return kind


def _row(cells: Iterable[str], deprecated: bool) -> str:
    *others, comment = cells
    meaning = f"{'Deprecated. ' * deprecated}{_in_a_cell(comment)}"
    return f"| {' | '.join([*others, meaning])} |"


def _in_a_cell(comment: str) -> str:
    """Return a comment as one line: paragraphs and items of lists are parted by line breaks."""
    breaks = re.sub(r"\n\n+|\n(?=[-•] )", "<br>", comment)
    return " ".join(breaks.split()).replace("|", "\\|")


def _markdown(comment: str) -> str:
    """Return a comment with what Markdown would not show as it stands escaped, but in `code`."""
    parts = re.split(r"(`[^`]*`)", comment)
    return "".join(part if part.startswith("`") else re.sub(r"([*<\[\]])", r"\\\1", part) for part in parts)


def _anchor(*names: str) -> str:
    return f'<a id="{".".join(names)}"></a>'


def _link(name: str) -> str:
    """Return a link to a package, a service or a type by its full name, with a leading dot or without."""
    name = name.removeprefix(".")
    package, _, last = name.rpartition(".")
    if package in GOOGLE:
        return f"[{name}]({GOOGLE[package]})"
    text = name if re.fullmatch(r"v\d+", last) else re.sub(r".*\.v\d+\.", "", name)
    return f"[{text}](#{name})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_link(name) for name in names)
