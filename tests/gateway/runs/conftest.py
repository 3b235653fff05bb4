"""Admission and work for the runs of tests."""

import pytest

from services.gateway.runs.admission import Admission, Limits
from tests.gateway.runs.runs import Work


@pytest.fixture
def admission() -> Admission:
    return Admission(Limits(1, 1, 10, 10, 10, 10))


@pytest.fixture
def work() -> Work:
    return Work()
