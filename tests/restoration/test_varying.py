"""A PSF that varies over an image: each part of it is restored with its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pellucid import SkyImage, load_restorer, read_psf
from pellucid.cli import main
from pellucid.deconvolution.settled import SETTLED
from pellucid.fits import read_image, write_image
from pellucid.optics import convolve
from pellucid.restoration import varying
from pellucid.sky import PSF, gaussian_psf
from pellucid.sky.psf import stamp_fwhm

SCALE, HEIGHT, WIDTH, STEP = 0.4, 96, 1400, 100
PLACES = range(STEP // 2, WIDTH, STEP)


def width_at(x: float) -> float:
    """FWHM in pixels, from one end to the other."""
    return 3.0 + 2.5 * x / WIDTH


def psf_at(y: float, x: float) -> PSF:
    return gaussian_psf(width_at(x) * SCALE, SCALE)


PSF_THAT_VARIES = replace(psf_at(0, WIDTH / 2), elsewhere=psf_at)


def stars(psf=psf_at) -> SkyImage:
    """A row of stars, each as wide as the PSF is there."""
    flux = np.random.default_rng(3).normal(0.0, 1.0, (1, HEIGHT, WIDTH)).astype(np.float32)
    for x in PLACES:
        point = np.zeros((1, HEIGHT, 80), np.float32)
        point[0, HEIGHT // 2, 40] = 8000.0
        flux[:, :, x - 40 : x + 40] += convolve(point, psf(HEIGHT / 2, x).stamps)
    return SkyImage(flux, ("r",), "adu", pixel_scale=SCALE)


def widths(image: SkyImage) -> np.ndarray:
    ratio = image.shape[2] // WIDTH
    middle, half = ratio * HEIGHT // 2, 12 * ratio
    found = []
    for x in PLACES:
        columns = slice(ratio * x - half, ratio * x + half)
        found.append(stamp_fwhm(image.flux[0, middle - half : middle + half, columns]) / ratio)
    return np.array(found)


def test_stars_come_out_alike_wherever_they_are():
    restorer = load_restorer("pellucid")
    image = stars()
    alike = restorer(image, psf=PSF_THAT_VARIES)
    apart = restorer(image, psf=psf_at(0, WIDTH / 2))
    spread, before, without = (np.ptp(widths(each)) for each in (alike.image, image, apart.image))
    assert before > 1.9
    assert spread < 0.35 * without
    assert "varies over the image" in " ".join(alike.provenance["notes"])
    assert_allclose(alike.image.flux.sum(dtype=float), image.flux.sum(dtype=float), rtol=1e-4)


@pytest.mark.parametrize("method", ["wiener", "tikhonov", "richardson-lucy"])
def test_what_is_settled_on_a_sample_serves_another_psf(method):
    narrow, broad = (psf_at(0, x).stamps[0] for x in (0, WIDTH))
    rng = np.random.default_rng(1)
    points = np.zeros((1, 160, 160), np.float32)
    points[0, *rng.integers(20, 140, (2, 30))] = 8000.0 * rng.pareto(1.5, 30)
    sample = convolve(points, narrow[None])[0] + rng.normal(0.0, 1.0, (160, 160)).astype("f4")
    settled = SETTLED[method](sample, narrow)
    assert_array_equal(settled(sample, narrow), SETTLED[method](sample, narrow)(sample, narrow))
    assert np.abs(settled(sample, broad) - settled(sample, narrow)).max() > 100.0


def test_blurred_again_with_the_psf_of_the_place_it_explains_the_image():
    restorer = load_restorer(method="wiener")
    image = stars()

    def misfit(psf: PSF) -> float:
        """Of the first star and the last, in units of the noise."""
        restored = restorer(image, psf=psf).image.flux
        left = []
        for x in (PLACES[0], PLACES[-1]):
            near = slice(x - 40, x + 40)
            again = convolve(restored[:, :, near], psf_at(0, x).stamps)
            left.append((image.flux[:, :, near] - again)[0, 30:-30, 20:-20])
        return float(np.std(left))

    assert misfit(PSF_THAT_VARIES) < 0.5 * misfit(psf_at(0, WIDTH / 2))


@pytest.mark.parametrize("method", ["wiener", "tikhonov"])
def test_one_that_is_the_same_everywhere_changes_nothing(method, monkeypatch):
    restorer = load_restorer(method=method)
    image = stars()
    same = psf_at(0, 0)
    monkeypatch.setattr("pellucid.restoration.pieces.LARGE", 1)
    monkeypatch.setattr("pellucid.restoration.classical_pieces.CORE", varying.CONSTANT)
    once = restorer(image, psf=same)
    again = restorer(image, psf=replace(same, elsewhere=lambda y, x: same))
    assert_array_equal(again.image.flux, once.image.flux)


def test_a_small_image_takes_the_psf_of_its_middle():
    image = replace(stars(), flux=stars().flux[:, :, :500])
    restorer = load_restorer(method="wiener")
    with_it, without = (restorer(image, psf=psf) for psf in (PSF_THAT_VARIES, psf_at(0, WIDTH / 2)))
    assert_array_equal(with_it.image.flux, without.image.flux)


def test_the_command_line_takes_a_model_that_varies(tmp_path, capsys):
    from astropy.io import fits

    side = 41
    parts = [psf_at(0, x).stamps[0] for x in (0, WIDTH)]
    radius = [side // 2 - len(part) // 2 for part in parts]
    stamps = np.stack([np.pad(part, r) for part, r in zip(parts, radius, strict=True)] * 2)
    grid = fits.PrimaryHDU(stamps.astype("f4"))
    for k, place in enumerate([(0, 0), (0, WIDTH - 1), (HEIGHT - 1, 0), (HEIGHT - 1, WIDTH - 1)]):
        grid.header[f"DET_YX{k}"] = str(tuple(map(float, place)))
    grid.header["OVERSAMP"] = 1
    grid.writeto(tmp_path / "grid.fits")
    write_image(stars(), tmp_path / "a.fits")
    typed = ["restore", tmp_path / "a.fits", "--psf", tmp_path / "grid.fits", "--method", "wiener"]
    assert main([*map(str, typed), "--output", str(tmp_path / "b.fits")]) == 0
    assert "the PSF varies over the image" in capsys.readouterr().err
    psf = read_psf(tmp_path / "grid.fits", stars())
    for x in (0, WIDTH - 1):
        assert psf.elsewhere(0.0, x).fwhm == pytest.approx(width_at(x) * SCALE, rel=0.02)
    expected = load_restorer(method="wiener")(stars(), psf=psf).image.flux
    assert_allclose(read_image(tmp_path / "b.fits").flux, expected, atol=1e-4 * expected.max())
