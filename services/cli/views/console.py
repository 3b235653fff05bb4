"""Standard output for people."""

from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.text import Text

# Wide enough for all columns of all tables, where nobody's terminal sets a limit.
_FILE_WIDTH = 160


def make_console() -> Console:
    """Return standard output: as wide as its terminal, or wide enough for everything where it is a file."""
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_WIDTH)


def say(console: Console, text: str) -> None:
    """Print prose: with colours where it marks them, and lines broken by the terminal only."""
    console.print(text, highlight=False, soft_wrap=True)


def counted(count: int, noun: str) -> str:
    """Return so many of something: "1 crypto", "1,200 cryptos", "2 histories"."""
    if count != 1:
        noun = f"{noun.removesuffix('y')}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count:,} {noun}"


class CountColumn(ProgressColumn):
    """How much of a task is done: "1,200/4,000"."""

    def render(self, task: Task) -> Text:
        """Return the cell."""
        total = "?" if task.total is None else f"{task.total:,.0f}"
        return Text(f"{task.completed:,.0f}/{total}", style="progress.download")
