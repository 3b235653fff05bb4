"""What docs/rules.md says can be written can be, and its error is the one that comes."""

import re
from pathlib import Path

import pytest

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.rules.parse import fault_at, parse
from backcast_engine.rules.signature import ValueKind
from backcast_engine.strategies.custom_rules import CustomRules

DOCUMENT = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()


def test_the_rules_on_the_page_are_read():
    lines = re.findall(r"(?:--entry|--exit) '(.*?)'", DOCUMENT) + re.findall(
        r"^(?:entry|exit): (.*)$", DOCUMENT, re.M
    )
    assert len(lines) == 6
    for line in lines:
        parse(line, "it")


def test_the_equalities_on_the_page_hold():
    pairs = re.findall(r"`(\w+\([^`]*\))`\s+is\s+`(\w+\([^`]*\))`", DOCUMENT)
    assert len(pairs) == 6
    for short, long in pairs:
        assert parse(short, "it", ValueKind.SERIES) == parse(long, "it", ValueKind.SERIES)


def test_the_error_on_the_page_is_the_one_that_comes():
    shown, of_interval = re.findall(r"^backcast: (.*\n  (.*)\n.*\^)$", DOCUMENT, re.M)
    with pytest.raises(InvalidInput) as caught:
        parse(shown[1], "--entry")
    assert str(caught.value) == shown[0]
    rules = CustomRules(parse(of_interval[1], "--entry"))
    (violation,) = rules.interval_violations(Interval.HOUR_1)
    marked = fault_at(of_interval[1], violation.field, violation.reason).shown_in(of_interval[1])
    assert f"--entry: {marked}" == of_interval[0]
