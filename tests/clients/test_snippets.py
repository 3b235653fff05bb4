"""The code on docs/clients.md is that of the example programs, which tests run."""

import re
import textwrap

import pytest

from tests.clients.program import PAGE, PROJECT


def regions(language: str) -> list[str]:
    """Return the marked regions of an example program, without the indentation of all of their lines."""
    sources = sorted((PROJECT / "clients" / language).glob("*.*"))
    marked = r"^[ \t]*// docs: (?!end)[a-z ]+\n(.*?)^[ \t]*// docs: end$"
    return [
        textwrap.dedent(region).strip("\n") + "\n"
        for source in sources
        if source.suffix in {".go", ".ts"}
        for region in re.findall(marked, source.read_text(), re.DOTALL | re.MULTILINE)
    ]


@pytest.mark.parametrize(("language", "info"), [("go", "go"), ("typescript", "ts")])
def test_every_snippet_is_a_region_of_the_program_and_every_region_a_snippet(
    language: str, info: str
) -> None:
    snippets = re.findall(rf"^```{info}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert sorted(snippets) == sorted(regions(language))
    assert len(snippets) > 5
