"""Requests of tests, from fields without the message in which some of them are embedded."""

from typing import Any

_IN_SPEC = ("strategy", "interval", "start_time", "startTime", "end_time", "endTime", "execution")


def with_spec(**fields: Any) -> dict[str, Any]:
    """Return a request's fields with those of its backtest in `spec`."""
    spec = {name: value for name, value in fields.items() if name in _IN_SPEC}
    others = {name: value for name, value in fields.items() if name not in _IN_SPEC}
    return {**others, "spec": spec} if spec else others
