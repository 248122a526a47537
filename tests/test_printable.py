"""What files say reaches the terminal without moving its cursor."""

import pytest

from pellucid.cli import main
from pellucid.errors import printable
from pellucid.evaluation.tables import markdown_table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("NGC 4321 é ″", "NGC 4321 é ″"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("\x07\x9b2J", r"\x07\x9b2J"),
        ("left\u202eright", r"left\u202eright"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_control_characters_are_spelled_out(text, shown):
    assert printable(text) == shown


def test_a_column_of_bells_rings_none(tmp_path, capsys):
    (tmp_path / "sharp").mkdir()
    table = tmp_path / "a.csv"
    table.write_bytes(b"'\x07\x1b[31m',ra\n1,2\n")
    typed = ["pairs", "--sharp", tmp_path / "sharp", "--catalogue", table, "--degrade", "fwhm=1"]
    assert main([*map(str, typed), "--output", str(tmp_path / "a.h5")]) == 3
    said = capsys.readouterr().err
    assert r"\x07\x1b[31m" in said
    assert "\x07" not in said
    assert "\x1b" not in said


def test_a_name_makes_no_new_column_of_a_table():
    assert markdown_table(["a"], [["x | y\x1b"]]).splitlines()[-1] == r"| x \| y\x1b |"
