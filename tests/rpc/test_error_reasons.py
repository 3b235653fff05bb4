"""docs/errors.md has every reason that the code gives, with codes and metadata; a test expects each."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.rpc import code_pb2

from backcast.gateway.v1.backtest_service_pb2 import ParseRulesRequest
from backcast_engine.errors import BackcastError, ErrorReason, InvalidInput
from services.compute.tasks.errors import WorkerDied
from services.data.store import database
from services.gateway.messages.strategies import parsed_texts
from services.rpc.status import status_of

PROJECT = Path(__file__).parents[2]
TESTS = PROJECT / "tests"
# Errors of feeds are raised by the command, and by no call.
SOURCES = [
    path
    for folder in ("services", "engine/src")
    for path in (PROJECT / folder).rglob("*.py")
    if "feed" not in path.parts
]
# Errors that are defined beside the code that raises them.
DEFINED_ELSEWHERE = (WorkerDied, database.DatabaseUnavailable)

Row = tuple[set[str], set[str]]


def error_classes(base: type[BackcastError] = BackcastError) -> Iterator[type[BackcastError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from error_classes(kind)


def code_of(kind: type[BackcastError]) -> str:
    error = kind.__new__(kind)
    BackcastError.__init__(error)
    error.__dict__.update(violations=(), retry_after_s=0.0)
    return code_pb2.Code.Name(status_of(error).code)


def given_reasons() -> dict[str, Row]:
    """Return the codes and the metadata of each reason, by the calls that make errors."""
    kinds = {kind.__name__: kind for kind in error_classes()}
    given: dict[str, Row] = defaultdict(lambda: (set(), set()))
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                if name in kinds:
                    codes, metadata = given[reason_in(node) or kinds[name].reason]
                    codes.add(code_of(kinds[name]))
                    metadata |= {word.arg for word in node.keywords if word.arg not in (None, "reason")}
    return given


def reason_in(call: ast.Call) -> str | None:
    for argument in (*call.args, *(word.value for word in call.keywords)):
        if isinstance(argument, ast.Attribute) and is_reason(argument):
            return ErrorReason[argument.attr]
    return None


def documented_reasons() -> dict[str, Row]:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| ([A-Z_, ]+) \| (.*?) ?\| .+ \|$",
        (PROJECT / "docs" / "errors.md").read_text(),
        re.MULTILINE,
    )
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    return {
        reason: (set(codes.split(", ")), set(re.findall(r"`(\w+)`", metadata)))
        for reason, codes, metadata in rows
    }


def test_every_reason_is_documented_and_given() -> None:
    given = given_reasons()
    # Its metadata is named after the texts that are wrong, so that the call does not name it.
    with pytest.raises(InvalidInput) as wrong:
        parsed_texts(ParseRulesRequest(entry="close >", exit="close <"))
    given[wrong.value.reason][1].update(wrong.value.metadata)
    assert documented_reasons() == given
    assert set(given) == set(ErrorReason)


def expected_reasons() -> set[ErrorReason]:
    """Return the reasons that tests expect of what they call; those of errors that they make do not count."""
    found = set()
    # The tests beside this one convert errors, which they make.
    for path in (path for path in TESTS.rglob("test_*.py") if path.parent != Path(__file__).parent):
        text = path.read_text()
        nodes = list(ast.walk(ast.parse(text))) if "ErrorReason" in text else []
        made = {id(node.value) for node in nodes if isinstance(node, ast.keyword) and node.arg == "reason"}
        for node in nodes:
            if isinstance(node, ast.Attribute) and id(node) not in made and is_reason(node):
                found.add(ErrorReason[node.attr])
    return found


def is_reason(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "ErrorReason"


def test_every_reason_is_expected_by_a_test_of_what_gives_it() -> None:
    assert set(ErrorReason) - expected_reasons() == set()


def test_the_names_of_reasons_are_their_values() -> None:
    assert all(reason.name == reason.value for reason in ErrorReason)
