"""Everything that pellucid writes: a command or a call for each, and what it writes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from guarded import Task
from kinds import DEGRADE, WIENER, galaxy, good_bundles, good_recipes, header

SIDE = 160


@dataclass(frozen=True)
class Writing:
    """A way to write.

    Parameters
    ----------
    task
        Of a folder with inputs; paths of what it writes are relative.
    outputs
        The files that it writes; of a folder, those that must be whole at the end.
    again
        What ends a run that was broken off, where that is another command.
    folder
        Whether it fills a folder, in which what was done already stays.
    """

    task: Callable[[Path], Task]
    outputs: tuple[str, ...] = ("out.fits",)
    again: Callable[[Path], Task] | None = None
    folder: bool = False


def typed(*words: str) -> Callable[[Path], Task]:
    """A command line, in which IN/ is the folder of inputs."""
    return lambda inputs: [word.replace("IN/", f"{inputs}/") for word in words]


def called(work: Callable[[Path], object]) -> Callable[[Path], Task]:
    """A call from Python, whose errors end as on the command line."""

    def task(inputs: Path) -> Task:
        def run() -> int:
            from pellucid.errors import PellucidError

            try:
                work(inputs)
            except PellucidError as error:
                sys.stderr.write(f"pellucid: {error}\n")
                return error.exit_code
            return 0

        return run

    return task


def restore(*words: str) -> Callable[[Path], Task]:
    return typed("restore", *words, "--overwrite")


def _by_pieces(inputs: Path) -> Task:
    """A small image, in the way of a large one."""

    def run() -> int:
        from pellucid.cli import main
        from pellucid.restoration import pieces

        pieces.LARGE = 1000
        return main(
            ["restore", f"{inputs}/images/0.fits", *WIENER, "-o", "out.fits", "--overwrite"]
        )

    return run


def _observed(inputs: Path) -> None:
    from pellucid.data.observed import ObservedPair, write_observed

    flux = np.random.default_rng(1).normal(size=(1, 64, 64)).astype("f4")
    pairs = (ObservedPair(str(k), flux, flux, 0.2, (1.0, 1.0)) for k in range(20))
    write_observed("out.h5", pairs, ("r",), None, {}, overwrite=True)


def _truth(inputs: Path) -> None:
    from pellucid.data.truth import Truth, write_truth

    write_truth("out.h5", [Truth(str(k), galaxy(3), 2.0) for k in range(20)], overwrite=True)


def _bundle(inputs: Path) -> None:
    from pellucid.networks.export import read_generator, write_bundle
    from pellucid.restoration.restorer import open_bundle

    bundle = open_bundle(inputs / "a.onnx")
    write_bundle(read_generator(bundle), bundle.card, "out.onnx")


def _checkpoint(inputs: Path) -> None:
    import torch

    from pellucid.training.checkpoint import State, save_checkpoint

    save_checkpoint("out.safetensors", {"a": torch.nn.Linear(99, 99)}, State(1, {}, {}))


def _catalogue(inputs: Path) -> None:
    from astropy.table import Table

    from pellucid.data.catalogue import write_catalogue

    table = Table({"id": np.arange(2000), "ra": np.linspace(0.0, 1.0, 2000)})
    write_catalogue(Path("out.ecsv"), table, overwrite=True)


def _table_of_a_run(inputs: Path) -> None:
    from pellucid.batch.table import write_tables

    rows = [{"id": str(k), "state": "done", "flux": [1.0], "bands": ["r"]} for k in range(999)]
    write_tables(Path("."), rows)


def _results(inputs: Path) -> None:
    from pellucid.studies.folder import write_tables

    write_tables(Path("."), {"cells.md": "| a | b |\n" * 999, "cells.ecsv": "1 2\n" * 3000})


ONE = ("IN/images/0.fits", *WIENER)
CUT = ("restore", "--catalogue", "IN/a.csv", "--image", "IN/images/0.fits", *WIENER, "--size", "48")
TRAIN = ("train", "IN/a.yaml", "--data", "IN/a.h5", "--output", "run")
FOLDER = ("restore", "IN/images", *WIENER, "-o", "out/")

WRITINGS: dict[str, Writing] = {
    **{
        kind: Writing(restore(*ONE, "-o", f"out.{ending}"), (f"out.{ending}",))
        for kind, ending in {
            "FITS": "fits",
            "FITS in gzip": "fits.gz",
            "FITS in bzip2": "fits.bz2",
            "FITS in xz": "fits.xz",
            "compressed FITS": "fits.fz",
        }.items()
    },
    "FITS with planes of errors": Writing(
        restore("IN/images/0.fits", "--model", "pellucid", "--psf", "1.2", "-o", "out.fits")
    ),
    "FITS by pieces": Writing(_by_pieces),
    "degraded FITS": Writing(
        typed("degrade", ONE[0], "--fwhm", "1", "--noise", "2", "-o", "out.fits", "--overwrite")
    ),
    "FITS and PNG": Writing(
        restore(*ONE, "-o", "out.fits", "--png", "out.png"), ("out.fits", "out.png")
    ),
    "picture": Writing(
        restore("IN/a.png", "--pixel-scale", "0.4", *WIENER, "-o", "out.png"), ("out.png",)
    ),
    "PSF": Writing(typed("psf", "IN/stars.fits", "--output", "out.fits", "--overwrite")),
    "PSF and PNG": Writing(
        typed("psf", "IN/stars.fits", "--output", "out.fits", "--png", "out.png", "--overwrite"),
        ("out.fits", "out.png"),
    ),
    "page of an evaluation": Writing(
        typed(
            *("evaluate", "--data", "IN/a.h5", "--method", "wiener", "--limit", "2"),
            *("--report", "out.html", "--overwrite"),
        ),
        ("out.html",),
    ),
    "page of a restoration": Writing(
        typed("view", "IN/restored.fits", "--output", "out.html", "--overwrite"), ("out.html",)
    ),
    "pair store": Writing(
        typed("pairs", "--sharp", "IN/images", *DEGRADE, "-o", "out.h5", "--overwrite"), ("out.h5",)
    ),
    "store of observed pairs": Writing(called(_observed), ("out.h5",)),
    "store of truth": Writing(called(_truth), ("out.h5",)),
    "bundle": Writing(called(_bundle), ("out.onnx",)),
    "checkpoint": Writing(called(_checkpoint), ("out.safetensors",)),
    "catalogue": Writing(called(_catalogue), ("out.ecsv",)),
    "table of a run": Writing(called(_table_of_a_run), ("restored.ecsv",), folder=True),
    "results of a study": Writing(called(_results), ("results/cells.ecsv",), folder=True),
    "folder of images": Writing(
        typed(*FOLDER), (), typed(*FOLDER, "--resume"), folder=True
    ),
    "store of restorations": Writing(
        typed(*CUT, "-o", "store.h5"), (), typed(*CUT, "-o", "store.h5", "--resume"), folder=True
    ),
    "training": Writing(
        typed(*TRAIN), ("run/bundle.onnx",), typed(*TRAIN, "--resume"), folder=True
    ),
}  # fmt: skip


def prepare(inputs: Path, run: Callable[[Sequence[str]], int]) -> None:
    """Write what is read, some of it by ``run`` of a command line."""
    from astropy.io import fits
    from PIL import Image

    rng = np.random.default_rng(1)
    y, x = np.mgrid[:SIDE, :SIDE] - 0.5 * SIDE
    cards = fits.Header(header())
    for folder, count in (("images", 3), ("galaxies", 24)):
        (inputs / folder).mkdir()
        for k in range(count):
            light = 300.0 * np.exp(-np.hypot(y, (1.0 + 0.1 * k) * x) / 12.0)
            flux = (light + rng.normal(0.0, 1.0, light.shape)).astype("f4")
            fits.PrimaryHDU(flux, cards).writeto(inputs / folder / f"{k}.fits")
    field = rng.normal(0.0, 1.0, (300, 300)).astype("f4")
    rows, columns = np.mgrid[:300, :300]
    for a, b in rng.uniform(20.0, 280.0, (40, 2)):
        field += 900.0 * np.exp(-((rows - a) ** 2 + (columns - b) ** 2) / 6.0).astype("f4")
    fits.PrimaryHDU(field, cards).writeto(inputs / "stars.fits")
    picture = np.clip(galaxy(3), 0, 255).astype("u1").transpose(1, 2, 0)
    Image.fromarray(picture).save(inputs / "a.png")
    (inputs / "a.csv").write_text("id,ra,dec\none,150.094,2.206\ntwo,150.0935,2.2065\n")
    recipe = good_recipes()["a.yaml"].replace(b"steps: 1\n", b"steps: 4\n")
    (inputs / "a.yaml").write_bytes(recipe)
    (inputs / "a.onnx").write_bytes(good_bundles()["a.onnx"])
    for words in (
        ["pairs", "--sharp", "galaxies", *DEGRADE, "--size", "48", "-o", "a.h5"],
        ["restore", "images/0.fits", *WIENER, "-o", "restored.fits"],
    ):
        if run(words):
            raise SystemExit(f"pellucid {' '.join(words)} failed")
