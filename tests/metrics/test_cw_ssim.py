"""The steerable pyramid and CW-SSIM against pyrtools and a plain reading of the equations."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import convolve2d

from pellucid.errors import InputError, UsageError
from pellucid.metrics import CwSsimOptions, cw_ssim, cw_ssim_printed, measure, ssim
from pellucid.metrics.cw_ssim import usable_levels
from pellucid.metrics.steerable import (
    band_filters,
    band_shape,
    band_spectrum,
    bands_of_spectrum,
    max_levels,
)
from pellucid.sky.image import SkyImage
from pellucid.sky.inpaint import filled
from pellucid.stretch import GalaxyGANStretch

ALL = CwSsimOptions(scales="all")


@pytest.fixture(scope="module")
def sky(deep_field) -> NDArray[np.float32]:
    """Two different patches of the deep field after the stretch, 256 × 256 pixels."""
    patches = [deep_field.flux[1, :256, :256], deep_field.flux[1, 400:656, 500:756]]
    return GalaxyGANStretch().forward(np.stack(patches))


def steerable_bands(images: NDArray, level: int, orientations: int) -> NDArray[np.complex128]:
    """Coefficients with the phase of the published code, which the index does not see."""
    filters = band_filters(images.shape[-2:], level, orientations)
    phase = (1, -1j, -1, 1j)[(orientations - 1) % 4]
    return bands_of_spectrum(phase * band_spectrum(images, level), filters)


def theirs(image: NDArray, levels: int, orientations: int) -> dict:
    """The coefficients by (level, orientation) that pyrtools computes."""
    pyramids = pytest.importorskip("pyrtools.pyramids")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Reconstruction will not be perfect")
        pyramid = pyramids.SteerablePyramidFreq(
            np.asarray(image, dtype=np.float64), levels, orientations - 1, is_complex=True
        )
    return pyramid.pyr_coeffs


def index_of_bands(x: NDArray, y: NDArray, window: int = 7, K: float = 0.0, printed=False) -> float:
    """One band of Sampat et al.'s code, or of SeeingGAN's equation 5, written out."""
    box = np.full((window, window), window**-2.0)
    if printed:
        common = convolve2d(np.abs(x) * np.abs(np.conj(y)), box, "valid")
    else:
        common = np.abs(convolve2d(x * np.conj(y), box, "valid"))
    energy = convolve2d(np.abs(x) ** 2 + np.abs(y) ** 2, box, "valid")
    return float(np.sum(pooling(x.shape, window) * (2 * common + K) / (energy + K)))


def pooling(band: tuple[int, ...], window: int) -> NDArray:
    """MATLAB's fspecial('gaussian', band - window + 1, band(1)/4)."""
    rows, columns = (side - window + 1 for side in band)
    y, x = np.mgrid[:rows, :columns]
    y, x = y - (rows - 1) / 2, x - (columns - 1) / 2
    weight = np.exp(-(y**2 + x**2) / (2 * (band[0] / 4) ** 2))
    return weight / weight.sum()


def assert_bands_agree(image: NDArray, orientations: int) -> None:
    levels = max_levels(image.shape)
    expected = theirs(image, levels, orientations)
    for level in range(levels):
        bands = steerable_bands(image, level, orientations)
        assert bands.shape[1:] == band_shape(image.shape, level)
        for b, band in enumerate(bands):
            scale = np.abs(expected[level, b]).max()
            np.testing.assert_allclose(band, expected[level, b], rtol=0, atol=1e-9 * scale)


@pytest.mark.parametrize(
    ("shape", "orientations"),
    [((256, 256), 16), ((128, 128), 3), ((96, 112), 4), ((112, 64), 5), ((128, 424), 2)],
)
def test_coefficients_are_those_of_pyrtools(shape, orientations):
    image = np.random.default_rng(0).normal(3.0, 1.0, shape)
    assert_bands_agree(image, orientations)


