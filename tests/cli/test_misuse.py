"""Words that no verb takes end in one line, like all that is wrong."""

from __future__ import annotations

import pytest
import typer

from pellucid import cli
from pellucid.cli import main


@pytest.mark.parametrize(
    ("words", "fault", "helper"),
    [
        (["restore", "a.fits", "--psff", "1.3"], "no such option: --psff", "pellucid restore"),
        (["restore", "a.fits"], "missing option '--output'", "pellucid restore"),
        (["restore", "a.fits", "--size", "x", "-o", "b.fits"], "'--size'", "pellucid restore"),
        (["restor", "a.fits"], "Did you mean 'restore'", "pellucid"),
        (["restore", "a.fits", "--output"], "requires an argument", "pellucid restore"),
        (["models", "--jsn"], "no such option: --jsn", "pellucid models"),
        (["study", "galaxigan"], "'galaxigan'", "pellucid study"),
    ],
)
def test_misuse_is_one_line_that_names_who_knows(words, fault, helper, capsys):
    assert main(words) == 2
    out, said = capsys.readouterr()
    assert out == ""
    assert said.startswith("pellucid: ")
    assert fault in said
    assert said.endswith(f"({helper} --help lists what there is)\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["study"]])
def test_no_words_show_the_help_and_nothing_else(words, capsys):
    assert main(words) == 2
    out, said = capsys.readouterr()
    assert "Usage: pellucid" in out + said
    assert "lists what there is" not in out + said


def test_asked_for_help_is_a_success(capsys):
    assert main(["restore", "--help"]) == 0
    assert "Usage: pellucid restore" in capsys.readouterr().out


@pytest.mark.parametrize("fault", [typer.Abort, KeyboardInterrupt])
def test_an_interruption_is_one_line(fault, monkeypatch, capsys):
    def interrupted(**_):
        raise fault

    monkeypatch.setattr(cli, "app", interrupted)
    assert main(["models"]) == 130
    said = capsys.readouterr().err
    assert said.startswith("pellucid: interrupted")
    assert said.count("\n") == 1
