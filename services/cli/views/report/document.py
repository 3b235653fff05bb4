"""A report as one HTML file: words, tables and charts, with no script and nothing to load.

Words and cells are those of the command, in rich's markup. What they say is escaped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from itertools import pairwise

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from rich.table import Table
from rich.text import Text

# Styles of rich's markup that mean something, as classes of the page.
_CLASSES = {"green": "gain", "red": "loss", "yellow": "warning", "dim": "quiet", "bold": "strong"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that stands out: a label, its value and a note below, in rich's markup."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, and below it lines of words in rich's markup, charts and tables."""

    heading: str
    lines: Sequence[str] = ()
    charts: Sequence[Markup] = ()
    tables: Sequence[Table] = ()


@dataclass(slots=True)
class Report:
    """A report, which begins with what was asked for and ends with how to repeat it."""

    title: str
    lines: Sequence[str]
    """What was asked for, and what deserves a warning."""
    command: str
    """The command line that repeats it."""
    request: str
    """The request with every default, as JSON."""
    figures: Sequence[Figure] = ()
    sections: list[Section] = field(default_factory=list)
    notes: Sequence[str] = ()
    """What the figures mean."""

    def html(self) -> str:
        """Return the file's text."""
        made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        return _template().render(report=self, made=made, version=version("backcast"))


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("services.cli.views.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": words, "table": table_html}
    return environment.get_template("report.html")


def words(markup: str) -> Markup:
    """Return text in rich's markup as HTML."""
    text = Text.from_markup(markup)
    return Markup("").join(_spans(text))


def _spans(text: Text) -> Iterator[Markup]:
    """Yield the pieces of a text between the places where a style begins or ends."""
    ends = sorted({0, len(text), *(place for span in text.spans for place in (span.start, span.end))})
    for start, end in pairwise(ends):
        styles = [str(span.style) for span in text.spans if span.start <= start and span.end >= end]
        classes = " ".join(_CLASSES[style] for style in styles if style in _CLASSES)
        piece = text.plain[start:end]
        yield Markup('<span class="{}">{}</span>').format(classes, piece) if classes else Markup.escape(piece)


def table_html(table: Table) -> Markup:
    """Return one of the command's tables as HTML, in a box that scrolls by itself."""
    columns = table.columns
    align = [Markup(' class="left"') if column.justify == "left" else Markup("") for column in columns]
    head = Markup("").join(
        Markup("<th scope=col{}>{}</th>").format(kind, words(str(column.header)))
        for kind, column in zip(align, columns, strict=True)
    )
    rows = Markup("").join(
        Markup("<tr>{}</tr>\n").format(
            Markup("").join(
                Markup("<td{}>{}</td>").format(kind, words(str(cell)))
                for kind, cell in zip(align, cells, strict=True)
            )
        )
        for cells in zip(*(column.cells for column in columns), strict=True)
    )
    title = str(table.title or "")
    caption = Markup("<caption>{}</caption>").format(words(title)) if title else Markup("")
    return Markup(
        '<div class="scrolls" tabindex="0" role="region" aria-label="{}"><table>{}'
        "<thead><tr>{}</tr></thead>\n<tbody>{}</tbody></table></div>"
    ).format(title or "Table", caption, head, rows)
