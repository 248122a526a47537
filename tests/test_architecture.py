"""What the house must not do: import what a verb does not need, or know a machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pellucid

SOURCE = Path(pellucid.__file__).parent
HEAVY = ("torch", "matplotlib", "astropy.wcs", "scipy", "sep", "skimage")
#: Beginnings of absolute paths that exist on somebody's machine only.
MACHINE = re.compile(
    r"""(?<![\w.])(/(work|home|root|Users|tmp|mnt|scratch|data|opt|var|usr)/|~/|[A-Z]:\\\w)"""
)


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after ``statement``."""
    code = f"{statement}; import sys; sys.stdout.write(' '.join(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import pellucid",
        "import pellucid.cli",
        "import pellucid.restoration",
        "from pellucid import read_image, write_image, load_restorer, SkyImage",
    ],
)
def test_starting_costs_no_heavy_import(statement):
    loaded = loaded_by(statement)
    assert any(name.startswith("pellucid") for name in loaded)
    assert not loaded & set(HEAVY)


def test_the_check_above_can_fail():
    assert "scipy" in loaded_by("import scipy")


def test_only_training_and_networks_import_torch_at_import_time():
    for file in SOURCE.rglob("*.py"):
        if file.parent.name in ("training", "networks"):
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [name for name in names if name.split(".")[0] == "torch"], file


def test_no_source_file_knows_a_path_of_a_machine():
    files = [
        file
        for file in SOURCE.rglob("*")
        if file.suffix in (".py", ".yaml", ".json", ".md", ".txt", ".html", ".toml")
    ]
    assert len(files) > 40
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            assert not MACHINE.search(line), f"{file.relative_to(SOURCE)}:{number}: {line}"


@pytest.mark.parametrize("text", ["open('/home/me/a.fits')", '"/mnt/data"', "C:\\Users", "~/a"])
def test_paths_of_machines_are_known_as_such(text):
    assert MACHINE.search(text)
    assert not MACHINE.search("https://doi.org/10.1093/mnrasl/slx008 and data/var/tmp, a / b")
