"""Standard output for people."""

from rich.console import Console

# Wide enough for all columns of all tables, where nobody's terminal sets a limit.
_FILE_WIDTH = 160


def make_console() -> Console:
    """Return standard output: as wide as its terminal, or wide enough for everything where it is a file."""
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_WIDTH)


def say(console: Console, text: str) -> None:
    """Print prose: with colours where it marks them, and lines broken by the terminal only."""
    console.print(text, highlight=False, soft_wrap=True)
