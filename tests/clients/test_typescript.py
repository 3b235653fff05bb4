"""The client in TypeScript: its types."""

from pathlib import Path

import pytest

from tests.clients.program import printed


@pytest.mark.slow
async def test_its_types_are_right(typescript_program: Path, tools: dict[str, str]) -> None:
    await printed("npm run check", typescript_program.parent, **tools)
