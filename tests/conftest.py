"""What several test files share: real galaxies, a pair store of them, and networks too small to
be of use, trained and written in seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from pellucid.networks.bundle import Card
from pellucid.sky.image import SkyImage
from pellucid.stretch import GalaxyGANStretch

# A shell that starts the tests in the background, or nohup, has them ignore what they send.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

SCALE = 0.396

TINY_RECIPE = """\
name: tiny
description: a network for tests
network: {width: 4, levels: 3, norm: batch}
stretch: {name: noise, high: 1000}
size: 32
batch: 2
steps: 6
grey: 0.2
average_decay: 0.5
checkpoint_every: 3
validate_every: 3
validation_images: 2
seed: 5
"""


def _sky_header(**cards: object) -> fits.Header:
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = 150.0, 2.0
    header["CRPIX1"], header["CRPIX2"] = 20.5, 24.5
    header["CDELT1"], header["CDELT2"] = -SCALE / 3600, SCALE / 3600
    header["BUNIT"] = "nanomaggy"
    header.update(cards)
    return header


@pytest.fixture
def sky_header() -> Callable[..., fits.Header]:
    """Makes the header of a gnomonic sky of 0.396 arcsec per pixel in nanomaggies."""
    return _sky_header


@pytest.fixture(scope="session")
def deep_field() -> SkyImage:
    """The Hubble Deep Field of scikit-image as flux in nanomaggies, 872 × 1000 pixels."""
    from skimage.data import hubble_deep_field

    value = np.moveaxis(hubble_deep_field(), -1, 0)[::-1] / np.float32(255)
    return SkyImage(
        GalaxyGANStretch().inverse(value),
        bands=("g", "r", "i"),
        unit="nanomaggy",
        pixel_scale=SCALE,
    )


@pytest.fixture(scope="session")
def galaxy(deep_field) -> SkyImage:
    """A galaxy of the deep field, 56 × 44 pixels, g, r and i."""
    return deep_field.cutout(372, 102, 56, 44)


@pytest.fixture
def bands_of(galaxy, tmp_path) -> list[Path]:
    """The galaxy as g.fits, r.fits and i.fits with coordinates and cards of their own."""
    paths = []
    for band, plane in zip(galaxy.bands, galaxy.flux, strict=True):
        header = _sky_header(FILTER=band, MAGZERO=22.5, OBSERVER="Hubble")
        paths.append(tmp_path / f"{band}.fits")
        fits.PrimaryHDU(plane, header).writeto(paths[-1])
    return paths


@pytest.fixture(scope="session")
def galaxy_folder(deep_field, tmp_path_factory) -> Path:
    """A folder of 22 sharp galaxies, 48 × 48 pixels, one FITS cube each; three are held back."""
    folder = tmp_path_factory.mktemp("galaxies")
    for k in range(18, 40):
        cut = deep_field.cutout(60 * (k % 13), 45 * (k % 20), 48, 48)
        header = _sky_header(BAND1="g", BAND2="r", BAND3="i")
        fits.PrimaryHDU(cut.flux, header).writeto(folder / f"hdf-{k:02d}.fits")
    return folder


@pytest.fixture(scope="session")
def pair_store(galaxy_folder, tmp_path_factory) -> Path:
    """The folder as a pair store, made on the command line."""
    from pellucid.cli import main

    path = tmp_path_factory.mktemp("store") / "pairs.h5"
    command = ["pairs", "--sharp", galaxy_folder, "--degrade", "fwhm=1.2 noise=2"]
    assert main([*map(str, command), "--output", str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(TINY_RECIPE)
    return path


@pytest.fixture(scope="session")
def trained(pair_store, tiny_recipe, tmp_path_factory) -> Path:
    """The folder of a whole run of the tiny recipe."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from pellucid.cli import main

    run = tmp_path_factory.mktemp("runs") / "tiny"
    command = ["train", tiny_recipe, "--data", pair_store, "--output", run]
    assert main([*map(str, command)]) == 0
    return run


@pytest.fixture(scope="session")
def tiny_bundle(trained) -> Path:
    """A trained bundle for g, r, i (or one band) at 0.396 arcsec per pixel."""
    return trained / "bundle.onnx"


@pytest.fixture
def card() -> Card:
    """The card of a network for g, r, i that nobody trained, in tiles of 32 pixels."""
    return Card(
        name="untrained",
        model="galaxygan",
        network={"bands": 3, "width": 4, "levels": 3, "norm": "batch", "dropout": 0.5},
        bands=("g", "r", "i"),
        single_band=True,
        pixel_scale=SCALE,
        stretch={"name": "noise", "softening": 5.0, "low": -10.0, "high": 1000.0},
        fwhm=(1.2, 1.8),
        noise=(2.0, 2.0),
        tile=32,
        multiple=8,
    )


@pytest.fixture
def write_card_bundle(card, tmp_path) -> Callable[..., Path]:
    """Writes a bundle of an untrained network whose card differs in what is named."""

    def write(path: Path | None = None, **changes: object) -> Path:
        torch = pytest.importorskip("torch")
        from pellucid.networks.export import build_generator, write_bundle

        torch.manual_seed(1)
        changed = replace(card, **changes)
        network = {**changed.network, "bands": len(changed.bands)}
        changed = replace(changed, network=network)
        target = path or tmp_path / "untrained.onnx"
        return write_bundle(build_generator(changed.model, network), changed, target)

    return write


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a fresh interpreter on one thread."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            text=True,
            capture_output=True,
            check=False,
            **options,
        )

    return run


@pytest.fixture
def files_in() -> Callable[[Path], dict[str, bytes]]:
    """Takes down every file below a folder, hidden ones too."""

    def snapshot(folder: Path) -> dict[str, bytes]:
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}

    return snapshot


@pytest.fixture
def relative_difference() -> Callable[[NDArray, NDArray, float], float]:
    """The largest difference of two fluxes in units of noise or of the flux, what is larger."""

    def difference(found: NDArray, expected: NDArray, sigma: float) -> float:
        return float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), sigma)))

    return difference
