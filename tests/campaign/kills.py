"""Commands that are killed at any moment: the old file or the new one stands, and nothing else.

    python tests/campaign/kills.py --kills 200 --trainings 50 [--seed 1]

A command overwrites a file, restores a folder or trains; a signal ends it at a random moment. Then
the output is the old one or the new one, bit for bit; the same command, run once more, ends as an
undisturbed one does, and leaves nothing beside it.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from guarded import LONGEST
from kinds import DEGRADE, WIENER, good_recipes, header

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
SIDE = 400


@dataclass(frozen=True)
class Work:
    """A command that is killed.

    Parameters
    ----------
    words
        Of the first run, and of those after it.
    output
        What counts of it: a file, or a folder with those files that are the same in each run.
    """

    words: tuple[str, ...]
    output: str
    again: tuple[str, ...] = ()
    counted: str = "*.fits"


WORKS = {
    "restore a file": Work(
        ("restore", "in/0.fits", *WIENER, "-o", "out.fits", "--overwrite"), "out.fits"
    ),
    "degrade into gzip": Work(
        ("degrade", "in/0.fits", "--fwhm", "1", "--noise", "2", "-o", "out.fits.gz", "--overwrite"),
        "out.fits.gz",
    ),
    "make a store": Work(
        ("pairs", "--sharp", "in", *DEGRADE, "-o", "out.h5", "--overwrite"), "out.h5"
    ),
    "restore a folder": Work(
        ("restore", "in", *WIENER, "-o", "out/", "--workers", "2"), "out", ("--resume",)
    ),
}  # fmt: skip
TRAINING = Work(
    ("train", "a.yaml", "--data", "a.h5", "--output", "run"),
    "run",
    ("--resume",),
    "generator.safetensors",
)


def begin(words: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """A command in a folder, in a process group of its own, on one thread."""
    command = [sys.executable, "-m", "pellucid", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    nothing = subprocess.DEVNULL
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=nothing, stderr=nothing, start_new_session=True
    )


def digest(folder: Path, work: Work) -> str | None:
    """Of the files that count; None where there are none. When they were made is left out."""
    output = folder / work.output
    files = sorted(output.glob(work.counted)) if output.is_dir() else [output] * output.exists()
    found = hashlib.sha256()
    for path in files:
        found.update(path.name.encode() + _lasting(path))
    return found.hexdigest() if files else None


def _lasting(path: Path) -> bytes:
    """A file's bytes, of FITS those of the pixels: HISTORY tells in which words it was made."""
    if path.suffix not in (".fits", ".gz"):
        return path.read_bytes()
    from astropy.io import fits

    with fits.open(path, checksum=True) as file:  # which warns of a sum that is wrong
        return b"".join(
            np.ascontiguousarray(hdu.data).tobytes() for hdu in file if hdu.data is not None
        )


def killed(work: Work, folder: Path, whole: tuple[str, float], rng: np.random.Generator) -> str:
    """Kill a run at a random moment, look at what it left, and run it again; what was wrong."""
    wanted, seconds = whole
    old = digest(folder, work)
    number = SIGNALS[rng.integers(len(SIGNALS))]
    process = begin(work.words, folder)
    time.sleep(float(rng.uniform(0.05, 1.1)) * seconds)
    process.send_signal(number)
    try:
        code = process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        return "did not end"
    if code not in (0, -number, 128 + number):
        return "wrong exit code"
    if not work.again and digest(folder, work) not in (old, wanted):
        return "neither old nor new"
    until = time.monotonic() + LONGEST  # workers see within a second of theirs that they are alone
    while _orphans(process.pid) and time.monotonic() < until:
        time.sleep(0.1)
    if _orphans(process.pid):
        return "orphan"
    resumed = begin([*work.words, *work.again], folder)
    if resumed.wait() != 0:
        return "does not go on"
    if digest(folder, work) != wanted:
        return "another result"
    if list(folder.rglob(".pellucid-*")):
        return "left behind"
    return "clean"


def _orphans(group: int) -> bool:
    """Whether a process of a group is still there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def undisturbed(work: Work, folder: Path) -> tuple[str, float]:
    """The digest of a run that nobody kills, and how long it took."""
    started = time.monotonic()
    code = begin(work.words, folder).wait()
    found = digest(folder, work)
    if code != 0 or found is None:
        raise SystemExit(f"pellucid {' '.join(work.words)} ended with {code}")
    return found, time.monotonic() - started


def prepare(folder: Path) -> None:
    """Images to restore, and what is trained on."""
    from astropy.io import fits

    (folder / "in").mkdir()
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:SIDE, :SIDE] - 0.5 * SIDE
    for k in range(12):
        light = 300.0 * np.exp(-np.hypot(y, (1.0 + 0.1 * k) * x) / 30.0)
        flux = (light + rng.normal(0.0, 1.0, light.shape)).astype("f4")
        fits.PrimaryHDU(flux, fits.Header(header())).writeto(folder / "in" / f"{k}.fits")
    recipe = good_recipes()["a.yaml"].replace(b"steps: 1\n", b"steps: 12\n")
    (folder / "a.yaml").write_bytes(recipe.replace(b"checkpoint_every: 1", b"checkpoint_every: 2"))
    typed = ("pairs", "--sharp", "in", *DEGRADE, "--size", "32", "-o", "a.h5")
    if begin(typed, folder).wait() != 0:
        raise SystemExit("no store could be made")


def tell(line: str) -> None:
    """Print at once: a run takes hours."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--trainings", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup would have ignored
    rng = np.random.default_rng(options.seed)
    share = -(-options.kills // len(WORKS))
    plan = {**{name: (work, share) for name, work in WORKS.items()}}
    plan["train"] = (TRAINING, options.trainings)
    faults = 0
    tell("| | kills | what became of them |\n|---|---:|---|")
    with tempfile.TemporaryDirectory(prefix="kills-") as place:
        folder = Path(place)
        prepare(folder)
        for name, (work, count) in plan.items():
            if not count:
                continue
            whole = undisturbed(work, folder)
            found: collections.Counter[str] = collections.Counter()
            for _ in range(count):
                if work.again:
                    shutil.rmtree(folder / work.output, ignore_errors=True)
                found[killed(work, folder, whole, rng)] += 1
            faults += count - found["clean"]
            told = ", ".join(f"{number} {what}" for what, number in found.most_common())
            tell(f"| {name} | {count} | {told} |")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