def test_on_odd_sides_the_zero_frequency_is_in_the_middle(monkeypatch):
    image = np.random.default_rng(1).normal(3.0, 1.0, (65, 83))
    # The authors' ramp, ([1:n] − centre)/(n/2). That of pyrtools is half a sample off on odd
    # sides (its reconstruction has the right one), and its coarsest bands see the sky's level.
    monkeypatch.setattr(
        np, "linspace", lambda low, high, n: (np.arange(n) - (n - 1) // 2) * 2 / (n - 1)
    )
    assert_bands_agree(image, 4)
    monkeypatch.undo()
    flat = np.ones((65, 65))
    coarsest = max_levels(flat.shape) - 1
    leak = theirs(flat, coarsest + 1, 16)
    assert max(np.abs(leak[coarsest, b]).max() for b in range(16)) > 1e-3
    assert np.abs(steerable_bands(flat, coarsest, 16)).max() < 1e-12
    assert not band_filters(flat.shape, coarsest, 16)[:, 0, 0].any()


def test_a_wave_gives_its_amplitude_and_its_direction():
    y, x = np.mgrid[:64, :64]
    for b, phase in ((0, x), (4, y)):
        bands = steerable_bands(np.cos(2 * np.pi * 8 * phase / 64 + 0.3), 1, 8)
        amplitude = np.abs(bands)
        # Analytic: the modulus of a wave is the same everywhere.
        assert np.ptp(amplitude[b]) < 1e-10 * amplitude[b].max()
        assert amplitude.max(axis=(1, 2)).argmax() == b
        assert amplitude[(b + 4) % 8].max() < 1e-3 * amplitude[b].max()


@pytest.mark.parametrize(
    "options",
    [
        CwSsimOptions(),
        CwSsimOptions(levels=3, orientations=4, window=5, K=0.02),
        CwSsimOptions(levels=4, orientations=3, scales="all"),
    ],
)
def test_the_index_is_that_of_pyrtools_coefficients(sky, options):
    shape = sky.shape[-2:] if options.levels == 6 else (96, 112)
    x, y = (plane[: shape[0], : shape[1]] for plane in sky)
    y = x + 0.3 * y
    wanted = range(options.levels) if options.scales == "all" else [options.levels - 1]
    c, d = (theirs(image, options.levels, options.orientations) for image in (x, y))
    for printed, ours in ((False, cw_ssim), (True, cw_ssim_printed)):
        bands = [
            index_of_bands(c[level, b], d[level, b], options.window, options.K, printed)
            for level in wanted
            for b in range(options.orientations)
        ]
        assert ours(x, y, options) == pytest.approx(np.mean(bands), rel=1e-9)


@pytest.mark.parametrize("options", [CwSsimOptions(), ALL])
def test_what_the_index_sees_and_what_it_does_not(sky, options):
    x, y = sky[:, :128, :128].astype(np.float64)
    between = cw_ssim(x, y, options)
    assert 0 < between < 0.9
    assert cw_ssim(x, x, options) == pytest.approx(1.0, abs=1e-12)
    assert cw_ssim(y, x, options) == pytest.approx(between, rel=1e-12)
    assert cw_ssim(1e4 * x, 1e4 * y, options) == pytest.approx(between, rel=1e-9)
    assert cw_ssim(x + 1e4, y - 3.0, options) == pytest.approx(between, rel=1e-6)
    assert cw_ssim(x, 3.0 - x, options) == pytest.approx(1.0, abs=1e-9)
    # A contrast that is wrong by a factor a costs 2a/(1 + a²).
    assert cw_ssim(x, 0.5 * x, options) == pytest.approx(0.8, rel=1e-12)
    printed = cw_ssim_printed(x, y, options)
    assert between < printed <= 1.0


def test_it_never_leaves_its_range_and_the_printed_form_is_never_below():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 40, 24, 40)) * 10.0 ** rng.uniform(-6, 6, (2, 40, 1, 1))
    for options in (CwSsimOptions(window=1), CwSsimOptions(), ALL):
        index, printed = cw_ssim(x, y, options), cw_ssim_printed(x, y, options)
        assert index.min() >= 0.0
        assert printed.max() <= 1.0
        assert np.all(printed >= index - 1e-12)


def test_a_small_shift_is_forgiven_where_ssim_drops(sky):
    moved = np.roll(sky[0], (2, 1), axis=(0, 1))
    assert ssim(sky[:1], moved[None], 1.0) < 0.75
    assert cw_ssim(sky[0], moved) > 0.98
    assert cw_ssim(sky[0], sky[1]) < 0.7


def test_without_structure_two_images_are_equal_and_one_is_not():
    rng = np.random.default_rng(3)
    for side in (8, 65, 100):
        for level in (0.0, 0.1, -1e6):
            flat = np.full((side, side), level)
            for options in (CwSsimOptions(), ALL, CwSsimOptions(K=1e-3)):
                assert cw_ssim(flat, 1.7 * flat, options) == pytest.approx(1.0, abs=1e-12)
            noise = level + 1e-3 * rng.normal(size=flat.shape)
            assert cw_ssim(flat, noise) < 1e-6
            assert cw_ssim(noise, noise) == pytest.approx(1.0, abs=1e-12)


