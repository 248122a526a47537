"""A file in any unit, with its error plane, is restored to the same image."""

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose

from pellucid import load_restorer, read_image, write_image
from pellucid.deconvolution import METHODS
from pellucid.optics import convolve
from pellucid.sky import gaussian_psf


@pytest.fixture(scope="module")
def seen(deep_field) -> np.ndarray:
    sharp = 400.0 * deep_field.cutout(300, 400, 64, 72).flux[1:2]
    noise = np.random.default_rng(7).standard_normal(sharp.shape, dtype=np.float32)
    return (convolve(sharp, gaussian_psf(1.4, 0.396).stamps) + noise)[0]


def restored(name: str, pixels: np.ndarray, factor: float, folder, header) -> np.ndarray:
    flux = fits.ImageHDU((pixels * factor).astype("f8"), header, name="SCI")
    error = fits.ImageHDU(np.full(pixels.shape, factor), name="ERR")
    fits.HDUList([fits.PrimaryHDU(), flux, error]).writeto(folder / "in.fits", overwrite=True)
    image = read_image(folder / "in.fits")
    assert image.mask is None
    assert image.variance is not None
    assert_allclose(image.variance / factor**2, 1.0, rtol=1e-5)
    if name in METHODS:
        result = load_restorer(method=name)(image, psf=1.4)
    else:
        result = load_restorer(name)(image, psf=1.8)
    write_image(result, folder / "out.fits", overwrite=True)
    assert_allclose(fits.getdata(folder / "out.fits", "INPUT_ERR"), factor, rtol=1e-6)
    return np.asarray(fits.getdata(folder / "out.fits", "SCI"), dtype=float) / factor


@pytest.mark.parametrize("name", [*METHODS, "galaxygan-sdss"])
def test_a_file_in_another_unit_gives_the_same_image(name, seen, tmp_path, sky_header):
    once, *others = (
        restored(name, seen, factor, tmp_path, sky_header(BUNIT="adu", FILTER="r"))
        for factor in (1.0, 1e-30, 1e30)
    )
    for other in others:
        assert_allclose(other, once, atol=2e-4 * np.abs(once).max())
