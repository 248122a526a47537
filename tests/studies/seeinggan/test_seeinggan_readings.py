"""The paper's metrics in other readings."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

pytest.importorskip("torch")

from pellucid.sky import SkyImage
from pellucid.studies.seeinggan.readings import (
    LIMITS,
    READINGS,
    eight_bits,
    line_cw_ssim,
    overflowing_psnr,
    readings,
    readings_page,
)


def test_a_picture_is_clipped_at_its_limits_and_has_no_holes():
    flux = np.array([[-1.0, 0.0, 0.5], [1.0, 9.0, np.nan]])
    assert_array_equal(eight_bits(flux, 0.0, 1.0), [[0, 0, 128], [255, 255, 0]])


def test_psnr_that_overflows_is_that_of_numbers_modulo_256():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 256, (2, 40, 50), dtype=np.uint8)
    squares = [((int(a) - int(b)) ** 2) % 256 for a, b in zip(x.ravel(), y.ravel(), strict=True)]
    assert_allclose(overflowing_psnr(x, y), 10 * np.log10(255**2 / np.mean(squares)))


def test_of_pictures_that_have_nothing_in_common_it_is_27_9_db():
    expected = 10 * np.log10(255**2 / np.mean(np.arange(256) ** 2 % 256))
    assert_allclose(expected, 27.898, atol=5e-4)
    x, y = np.random.default_rng(2).integers(0, 256, (2, 256, 256), dtype=np.uint8)
    assert_allclose(overflowing_psnr(x, y), expected, atol=0.05)


def test_the_index_along_the_rows_is_its_definition():
    rng = np.random.default_rng(3)
    pictures = rng.integers(0, 256, (2, 20, 21), dtype=np.uint8)
    coefficients = []
    for picture in pictures:
        rows = []
        for width in range(1, 31):
            points = min(10 * width, picture.size)
            t = np.arange(points) - (points - 1.0) / 2
            hat = 2 / (np.sqrt(3 * width) * np.pi**0.25) * (1 - t**2 / width**2)
            hat *= np.exp(-(t**2) / (2 * width**2))
            rows.append(np.convolve(picture.ravel().astype(float), hat, mode="same"))
        coefficients.append(np.array(rows))
    x, y = coefficients
    both, sizes = np.abs(x * y).sum(0), (x * x + y * y).sum(0)
    signs = (2 * np.abs((x * y).sum(0)) + 0.01) / (2 * both + 0.01)
    assert_allclose(line_cw_ssim(*pictures), np.mean((2 * both + 0.01) / (sizes + 0.01) * signs))
    assert line_cw_ssim(pictures[0], pictures[0]) == pytest.approx(1.0)


@pytest.fixture(scope="module")
def found():
    """A noisy sharp galaxy and what a blur leaves of it."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:96, :96] - 47.5
    galaxy = 10.0 * np.exp(-np.hypot(x, y) / 4.0)
    sharp = galaxy + rng.normal(size=galaxy.shape)
    blurred = gaussian_filter(galaxy, 3.0)

    def image(flux):
        return SkyImage(flux[None].astype(np.float32), ("I",))

    restored = {"blurred": SimpleNamespace(image=image(blurred))}
    one = SimpleNamespace(pair=SimpleNamespace(sharp=image(sharp)), restored=restored)
    return readings([one, one], 8, {"blurred": "the blurred image"})


def test_noise_alone_raises_the_index_along_the_rows_as_the_others_fall(found):
    for table in found.values():
        before, after = table["the blurred image"], table["the blurred image, noise added"]
        assert after["CW-SSIM along the rows"][0] > before["CW-SSIM along the rows"][0] + 0.02
        for falling in ("PSNR", "PSNR that overflows", "SSIM"):
            assert after[falling][0] < before[falling][0]


def test_the_page_has_every_reading_beside_the_paper(found):
    page = readings_page(found)
    for limits in LIMITS:
        assert f"{limits}, 2 galaxies" in page
    assert page.count("| paper: Subaru |") == len(LIMITS)
    lines = [line for line in page.splitlines() if line.startswith("| the blurred image |")]
    assert len(lines) == len(LIMITS)
    value = np.mean(found["in the zscale stretch"]["the blurred image"]["SSIM"])
    assert f"{value:.3f}<br>(" in lines[list(LIMITS).index("in the zscale stretch")]
    assert all(line.count("|") == len(READINGS) + 2 for line in lines)
