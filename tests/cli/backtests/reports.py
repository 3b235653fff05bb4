"""Reads a report as a browser does, and checks that it is whole and needs nothing else."""

import re
from html.parser import HTMLParser
from pathlib import Path

from tests.cli.conftest import Cli

# Elements without an end.
_VOID = {"meta", "br", "line", "polyline", "polygon"}


class Document(HTMLParser):
    """Reads a report: its elements, the text in them, and whether each of them ends."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.text.setdefault(tag, []).append("")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.text.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in {*self.open}:
            self.text[tag][-1] += data

    def of(self, tag: str) -> list[str]:
        """Return the texts of all elements of a kind."""
        return self.text.get(tag, [])


async def report_of(cli: Cli, path: Path, *arguments: object) -> Document:
    """Return a report; it is whole, and loads nothing."""
    finished = await cli("report", *arguments, "--output", path)
    assert finished.status == 0, finished.err
    assert finished.out == f"{len(path.read_bytes()) / 1000:,.0f} kB in {path}\n"
    document = Document(path.read_text(encoding="utf-8"))
    assert document.open == []
    assert not document.of("script")
    assert not {name for _, name, _ in document.attributes} & {"src", "href", "srcset", "action", "onclick"}
    assert not re.search(r"url\(|@import|https?://", path.read_text(encoding="utf-8"))
    return document
