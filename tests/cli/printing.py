"""What a console of a width prints."""

import io

from rich.console import Console, RenderableType


def printed(shown: RenderableType, width: int) -> list[str]:
    """Return the lines that are not empty, without the spaces at their ends."""
    console = Console(file=io.StringIO(), width=width)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]
