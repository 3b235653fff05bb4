"""Admission and work for the runs of tests."""

import pytest

from services.gateway.runs.admission import Admission, RunLimits
from tests.gateway.runs.runs import Work


@pytest.fixture
def admission() -> Admission:
    return Admission(RunLimits(1, 1, 10, 10, 10, 10))


@pytest.fixture
def work() -> Work:
    return Work()
