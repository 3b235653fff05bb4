"""The API reference, docs/api.md: whole, linked, and readable as Markdown."""

import re
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumValueDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MessageOptions,
)
from reference import reference

from backcast.compute.v1 import compute_service_pb2
from backcast.gateway.v1 import backtest_service_pb2, portfolio_service_pb2, run_service_pb2
from backcast.marketdata.v1 import market_data_service_pb2
from generate import reference_page

SERVICES = (
    *(backtest_service_pb2, compute_service_pb2, market_data_service_pb2),
    *(portfolio_service_pb2, run_service_pb2),
)


@pytest.fixture(scope="module")
def page() -> str:
    return reference_page()


def _files() -> Iterator[FileDescriptorProto]:
    """Return the files of the services and what they import of ours."""
    waiting = [module.DESCRIPTOR for module in SERVICES]
    seen = set()
    while waiting:
        file = waiting.pop()
        if file.name in seen or not file.package.startswith("backcast."):
            continue
        seen.add(file.name)
        waiting += file.dependencies
        descriptor = FileDescriptorProto()
        file.CopyToProto(descriptor)
        yield descriptor


def test_the_page_has_every_name_of_the_protos(page: str) -> None:
    missing = [
        f"{file.package}: {line}"
        for file in _files()
        for line in (
            *(
                f"#### {service.name}.{method.name}\n"
                for service in file.service
                for method in service.method
            ),
            *(f'<a id="{file.package}.{message.name}"></a>\n' for message in file.message_type),
            *(
                f"| `{field.name}` | {field.number} |"
                for message in file.message_type
                for field in message.field
            ),
            *(f"| `{value.name}` | {value.number} |" for enum in file.enum_type for value in enum.value),
        )
        if line not in page
    ]
    assert missing == []


def test_every_field_and_value_has_a_meaning(page: str) -> None:
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 300
    assert [row for row in rows if not re.fullmatch(r"\|.*\| \S.* \|", row)] == []


def test_every_link_within_the_page_has_its_target(page: str) -> None:
    targets = re.findall(r'<a id="([^"]+)"', page)
    assert len(targets) == len(set(targets))
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= set(targets)


def _commented(file: FileDescriptorProto, comment: str, *path: int) -> None:
    file.source_code_info.location.add(path=path, leading_comments=comment)


@pytest.fixture
def file() -> FileDescriptorProto:
    """A file with one message, Order, which has one field, and its comment."""
    file = FileDescriptorProto(name="order.proto", package="backcast.order.v1", syntax="proto3")
    file.message_type.add(name="Order").field.add(
        name="amount",
        number=1,
        type=FieldDescriptorProto.TYPE_DOUBLE,
        label=FieldDescriptorProto.LABEL_OPTIONAL,
    )
    return file


def test_a_comment_in_a_table_is_one_line_without_bars(file: FileDescriptorProto) -> None:
    _commented(file, " Units | lots,\n at most 8:\n\n - a * b < c\n - `d * e`\n", 4, 0, 2, 0)
    expected = r"| `amount` | 1 | double | Units \| lots, at most 8:<br>- a \* b \< c<br>- `d * e` |"
    assert expected in reference(FileDescriptorSet(file=[file]))


def test_a_comment_outside_of_tables_keeps_its_lines(file: FileDescriptorProto) -> None:
    _commented(file, " An order:\n\n - of a client\n - of a day\n", 4, 0)
    assert "### Order\n\nAn order:\n\n- of a client\n- of a day\n" in reference(
        FileDescriptorSet(file=[file])
    )


def test_a_package_shows_its_comment(file: FileDescriptorProto) -> None:
    _commented(file, " Internal.\n", 2)
    assert "## backcast.order.v1\n\nInternal.\n" in reference(FileDescriptorSet(file=[file]))


def test_a_map_shows_the_types_of_its_keys_and_values(file: FileDescriptorProto) -> None:
    order = file.message_type[0]
    entry = DescriptorProto(name="TagsEntry", options=MessageOptions(map_entry=True))
    for number, name in enumerate(("key", "value"), 1):
        entry.field.add(name=name, number=number, type=FieldDescriptorProto.TYPE_STRING)
    order.nested_type.append(entry)
    order.field.add(
        name="tags",
        number=2,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=".backcast.order.v1.Order.TagsEntry",
        label=FieldDescriptorProto.LABEL_REPEATED,
    )
    page = reference(FileDescriptorSet(file=[file]))
    assert "| `tags` | 2 | map of string to string |" in page
    assert "TagsEntry" not in page


def test_types_within_a_message_have_sections_of_their_own(file: FileDescriptorProto) -> None:
    order = file.message_type[0]
    order.nested_type.add(name="Part")
    order.enum_type.append(
        EnumDescriptorProto(name="Side", value=[EnumValueDescriptorProto(name="SIDE_UNSPECIFIED", number=0)])
    )
    page = reference(FileDescriptorSet(file=[file]))
    assert "### Order.Part\n" in page
    assert "### Order.Side\n" in page
    assert "| `SIDE_UNSPECIFIED` | 0 |" in page


def test_what_is_deprecated_says_so(file: FileDescriptorProto) -> None:
    file.message_type[0].field[0].options.deprecated = True
    _commented(file, " Units.", 4, 0, 2, 0)
    assert "| Deprecated. Units. |" in reference(FileDescriptorSet(file=[file]))
