"""The pages: commands that can be typed, links that lead somewhere, sources that the code has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from parsing import parsed

import pellucid

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(page: Path) -> Iterator[str]:
    """The lines of a page's blocks that begin with ``pellucid``, but for those with gaps."""
    for block in re.findall(r"^```\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            # A block may be a command's help, or what `pellucid models` says of a training.
            if line.startswith("pellucid ") and not re.search(r"[…\[|<]", line.partition(" #")[0]):
                yield line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_on_a_page_can_be_typed(page):
    for line in commands(page):
        assert parsed(line)


@pytest.mark.parametrize("name", ["telescope", "training"])
def test_commands_of_a_tutorial_can_be_typed(name):
    text = (ROOT / "docs" / "tutorials" / f"{name}.py").read_text(encoding="utf-8")
    found = re.findall(r"""^run\(\s*(['"])(pellucid .*)\1""", text, re.M)
    assert found
    for _, line in found:
        assert parsed(line)


def test_there_are_commands_on_the_pages():
    assert sum(1 for page in PAGES for _ in commands(page)) > 45


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_to_files(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"https?:|#", link):
            assert (page.parent / link.partition("#")[0]).exists(), link


def test_sources_of_the_methods_are_those_of_the_code():
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    code = "\n".join(
        file.read_text(encoding="utf-8") for file in (ROOT / "src" / "pellucid").rglob("*.py")
    )
    told = {
        (words, link) for words, link in re.findall(r"\[((?:doi|arXiv):[^\]]+)\]\(([^)]+)\)", text)
    }
    assert len(told) > 20
    for words, link in told:
        assert words in code
        assert link.endswith(words.partition(":")[2])


def test_all_that_is_offered_is_on_its_page():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^\.\. auto(?:function|class):: (\w+)$", text, re.M))
    assert shown == set(pellucid.__all__) - {"__version__"}


def test_the_citation_is_whole():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "license", "references"} <= set(cited)
    assert "10.1093/mnrasl/slx008" in {source.get("doi") for source in cited["references"]}


def test_the_cards_on_the_page_are_those_of_what_ships(capsys):
    from pellucid.cli import main
    from pellucid.networks.bundle import shipped

    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    for name in shipped():
        assert main(["models", name]) == 0
        assert f"```\n{capsys.readouterr().out}```\n" in page
