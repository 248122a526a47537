"""The misfit of a restoration is a map beside it, in its file and in words."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

import pellucid
from pellucid.optics import convolve
from pellucid.restoration.doubt import in_words
from pellucid.sky import SkyImage, gaussian_psf


def test_what_the_image_contradicts_stands_out_in_chi2(tmp_path):
    psf = gaussian_psf(3.0, 0.5)
    flux = np.zeros((1, 96, 96), dtype=np.float32)
    flux[0, 48, 48] = 4000.0
    seen = convolve(flux, psf.for_bands(1), "zero")
    seen += np.random.default_rng(0).normal(0.0, 1.0, seen.shape)
    image = SkyImage(seen, pixel_scale=0.5, unit="count")
    # What no such psf has let through.
    spoiled = image.with_flux(image.flux + 40.0 * (np.indices((96, 96)).sum(axis=0) == 40))
    fine, amiss = (pellucid.load_restorer("pellucid")(each, psf=psf) for each in (image, spoiled))
    assert fine.chi2.shape == fine.image.shape
    assert 0.7 < np.median(fine.chi2) < 1.4
    assert amiss.chi2[0, 20, 20] > 5.0 * fine.chi2[0, 20, 20]
    pellucid.write_image(fine, tmp_path / "out.fits")
    np.testing.assert_array_equal(fits.getdata(tmp_path / "out.fits", "CHI2"), fine.chi2[0])
    assert "of the pixels are doubted" in fine.provenance["trust"]
    # Finer pixels, too, are compared with the image's own.
    finer = pellucid.load_restorer("pellucid")(image, psf=gaussian_psf(2.0, 0.5))
    assert finer.image.shape == (1, 192, 192)
    assert "the noise of the sky is" in finer.provenance["change"]


def test_bands_that_are_not_explained_are_named():
    said = in_words(0.021, np.array([1.1, 7.25]), ("g", "r"))
    assert said == (
        "warning: blurred again, the result does not explain the image in r (chi2 7.2): most often "
        "the psf is not the image's; 2.1 % of the pixels are doubted (DOUBT)"
    )
    assert in_words(0.0, np.array([1.1]), ("g",)).endswith("the result explains the image")
