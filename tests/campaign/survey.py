"""Thousands of real cutouts through `restore`, undisturbed, killed and on a cluster: one digest.

    python tests/campaign/survey.py GALAXIES [--count 10000] [--side 64] [--kills 2] [--seed 1]

GALAXIES is a folder of images of several bands; its cutouts are squares of them, the middle first,
then beside it. They are restored by two workers; then again, the whole process group killed at
random moments and resumed; then on a Dask cluster of two workers on this machine, of which one is
killed. Each time the digest of all results must be that of the first.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "helpers"))

WAY = ("--psf", "1.2", "--json")
MIDDLE = ((0, 0), (-1, -1), (1, 1), (-1, 1), (1, -1))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("galaxies", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scratch", type=Path)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(dir=options.scratch) as place:
        folder = Path(place)
        cut(options.galaxies, folder / "in", options.count, options.side)
        started = time.monotonic()
        whole = ended(restore(folder, "a", "--workers", "2"))
        seconds = time.monotonic() - started
        told("undisturbed", whole, seconds)
        shutil.rmtree(folder / "a")
        resumed = killed(folder, rng, options.kills, seconds)
        told(f"killed {options.kills} times", resumed, 0.0)
        shutil.rmtree(folder / "b")
        spread = on_dask(folder, rng, seconds)
        told("a Dask worker killed", spread, 0.0)
    alike = {report["digest"] for report in (whole, resumed, spread)}
    say("one digest" if len(alike) == 1 else f"DIFFERENT: {alike}")
    raise SystemExit(len(alike) != 1)


def cut(galaxies: Path, folder: Path, count: int, side: int) -> None:
    """Squares of the galaxies as FITS cubes: the middle of each, then squares beside it."""
    import numpy as np
    from astropy.io import fits

    from pellucid import read_image

    folder.mkdir()
    paths = sorted(path for path in galaxies.iterdir() if path.is_file())
    made = 0
    for turn, (down, right) in enumerate(MIDDLE):
        for path in paths:
            if made == count:
                return
            image = read_image(path, pixel_scale=0.396)
            _, height, width = image.flux.shape
            top, left = (
                (length - side) // 2 + step * side // 2
                for length, step in ((height, down), (width, right))
            )
            part = np.ascontiguousarray(image.flux[:, top : top + side, left : left + side])
            header = fits.Header({"BANDS": ",".join(image.bands), "PIXSCALE": 0.396})
            fits.PrimaryHDU(part, header).writeto(folder / f"{path.stem}-{turn}.fits")
            made += 1
    raise SystemExit(f"{galaxies}: gives {made} cutouts, not {count}")


def restore(folder: Path, output: str, *more: str) -> subprocess.Popen[str]:
    words = ("restore", "in", "--output", output, "--bands", "g,r,i", "--pixel-scale", "0.396")
    return subprocess.Popen(
        [sys.executable, "-m", "pellucid", *words, *WAY, *more],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> dict:
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"restore ended with {process.returncode}: {said[-500:]}")
    return json.loads(said)


def killed(folder: Path, rng: random.Random, kills: int, seconds: float) -> dict:
    for number in range(kills):
        process = restore(folder, "b", "--workers", "2", *(["--resume"] if number else []))
        time.sleep(rng.uniform(0.1, 0.9) * seconds / kills)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        say(f"killed with {sum(1 for _ in (folder / 'b').glob('*.fits'))} done")
    return ended(restore(folder, "b", "--workers", "2", "--resume"))


def on_dask(folder: Path, rng: random.Random, seconds: float) -> dict:
    from cluster import dask_cluster, dask_worker

    (folder / "cluster").mkdir()
    with dask_cluster(folder / "cluster", workers=1) as (address, _):
        lost = dask_worker(folder / "cluster")
        process = restore(folder, "c", "--scheduler", address)
        time.sleep(rng.uniform(0.2, 0.6) * seconds)
        lost.kill()
        say(f"killed with {sum(1 for _ in (folder / 'c').glob('*.fits'))} done")
        return ended(process)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def told(what: str, report: dict, seconds: float) -> None:
    counts = f"{report['done']} done, {report['failed']} failed, digest {report['digest'][:12]}"
    rate = f", {report['done'] / seconds:.1f} a second" if seconds else ""
    say(f"{what}: {counts}{rate}")


if __name__ == "__main__":
    main()
