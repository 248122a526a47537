"""What was degraded or restored once is read again: its PSF is that of its pixels now."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits

from pellucid.cli import main
from pellucid.optics import convolve
from pellucid.sky import gaussian_psf

SCALE, SEEING = 0.3, 1.2


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Stars under a header that states the seeing, with the PSF as an extension."""
    flux = np.zeros((1, 96, 96), dtype=np.float32)
    flux[0, 20::28, 20::28] = 3000.0
    psf = gaussian_psf(SEEING, SCALE)
    noise = np.random.default_rng(0).normal(0.0, 1.0, flux.shape)
    seen = (convolve(flux, psf.for_bands(1), "zero") + noise)[0].astype("f4")
    path = tmp_path_factory.mktemp("again") / "field.fits"
    header = fits.Header({"SEEING": SEEING, "PIXSCALE": SCALE, "FILTER": "r"})
    stamp = fits.ImageHDU(psf.stamps[0], fits.Header({"PIXSCALE": SCALE}), name="R_PSF")
    fits.HDUList([fits.PrimaryHDU(seen, header), stamp]).writeto(path)
    return path


def told(path, capsys):
    assert main(["info", "--json", str(path)]) == 0
    return json.loads(capsys.readouterr().out)[0]


def test_a_degraded_image_brings_the_psf_that_it_has_now(field, tmp_path, capsys):
    out = str(tmp_path / "worse.fits")
    assert main(["degrade", str(field), "--fwhm", "1.6", "--noise", "1", "-o", out]) == 0
    capsys.readouterr()
    found = told(out, capsys)
    assert found["psf"]["fwhm"]["r"] == pytest.approx(np.hypot(SEEING, 1.6), rel=0.02)


def test_a_restored_image_no_longer_has_the_old_psf(field, tmp_path, capsys):
    known, unknown = (str(tmp_path / name) for name in ("known.fits", "unknown.fits"))
    assert main(["restore", str(field), "-o", known]) == 0
    assert main(["restore", str(field), "--method", "wiener", "-o", unknown]) == 0
    capsys.readouterr()
    found = told(known, capsys)
    assert found["psf"]["fwhm"]["r"] == pytest.approx(2.25 * SCALE / 2, rel=0.03)
    assert any("restored already" in note for note in found["notes"])
    assert told(unknown, capsys)["psf"]["from"] != "header"
    assert main(["restore", unknown, "--method", "wiener", "-o", str(tmp_path / "x.fits")]) == 3
    assert "needs the PSF" in capsys.readouterr().err
