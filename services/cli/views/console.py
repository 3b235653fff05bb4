"""The console: standard output with colours, and counts of progress.

Apart from the views, which all use it: a command without a table imports no more than this.
"""

from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.text import Text

# Width without a terminal: enough for all columns of all tables.
_FILE_WIDTH = 160


def make_console() -> Console:
    """Return a console on standard output, as wide as its terminal; for a file, as wide as any table."""
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_WIDTH)


def say(console: Console, text: str) -> None:
    """Print text in rich's markup; only the terminal breaks its lines."""
    console.print(text, highlight=False, soft_wrap=True)


class CountColumn(ProgressColumn):
    """A progress column that shows how much of a task is done: "1,200/4,000"."""

    def render(self, task: Task) -> Text:
        """Return the cell."""
        total = "?" if task.total is None else f"{task.total:,.0f}"
        return Text(f"{task.completed:,.0f}/{total}", style="progress.download")
