"""Restorations to look at, made as a person makes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from pellucid.cli import main


def galaxy(shape: tuple[int, int], noise: float, seed: int = 0) -> np.ndarray:
    """An elongated exponential and a star on noise."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    cy, cx = shape[0] / 2, shape[1] / 2
    r = np.hypot((x - cx) / 1.5, y - cy)
    star = 40 * np.exp(-((x - cx / 2) ** 2 + (y - cy / 2) ** 2) / 8)
    flux = 30 * np.exp(-r / 6) + star
    return (flux + np.random.default_rng(seed).normal(0, noise, shape)).astype("f4")


@pytest.fixture(scope="session")
def make_input(tmp_path_factory):
    """Writes a galaxy in some bands; returns its path."""

    def make(folder: Path, name: str, side=(60, 80), bands="gri", **cards) -> Path:
        header = fits.Header()
        header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
        header["CRVAL1"], header["CRVAL2"] = 150.0, 2.0
        header["CRPIX1"], header["CRPIX2"] = 20.5, 24.5
        header["CD1_1"], header["CD1_2"] = -9e-5, 3e-5
        header["CD2_1"], header["CD2_2"] = 3e-5, 9e-5
        header["BUNIT"] = "nanomaggy"
        header.update(cards)
        hdus = [
            fits.ImageHDU(galaxy(side, 0.5, k) * (1 + 0.3 * k), header, name=band)
            for k, band in enumerate(bands)
        ]
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(folder / name)
        return folder / name

    return make


@pytest.fixture(scope="session")
def restored_pair(make_input, tmp_path_factory) -> tuple[Path, Path]:
    """An input in three bands and its restoration by the model ``pellucid``."""
    folder = tmp_path_factory.mktemp("seen")
    given = make_input(folder, "given.fits")
    output = folder / "restored.fits"
    assert main(["restore", str(given), "--psf", "1.4", "--output", str(output)]) == 0
    return given, output


@pytest.fixture(scope="session")
def deconvolved(restored_pair) -> Path:
    """The restoration of the same input by a method, which tells nothing of what is unsure."""
    given, _ = restored_pair
    output = given.parent / "wiener.fits"
    words = ["--method", "wiener", "--psf", "1.4", "--output", str(output)]
    assert main(["restore", str(given), *words]) == 0
    return output
