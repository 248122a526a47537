"""PSF stamps from FITS."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from pellucid.errors import InputError
from pellucid.optics.psf_file import read_psf
from pellucid.sky.psf import gaussian_psf

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
STAMP = gaussian_psf(1.2, 0.4).stamps[0]


def save(path: Path, *hdus) -> Path:
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


def test_a_stamp_with_a_scale_card(tmp_path):
    hdu = fits.ImageHDU(STAMP * 7, fits.Header({"PIXSCALE": 0.4}))
    psf = read_psf(save(tmp_path / "a.fits", hdu))
    np.testing.assert_allclose(psf.stamps[0], STAMP, rtol=1e-5)
    assert psf.pixel_scale == 0.4
    assert psf.fwhm == pytest.approx(1.2, rel=0.01)


def test_a_stamp_in_other_pixels_is_brought_to_the_images(tmp_path):
    hdu = fits.ImageHDU(STAMP, fits.Header({"PIXSCALE": 0.4}))
    psf = read_psf(save(tmp_path / "a.fits", hdu), 0.2)
    assert psf.pixel_scale == 0.2
    assert psf.fwhm == pytest.approx(1.2, rel=0.02)
    assert "brought from pixels of 0.4" in psf.notes[0]


def test_the_psf_extension_beside_an_image(tmp_path):
    cube = fits.ImageHDU(np.stack([STAMP, STAMP]), name="HSC_PSF")
    path = save(tmp_path / "a.fits", fits.ImageHDU(np.ones((50, 50)), name="SCI"), cube)
    assert read_psf(path, 0.4).stamps.shape == (2, *STAMP.shape)


@pytest.mark.parametrize("before", [0, 1])
def test_an_even_stamp_loses_its_outer_row(tmp_path, before):
    even = np.pad(STAMP, (before, 1 - before))
    psf = read_psf(save(tmp_path / "a.fits", fits.ImageHDU(even)), 0.4)
    np.testing.assert_allclose(psf.stamps[0], STAMP, rtol=1e-5)


@pytest.mark.parametrize(
    ("data", "scale", "match"),
    [
        (STAMP, None, "no pixel scale"),
        (-STAMP, 0.4, "holds no flux"),
        (np.full((5, 5), np.nan), 0.4, "not finite"),
        (np.ones(9), 0.4, "holds no PSF stamp"),
        (np.eye(15, k=-9), 0.4, "off the centre"),
        (np.random.default_rng(0).random((1, 7501)), 0.4, "core spans .* picture of the sky"),
        (STAMP, -1.0, "must be positive"),
    ],
)
def test_unusable_stamps(tmp_path, data, scale, match):
    path = save(tmp_path / "a.fits", fits.ImageHDU(data))
    with pytest.raises(InputError, match=match) as caught:
        read_psf(path, scale)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("folder", "scale"), [("profit_sdss", 0.396), ("profit_kids", 0.2)])
def test_real_stamps(tmp_path, folder, scale):
    if not (SHARED / "linear_fits.tar").exists():
        pytest.skip("needs ../shared")
    with tarfile.open(SHARED / "linear_fits.tar") as tar:
        name = next(n for n in tar.getnames() if folder in n and "psfim" in n)
        tar.extract(name, tmp_path, filter="data")
    assert 0.4 < read_psf(tmp_path / name, scale).fwhm < 2.0


def test_real_hsc_stamps(tmp_path):
    if not (SHARED / "hsc_hst_pairs.tar").exists():
        pytest.skip("needs ../shared")
    with tarfile.open(SHARED / "hsc_hst_pairs.tar") as tar:
        name = next(n for n in tar.getnames() if "qso" in n)
        tar.extract(name, tmp_path, filter="data")
    psf = read_psf(tmp_path / name, 0.168)
    assert len(psf.stamps) == 5
    assert 0.4 < psf.fwhm < 1.2