def test_a_stack_is_its_planes_however_it_is_cut(sky, monkeypatch):
    x = np.stack([sky[0, k : k + 64, :80] for k in range(0, 48, 8)]).reshape(2, 3, 64, 80)
    y = np.flip(x, axis=1)
    for options in (CwSsimOptions(), ALL):
        whole = cw_ssim(x, y, options)
        assert whole.shape == (2, 3)
        assert whole[1, 0] == pytest.approx(float(cw_ssim(x[1, 0], y[1, 0], options)), rel=1e-12)
        # The package's attribute of that name is the function.
        module = importlib.import_module("pellucid.metrics.cw_ssim")
        monkeypatch.setattr(module, "_CHUNK", 7000)
        np.testing.assert_allclose(cw_ssim(x, y, options), whole, rtol=1e-12)
        monkeypatch.undo()


def test_pixels_without_data_count_by_their_share_of_a_window(sky):
    x, y = sky[:, :64, :64].astype(np.float64)
    x[20:50, 30:64] = np.nan
    y[:5, :5] = np.inf
    holes = ~(np.isfinite(x) & np.isfinite(y))
    a, b = (np.where(holes, filled(p[None], holes[None])[0], p) for p in (x, y))
    c, d = (steerable_bands(p, 0, 2) for p in (a, b))
    box = np.full((7, 7), 1 / 49)
    weight = pooling((64, 64), 7) * convolve2d(~holes, box, "valid")
    expected = [
        np.abs(convolve2d(p * q.conj(), box, "valid"))
        / convolve2d(np.abs(p) ** 2 + np.abs(q) ** 2, box, "valid")
        for p, q in zip(c, d, strict=True)
    ]
    found = cw_ssim(x, y, CwSsimOptions(levels=1, orientations=2))
    assert found == pytest.approx(2 * np.average(np.mean(expected, axis=0), weights=weight))
    assert cw_ssim(x, np.where(np.isnan(x), 5.0, x)) == pytest.approx(1.0, abs=1e-12)


def test_a_plane_without_data_has_no_index_and_measure_leaves_it_out(galaxy):
    truth = galaxy.flux.copy()
    restored = 0.8 * truth
    restored[1] = np.nan
    planes = cw_ssim(truth, restored)
    assert np.isnan(planes).tolist() == [False, True, False]
    restored[1, 17, 23] = 0.1
    assert np.isfinite(cw_ssim(truth, restored)).all()
    restored[1, 17, 23] = np.nan
    stretch = GalaxyGANStretch()
    pair = (SkyImage(flux, unit="nanomaggy") for flux in (restored, truth))
    result = measure(*pair, stretch=stretch)
    expected = cw_ssim(stretch.forward(truth), stretch.forward(restored))
    assert result["cw_ssim"] == pytest.approx((expected[0] + expected[2]) / 2)


def test_small_images_have_fewer_levels():
    sides = (8, 15, 16, 63, 64, 112, 127, 128, 255, 256, 424, 512)
    expected = [1, 1, 2, 3, 4, 4, 4, 5, 5, 6, 6, 6]
    assert [usable_levels((side, 600)) for side in sides] == expected
    assert usable_levels((256, 256), CwSsimOptions(levels=9)) == 6
    assert usable_levels((64, 64), CwSsimOptions(window=20)) == 2
    for side in sides:
        assert min(band_shape((side, side), usable_levels((side, side)) - 1)) >= 7


def test_what_cannot_be_compared_is_refused():
    flat = np.zeros((32, 32))
    with pytest.raises(InputError, match="at least 8"):
        cw_ssim(flat[:7], flat[:7])
    with pytest.raises(InputError, match="at least 40"):
        cw_ssim(flat, flat, CwSsimOptions(window=40))
    with pytest.raises(InputError, match="shape"):
        cw_ssim(flat, flat[1:])
    with pytest.raises(InputError, match="finite"):
        cw_ssim(flat, np.full_like(flat, np.nan))
    wrongs: list[dict[str, Any]] = [
        {"levels": 0},
        {"orientations": 1},
        {"window": 0},
        {"K": -1.0},
    ]
    for wrong in wrongs:
        with pytest.raises(UsageError, match="CW-SSIM"):
            CwSsimOptions(**wrong)
