"""Planes of PSFs without names: the image's stars say of which band each is."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_array_equal

import pellucid
from pellucid.optics import convolve
from pellucid.optics.own_psf import with_own_psf
from pellucid.optics.psf_order import order_of_planes
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import gaussian_psf, moffat_psf, stamp_fwhm

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SCALE = 0.2
PSFS = [
    gaussian_psf(0.6, SCALE).stamps[0],
    moffat_psf(0.8, SCALE).stamps[0],
    gaussian_psf(1.1, SCALE).stamps[0],
]


def seen(size: float, seed: int = 0) -> SkyImage:
    """A source of this Gaussian width in pixels, in three bands behind three PSFs, in noise."""
    y, x = np.mgrid[:80, :80]
    source = np.exp(-0.5 * ((y - 41.3) ** 2 + (x - 38.8) ** 2) / size**2)
    source *= 3e4 / source.sum()
    planes = [convolve(np.float32(source)[None], psf[None], "reflect")[0] for psf in PSFS]
    noise = np.random.default_rng(seed).normal(0, 1, (3, 80, 80))
    return SkyImage(np.stack(planes) + noise, bands=("G", "R", "I"), pixel_scale=SCALE)


@pytest.mark.parametrize("order", [[2, 0, 1], [0, 2, 1], [1, 0, 2], [0, 1, 2]])
def test_a_star_shows_the_order(order):
    shuffled = [PSFS[k] for k in order]
    found = order_of_planes(seen(0.4), shuffled)
    assert [order[k] for k in found] == [0, 1, 2]


def test_a_galaxy_shows_none():
    assert order_of_planes(seen(4.0), [PSFS[k] for k in (2, 0, 1)]) == [0, 1, 2]


def test_neither_does_noise_nor_a_star_in_a_hole():
    noise = SkyImage(np.random.default_rng(3).normal(0, 1, (3, 80, 80)), pixel_scale=SCALE)
    assert order_of_planes(noise, PSFS) == [0, 1, 2]
    star = seen(0.4)
    mask = np.zeros(star.shape, dtype=bool)
    mask[:, 40:43, 38:40] = True
    holed = SkyImage(star.flux, mask=mask, pixel_scale=SCALE)
    assert order_of_planes(holed, [PSFS[k] for k in (2, 0, 1)]) == [0, 1, 2]


def test_an_image_smaller_than_its_psf_keeps_them_in_turn():
    assert order_of_planes(SkyImage(np.ones((3, 6, 6))), PSFS) == [0, 1, 2]


def test_a_file_whose_planes_are_shuffled(tmp_path):
    image = seen(0.4)
    hdus = [
        fits.ImageHDU(np.float32(plane), name=f"HSC_{band}")
        for plane, band in zip(image.flux, "GRI", strict=True)
    ]
    side = max(len(stamp) for stamp in PSFS)
    stamps = [np.pad(stamp, (side - len(stamp)) // 2) for stamp in PSFS]
    cube = fits.ImageHDU(np.float32([stamps[k] for k in (2, 0, 1)]), name="HSC_PSF")
    fits.HDUList([fits.PrimaryHDU(), *hdus, cube]).writeto(tmp_path / "a.fits")
    read = pellucid.read_image(tmp_path / "a.fits", pixel_scale=SCALE)
    psf = with_own_psf(read, tmp_path / "a.fits").psf
    assert_array_equal([stamp_fwhm(s) for s in psf.stamps], [stamp_fwhm(s) for s in stamps])
    note = "nothing says of which band each PSF is: as stars show, planes 2, 3, 1 are"
    assert f"{note} HSC_G, HSC_R, HSC_I" in psf.notes
    for band, stamp in zip("GRI", stamps, strict=True):  # however one of them is asked for
        for asked in ({"hdu": f"HSC_{band}"}, {"bands": [f"HSC_{band}"]}):
            one = pellucid.read_image(tmp_path / "a.fits", pixel_scale=SCALE, **asked)
            found = with_own_psf(one, tmp_path / "a.fits").psf
            assert stamp_fwhm(found.stamps[0]) == stamp_fwhm(stamp)


def test_a_real_field(tmp_path):
    if not (SHARED / "hsc_hst_pairs.tar").exists():
        pytest.skip("needs ../shared")
    with tarfile.open(SHARED / "hsc_hst_pairs.tar") as tar:
        name = next(n for n in tar.getnames() if n.endswith("qso60.fits"))
        tar.extract(name, tmp_path, filter="data")
    path = tmp_path / name
    image = with_own_psf(pellucid.read_image(path), path)
    in_turn = pellucid.read_psf(path, image.pixel_scale)
    restorer = pellucid.load_restorer("pellucid")
    chi2 = restorer(image).provenance["chi2"]
    assert max(chi2) < 4.0
    assert max(restorer(image, psf=in_turn).provenance["chi2"]) > 100.0
