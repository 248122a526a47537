"""Damaged files of every kind, thousands of them, and what the command line makes of each.

    python tests/campaign/run.py --inputs 10000 [--kind "FITS images"] [--seed 1] [--keep FOLDER]

Each is one command in a process of its own with 2 GB and 20 s of a processor. It prints a table of
counts; what was clean ended with the exit code for a good file or a bad one, one line of stderr
that names the fault, and nothing left behind.
"""

from __future__ import annotations

import argparse
import collections
import importlib
import pkgutil
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from guarded import Outcome, guarded
from kinds import KINDS, Kind, good_images

import pellucid

#: All done, some objects failed, usage, bad input.
DUE = (0, 1, 2, 3)
FAULTS = ("traceback", "hang", "memory", "wrong exit code", "no name", "left behind")


class Trial(NamedTuple):
    """A damaged file and a command.

    Parameters
    ----------
    seed
        Of it, by which it can be made again.
    words
        What was typed.
    """

    seed: int
    words: tuple[str, ...]
    fault: str | None
    said: str


def trial(kind: Kind, good: dict[str, bytes], store: bytes, seed: int, folder: Path) -> Trial:
    """Damage a file, ask something of it, and judge the answer; the ``folder`` is left empty."""
    rng = np.random.default_rng(seed)
    name = str(rng.choice(list(good)))
    content = good[name]
    for _ in range(rng.integers(1, 3)):
        damaged = kind.damage[rng.integers(len(kind.damage))]
        try:
            content = damaged(content, rng) or content
        except Exception:  # what is damaged already cannot always be damaged by its format
            continue
    words = kind.commands[rng.integers(len(kind.commands))]
    inputs = folder / "in"
    inputs.mkdir(parents=True)
    (inputs / name).write_bytes(content)
    (inputs / "good.fits").write_bytes(good_images()["plane.fits"])
    if "STORE" in words:
        (inputs / "store.h5").write_bytes(store)
    places = {"FILE": f"in/{name}", "GOOD": "in/good.fits", "FOLDER": "in", "STORE": "in/store.h5"}
    typed = tuple(places.get(word, word) for word in words)
    before = {path.name for path in inputs.iterdir()}
    outcome = guarded(typed, folder)
    named = {word for word in typed if word in places.values() or word.startswith("out")}
    fault = judged(outcome, folder, before, named)
    return Trial(seed, typed, fault, outcome.said)


def judged(outcome: Outcome, folder: Path, before: set[str], named: set[str]) -> str | None:
    """What is wrong with an answer to words that ``named`` these files; None where nothing is."""
    if outcome.hung:
        return "hang"
    if "Traceback (most recent call last)" in outcome.said or outcome.code < 0:
        return "traceback"
    # A recipe that names no network has the paper's, which needs more to be trained.
    modest = outcome.code == 75 and "not enough memory to train so" in outcome.said
    if "not enough memory" in outcome.said and not modest:
        return "memory"
    if outcome.code not in DUE and not modest:
        return "wrong exit code"
    lines = outcome.said.strip().splitlines()
    if outcome.code == 3 and not (
        lines and any(name.rstrip("/") in line for name in named for line in lines)
    ):
        return "no name"
    if any(
        (ord(char) < 32 and char not in "\n\t") or 127 <= ord(char) < 160 for char in outcome.said
    ):
        return "control characters"
    left = {path.name for path in folder.iterdir()} - {"in"}
    stray = {path.name for path in (folder / "in").iterdir()} - before
    allowed = (
        {"out.fits", "out.png", "out.h5", "out", "run"}
        if outcome.code in (0, 1)
        else {"out", "run"}
    )
    if stray or left - allowed:
        return "left behind"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--kind", choices=list(KINDS), action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="write what was wrong, and how it was typed")
    options = parser.parse_args()
    _load()
    chosen = {name: KINDS[name] for name in options.kind or KINDS}
    store = KINDS["stores"].good()["a.h5"]
    counts: dict[str, collections.Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="campaign-") as place:
        for name, kind in chosen.items():
            good, found = kind.good(), counts.setdefault(name, collections.Counter())
            for number in range(-(-options.inputs // len(chosen))):
                seed = options.seed * 1_000_000 + number
                folder = Path(place, "trial")
                done = trial(kind, good, store, seed, folder)
                found[done.fault or "clean"] += 1
                if done.fault and options.keep is not None:
                    there = options.keep / f"{name.replace(' ', '-')}-{seed}"
                    shutil.copytree(folder, there, dirs_exist_ok=True)
                    text = f"{done.fault}\npellucid {' '.join(done.words)}\n\n{done.said}"
                    (there / "what.txt").write_text(text)
                shutil.rmtree(folder)
    sys.stdout.write(table(counts) + "\n")
    return int(any(set(found) - {"clean"} for found in counts.values()))


def _load() -> None:
    """What every command loads, once; nothing here may start a thread, or forks would hang."""
    ours = pkgutil.walk_packages(pellucid.__path__, "pellucid.")
    for name in (
        *("astropy.io.fits", "astropy.table", "astropy.wcs", "astropy.io.votable", "h5py", "sep"),
        *("scipy.ndimage", "scipy.optimize", "skimage.measure", "onnxruntime", "onnxscript"),
        *(module.name for module in ours if module.name != "pellucid.__main__"),
    ):
        importlib.import_module(name)


def table(counts: dict[str, collections.Counter[str]]) -> str:
    """The counts as Markdown."""
    columns = [
        "clean",
        *dict.fromkeys([*FAULTS, *(key for found in counts.values() for key in found)]),
    ]
    columns = list(dict.fromkeys(columns))
    lines = [f"| | inputs | {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) + 1)]
    for name, found in counts.items():
        numbers = " | ".join(str(found[column]) for column in columns)
        lines.append(f"| {name} | {sum(found.values())} | {numbers} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
