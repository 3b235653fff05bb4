"""Other backtesters, measured in the same rounds: the optional group `bench`, which nothing else uses."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from rich.console import Console

from services.cli.views.console import say


@dataclass(frozen=True, slots=True)
class Peers:
    """The modules of those that are installed."""

    vectorbt: ModuleType | None
    backtesting: ModuleType | None


def load_peers(console: Console) -> Peers:
    """Import what can be imported, and say loudly what cannot."""
    with console.status("importing the peers"):
        return Peers(_load("vectorbt", console), _load("backtesting", console))


def _load(name: str, console: Console) -> ModuleType | None:
    try:
        return import_module(f"{__name__}.{name}_peer")
    # Whatever it is: a package that does not fit the others fails in ways of its own.
    except Exception as error:
        say(
            console,
            f"[bold red]NOT MEASURED: {name}[/bold red] cannot be imported: {error!r}. "
            "`make bench` installs it where that is possible; here there is nothing to compare with.",
        )
        return None
