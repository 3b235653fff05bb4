"""One error has all that is wrong with a request, as far as it fits into the end of a call."""

import pytest

from backcast_engine.errors import InvalidInput, Violation, Violations


def bad(field: str, reason: str = "is bad") -> None:
    raise InvalidInput.of(field, reason)


def reported(violations: Violations) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        violations.raise_if_any()
    return [str(violation) for violation in caught.value.violations]


def test_violations_that_were_read_and_added_are_reported_together() -> None:
    violations = Violations()
    assert violations.read("default", bad, "a") == "default"
    violations.add(Violation("b", "is bad"))
    assert violations.read("default", str, 7) == "7"
    assert reported(violations) == ["a: is bad", "b: is bad"]


def test_a_field_that_was_found_wrong_is_not_reported_again() -> None:
    violations = Violations()
    violations.read(None, bad, "a")
    violations.read(None, bad, "a", "is no default")
    # Both violations of one finding are kept.
    violations.add(Violation("a", "is out of range"), Violation("b", "is 1"), Violation("b", "is 2"))
    assert reported(violations) == ["a: is bad", "b: is 1", "b: is 2"]


def test_others_are_reported_only_with_what_was_found() -> None:
    def others() -> list[Violation]:
        return [Violation("a", "is out of range"), Violation("c", "is bad")]

    violations = Violations()
    violations.raise_if_any(others)
    violations.read(None, bad, "a")
    with pytest.raises(InvalidInput, match=r"^a: is bad; c: is bad$"):
        violations.raise_if_any(others)


def test_an_error_is_no_longer_than_the_end_of_a_call_can_be() -> None:
    violations = Violations()
    violations.add(*(Violation(f"symbols[{number}]", "x" * 80) for number in range(10_000)))
    kept = reported(violations)
    assert 20 < len(kept) < 30
    assert sum(map(len, kept)) <= 2_500
    # The first one is kept in any case.
    long = Violations()
    long.add(Violation("a", "x" * 5_000), Violation("b", "is bad"))
    assert reported(long) == [f"a: {'x' * 5_000}"]
