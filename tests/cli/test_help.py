"""What the terminal tells whoever does not know yet what to type, or typed what cannot be done."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from parsing import parsed, verbs
from typed import INPUT, USAGE

from pellucid.cli import main
from pellucid.cli.pages import EXAMPLES, FIRST, PAGES, page_of
from pellucid.errors import InputError, TemporaryError, naming

DOCS = Path(__file__).parents[2] / "docs"


def words(text: str) -> str:
    """What was printed, whatever the terminal's width and its frames."""
    return " ".join(text.replace("│", " ").split())


def test_each_verb_has_examples():
    assert sorted(EXAMPLES) == sorted(verbs())


@pytest.mark.parametrize("verb", EXAMPLES)
def test_help_ends_with_two_examples_that_can_be_typed(verb, pellucid):
    *examples, page = EXAMPLES[verb]
    for example in examples:
        assert parsed(example) == verb
        assert len(example) <= 78, "a terminal would break it"
    printed = words(pellucid(*verb.split(), "--help"))
    assert printed.endswith(words(f"Examples: {' '.join(examples)} More: docs/{page}"))


@pytest.mark.parametrize("group", ["study", "fetch"])
def test_a_group_without_a_verb_shows_an_example_of_each(group, capsys):
    assert main([group]) == USAGE
    printed = words("".join(capsys.readouterr()))
    inside = [told for verb, told in EXAMPLES.items() if verb.split()[0] == group]
    assert len(inside) > 1
    assert all(example in printed for example, *_ in inside)


@pytest.mark.parametrize("line", ["pellucid restor a.fits", "pellucid restore a.fits --psv 1 -o b"])
def test_the_check_above_can_fail(line):
    with pytest.raises(Exception, match=r"(?i)no such"):
        parsed(line)


def test_without_words_the_last_lines_say_what_to_type_first(capsys):
    assert main([]) == USAGE
    printed = words("".join(capsys.readouterr()))
    last = printed[printed.index("Begin with") :]
    for line in FIRST:
        assert line in last
        assert parsed(line)
        assert len(line) <= 78
    assert "--install-completion" in last


def test_completion_knows_the_verbs(run_python, monkeypatch):
    monkeypatch.setenv("_PELLUCID_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "pellucid re")
    monkeypatch.setenv("COMP_CWORD", "1")
    code = "import sys; from pellucid.cli import main; sys.exit(main([]))"
    assert run_python("-c", code).stdout.split() == ["restore"]


@pytest.mark.parametrize(
    "page", sorted({*PAGES.values(), *(told[-1] for told in EXAMPLES.values())})
)
def test_the_pages_that_are_named_exist(page):
    name, _, anchor = page.partition("#")
    text = (DOCS / name).read_text(encoding="utf-8")
    headings = [line.lstrip("# ").lower().replace(" ", "-") for line in text.splitlines()]
    assert not anchor or anchor in headings


@pytest.mark.parametrize("module", PAGES)
def test_what_a_page_is_of_exists(module):
    assert find_spec(module)


@pytest.fixture
def galaxy(tmp_path):
    """A file without a star, a PSF, or the size of its pixels."""
    path = tmp_path / "galaxy.fits"
    flux = np.random.default_rng(1).normal(0, 1, (64, 64)).astype("f4")
    fits.writeto(path, flux, fits.Header({"BUNIT": "adu"}))
    return path


def test_an_error_names_the_page_that_helps(galaxy, tmp_path, refused):
    out = tmp_path / "out.fits"
    text = tmp_path / "notes.fits"
    text.write_text("no FITS")
    for path, page, *options in (
        (text, "files.md"),
        (galaxy, "files.md", "--hdu", 7),
        (galaxy, "psf.md", "--psf", "stars", "--pixel-scale", 0.4),
    ):
        line = refused(INPUT, "restore", path, *options, "-o", out, naming=path)
        assert line.startswith(f"pellucid: {path}: ")
        assert line.endswith(f" (more: docs/{page})\n")


def test_an_error_that_no_page_helps_with_names_none(galaxy, tmp_path, refused):
    gone = tmp_path / "gone.fits"
    assert "docs/" not in refused(INPUT, "restore", gone, "-o", tmp_path / "out.fits", naming=gone)
    line = refused(
        USAGE, "restore", galaxy, "--method", "wiener", "--psf", 1, "-o", galaxy, naming=galaxy
    )
    assert "docs/" not in line


def test_no_page_helps_where_the_machine_is_in_the_way():
    for kind, page in ((TemporaryError, None), (InputError, "files.md")):
        with pytest.raises(kind) as raised, naming("a.fits"):
            exec("raise kind('no space left')", {"kind": kind, "__name__": "pellucid.fits.write"})
        assert page_of(raised.value) == page
