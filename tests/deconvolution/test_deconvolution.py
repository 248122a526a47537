"""Deconvolution against scikit-image, dense matrices and real galaxies; filling of holes."""

import inspect

import numpy as np
import pytest
from skimage import restoration
from skimage.data import hubble_deep_field

from pellucid.deconvolution import (
    METHODS,
    best_iterations,
    blind_richardson_lucy,
    richardson_lucy,
    sky_pedestal,
    wiener,
)
from pellucid.deconvolution.steps import agreement, extrapolated
from pellucid.errors import InputError
from pellucid.metrics import psnr
from pellucid.optics.convolution import Convolution, convolve
from pellucid.sky.background import robust_background
from pellucid.sky.inpaint import filled
from pellucid.sky.psf import gaussian_psf, moffat_psf
from pellucid.sources import half_light_radius

FAIR = ("wiener", "richardson-lucy", "blind")


def galaxies() -> np.ndarray:
    """A spiral and its neighbours in the Hubble Deep Field, (band, y, x), sky-subtracted."""
    flux = (hubble_deep_field()[300:428, 400:560].transpose(2, 0, 1) / 255.0).astype(np.float32)
    return flux - robust_background(flux).sky[:, None, None]


def lopsided(bands: int = 3) -> np.ndarray:
    """A PSF that differs by band and has no symmetry, so that a flipped kernel is found out."""
    stamps = np.random.default_rng(11).random((bands, 7, 5)).astype(np.float32)
    stamps[:, 3, 2] += 6.0
    return stamps / stamps.sum(axis=(1, 2), keepdims=True)


def observed(fwhm: float, sigma: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, its blurred and noisy image, and the PSF's stamps."""
    truth = galaxies()
    stamps = gaussian_psf(fwhm, 1.0).for_bands(len(truth))
    noise = np.random.default_rng(seed).normal(0.0, sigma, truth.shape).astype(np.float32)
    return truth, convolve(truth, stamps) + noise, stamps


def star(psf_fwhm: float = 5.0) -> tuple[np.ndarray, np.ndarray]:
    """A small galaxy at the middle behind a Moffat PSF, with a little noise, and the stamps."""
    stamps = moffat_psf(psf_fwhm, 1.0).for_bands(1)
    sharp = np.zeros((1, 81, 81), dtype=np.float32)
    sharp[0, 40, 40] = 1000.0
    sharp = convolve(sharp, gaussian_psf(3.0, 1.0).for_bands(1))
    noise = np.random.default_rng(1).normal(0, 0.05, sharp.shape).astype(np.float32)
    return convolve(sharp, stamps) + noise, stamps


@pytest.mark.parametrize("iterations", [1, 10, 25])
def test_richardson_lucy_is_scikit_images(iterations):
    # With nothing within reach of the edge, the zero boundary's edge weight plays no part.
    flux = np.zeros((3, 64, 72), dtype=np.float32)
    flux[:, 16:-16, 16:-16] = np.abs(galaxies()[:, 40:72, 60:100]) + 0.05
    stamps = lopsided()
    ours = richardson_lucy(flux, stamps, iterations, 0.0, boundary="zero", start=0.5)
    for band in range(3):
        theirs = restoration.richardson_lucy(
            flux[band].astype(np.float64),
            stamps[band].astype(np.float64),
            num_iter=iterations,
            clip=False,
            filter_epsilon=1e-6,
        )
        inner = np.s_[10:-10, 10:-10]
        np.testing.assert_allclose(ours[band][inner], theirs[inner], rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("boundary", ["reflect", "nearest", "wrap", "zero"])
def test_richardson_lucy_is_the_iteration_with_dense_matrices(boundary):
    shape = (9, 11)
    stamps = lopsided(1)
    blur = Convolution(stamps, shape, boundary)
    pixels = np.eye(99, dtype=np.float32).reshape(99, 1, *shape)
    matrix = np.stack([blur(pixel).ravel() for pixel in pixels], axis=1).astype(np.float64)
    flux = np.random.default_rng(2).normal(0.0, 1.0, (1, *shape)).astype(np.float32)
    pedestal = 5.0
    data = flux.ravel().astype(np.float64) + pedestal
    x = np.full(99, data.mean())
    for _ in range(7):
        x *= matrix.T @ (data / (matrix @ x)) / matrix.sum(axis=0)
    ours = richardson_lucy(flux, stamps, 7, pedestal, boundary=boundary)
    np.testing.assert_allclose(ours.ravel(), x - pedestal, atol=2e-5)


@pytest.mark.parametrize("method", [*FAIR, "richardson-lucy 30"])
def test_flux_and_sky_are_kept(method):
    truth, flux, stamps = observed(3.0, 0.02)
    flux = flux - np.float32(0.3)
    if method in METHODS:
        result = METHODS[method](flux, stamps)
    else:
        result = richardson_lucy(flux, stamps, 30)
    assert result.dtype == np.float32
    assert result.shape == flux.shape
    scale = np.abs(truth).sum(axis=(1, 2))
    lost = np.abs(result.sum(axis=(1, 2)) - flux.sum(axis=(1, 2))) / scale
    # Only the blind form's PSF may lose its symmetry, and with it flux at the mirrored edge.
    assert lost.max() < (2e-3 if method == "blind" else 1e-4)
    sky = robust_background(flux)
    # The sky's median: the blur leaves faint light in it that the restoration takes back out.
    assert np.abs(robust_background(result).sky - sky.sky).max() < 0.5 * sky.sigma


@pytest.mark.parametrize("method", FAIR)
@pytest.mark.parametrize("level", [0.0, -4.0, 1000.0])
def test_an_empty_sky_stays_as_it_is(method, level):
    flux = np.full((2, 40, 36), level, dtype=np.float32)
    stamps = gaussian_psf(3.0, 1.0).for_bands(2)
    np.testing.assert_allclose(METHODS[method](flux, stamps), flux, rtol=1e-5)


def test_a_skys_mean_is_not_biased_by_noise():
    rng = np.random.default_rng(4)
    flux = rng.normal(0.0, 1.0, (3, 96, 96)).astype(np.float32)
    stamps = gaussian_psf(2.5, 1.0).for_bands(3)
    for method in FAIR:
        assert np.abs(METHODS[method](flux, stamps).mean()) < 0.02
    # As the paper ran it half of the noise is cut, and what is left is E|max(n, 0)| = 0.4 σ high.
    for method in ("richardson-lucy-paper", "blind-paper"):
        assert METHODS[method](flux, stamps).mean() == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("sigma", [0.01, 0.04, 0.1])
@pytest.mark.parametrize("fwhm", [2.0, 4.0])
def test_fair_forms_come_nearer_to_the_truth_than_input_and_paper(fwhm, sigma):
    truth, flux, stamps = observed(fwhm, sigma)
    peak = float(truth.max())
    score = {name: psnr(truth, method(flux, stamps), peak) for name, method in METHODS.items()}
    score["input"] = psnr(truth, flux, peak)
    for name in FAIR:
        assert score[name] > score["input"] + 0.3
    assert score["richardson-lucy"] > score["richardson-lucy-paper"] + 0.3
    assert score["blind"] > score["blind-paper"] + 0.3


def test_iterations_follow_the_noise_and_do_not_raise_it():
    counts = []
    for sigma in (0.001, 0.01, 0.05, 0.2):
        _, flux, stamps = observed(3.0, sigma)
        counts.append(best_iterations(flux, stamps))
        # Below this the field's own faint galaxies, sharpened, are what its sky scatters by.
        if sigma >= 0.05:
            result = richardson_lucy(flux, stamps)
            assert robust_background(result).sigma < robust_background(flux).sigma
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 4 * counts[-1]


def test_the_iterations_chosen_are_near_the_best_there_are():
    truth, flux, stamps = observed(3.0, 0.03)
    scores = [psnr(truth, richardson_lucy(flux, stamps, k), 1.0) for k in range(1, 31)]
    chosen = psnr(truth, richardson_lucy(flux, stamps), 1.0)
    assert chosen > max(scores) - 0.5
    assert chosen > scores[-1] + 1.0


@pytest.mark.parametrize(
    ("method", "limit"),
    [
        ("wiener", 0.85),
        ("richardson-lucy", 0.85),
        ("blind", 0.85),
        ("richardson-lucy-paper", 0.85),
        # Half of the sharpening goes to the PSF.
        ("blind-paper", 0.95),
    ],
)
def test_a_blurred_source_becomes_smaller(method, limit):
    flux, stamps = star()
    before = half_light_radius(flux[0], (40.0, 40.0), 20.0)
    after = half_light_radius(METHODS[method](flux, stamps)[0], (40.0, 40.0), 20.0)
    assert after < limit * before


def test_sky_pedestal_makes_all_pixels_positive_in_any_unit():
    rng = np.random.default_rng(5)
    flux = rng.normal(0.0, 1.0, (2, 64, 64)).astype(np.float32)
    flux[1, 3, 3] = -40.0
    level = sky_pedestal(flux)
    assert level[0] == pytest.approx(5.0, rel=0.1)
    assert level[1] == pytest.approx(40.0)
    np.testing.assert_allclose(sky_pedestal(100.0 * flux + 7.0), 100.0 * level - 7.0, rtol=1e-3)


def test_richardson_lucy_scales_with_its_unit():
    _, flux, stamps = observed(3.0, 0.02)
    ours = richardson_lucy(1e4 * flux + 300.0, stamps, 8)
    expected = 1e4 * richardson_lucy(flux, stamps, 8) + 300.0
    np.testing.assert_allclose(ours, expected, atol=0.5)


def test_acceleration_goes_further_in_as_many_steps():
    _, flux, stamps = observed(3.0, 1e-4)
    data = flux + 0.1

    def divergence(model: np.ndarray) -> float:
        return float(np.sum(model - data + data * np.log(data / model)))

    plain, fast = (
        convolve(richardson_lucy(flux, stamps, 12, 0.1, accelerate=flag) + np.float32(0.1), stamps)
        for flag in (False, True)
    )
    assert divergence(fast) < 0.7 * divergence(plain)


def test_extrapolation_is_biggs_and_andrews():
    before, now = np.full((1, 3, 3), 2.0, np.float32), np.full((1, 3, 3), 3.0, np.float32)
    earlier = np.ones((1, 3, 3), np.float32)
    for change, reach in ((0.5, 0.5), (-1.0, 0.0), (4.0, 1.0)):
        assert agreement(change * earlier, earlier) == pytest.approx(reach)
        assert extrapolated(now, before, reach) == pytest.approx(np.full((1, 3, 3), 3.0 + reach))
    assert agreement(earlier, None) == 0.0


@pytest.mark.parametrize("ratio", [0.003, 0.1])
def test_wiener_with_a_constant_ratio_is_the_textbooks(ratio):
    _, flux, stamps = observed(3.0, 0.03)
    flux = flux[:, :, :96] - flux[:, :, :96].mean(axis=(1, 2), keepdims=True)
    flux, stamps = flux[:, :95, :], lopsided()
    ours = wiener(flux, stamps, ratio, boundary="wrap")
    for plane, stamp, result in zip(flux, stamps, ours, strict=True):
        kernel = np.zeros(plane.shape)
        kernel[:7, :5] = stamp
        transfer = np.fft.fft2(np.roll(kernel, (-3, -2), axis=(0, 1)))
        spectrum = np.fft.fft2(plane) * transfer.conj() / (np.abs(transfer) ** 2 + ratio)
        spectrum[0, 0] = np.fft.fft2(plane)[0, 0]
        np.testing.assert_allclose(result, np.fft.ifft2(spectrum).real, atol=1e-5)


def test_wiener_with_a_constant_ratio_is_scikit_images():
    _, flux, stamps = observed(3.0, 0.03)
    plane = flux[0, :96, :96] - flux[0, :96, :96].mean()
    # Their regulariser is a filter by its impulse response; a delta has the same power everywhere.
    delta = np.zeros((3, 3))
    delta[1, 1] = 1.0
    theirs = restoration.wiener(plane, stamps[0], 0.05, reg=delta, is_real=True, clip=False)
    ours = wiener(plane[None], stamps[:1], 0.05, boundary="wrap")[0]
    np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-4)


def test_wiener_beats_every_constant_ratio_it_could_have_been_given():
    truth, flux, stamps = observed(3.0, 0.03)
    constants = [psnr(truth, wiener(flux, stamps, r), 1.0) for r in np.geomspace(1e-4, 10, 26)]
    assert psnr(truth, wiener(flux, stamps), 1.0) > max(constants)


def test_wiener_does_not_ring_at_the_edges():
    y, x = np.mgrid[:80, :80] / 80.0
    ramp = np.repeat((5.0 * y + 2.0 * x)[None], 3, axis=0).astype(np.float32)
    ramp += np.random.default_rng(8).normal(0, 0.01, ramp.shape).astype(np.float32)
    stamps = gaussian_psf(3.0, 1.0).for_bands(3)
    mirrored, periodic = (
        np.abs(wiener(ramp, stamps, boundary=boundary) - ramp)[:, :, :4].mean()
        for boundary in ("reflect", "wrap")
    )
    assert mirrored < 0.35 * periodic


def test_blind_keeps_a_psf_a_psf_and_corrects_one_that_is_too_broad():
    rng = np.random.default_rng(9)
    stars = np.zeros((1, 96, 96), dtype=np.float32)
    for y, x in rng.integers(16, 80, (12, 2)):
        stars[0, y, x] += 1000.0
    true = gaussian_psf(3.0, 1.0, truncate=7.0).for_bands(1)
    wrong = gaussian_psf(4.5, 1.0).for_bands(1)
    side = min(true.shape[1], wrong.shape[1])
    true, wrong = (
        s[:, (s.shape[1] - side) // 2 :][:, :side, (s.shape[2] - side) // 2 :][:, :, :side]
        for s in (true, wrong)
    )
    flux = convolve(stars, true) + rng.normal(0, 0.05, stars.shape).astype(np.float32)
    _, found = blind_richardson_lucy(flux, wrong, 15)
    assert found.shape == wrong.shape
    assert found.min() >= 0.0
    assert found.sum() == pytest.approx(1.0, abs=1e-5)
    assert np.abs(found - true).sum() < 0.85 * np.abs(wrong - true).sum()


def test_blind_finds_which_way_a_psf_leans():
    leaning = lopsided(1)
    stars = np.zeros((1, 64, 64), dtype=np.float32)
    for y, x in np.random.default_rng(13).integers(8, 56, (10, 2)):
        stars[0, y, x] += 1000.0
    even = 0.5 * (leaning + leaning[:, ::-1, ::-1])
    # From the stars' true places the only thing left to learn is the PSF.
    _, found = blind_richardson_lucy(convolve(stars, leaning), even, 10, 1.0, start=stars)
    assert np.abs(found - leaning).sum() < 0.3 * np.abs(even - leaning).sum()


def test_blind_takes_its_first_step_where_richardson_lucy_takes_it():
    _, flux, stamps = observed(3.0, 0.02)
    image, _ = blind_richardson_lucy(flux, stamps, 1)
    np.testing.assert_allclose(image, richardson_lucy(flux, stamps, 1), atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_nan_stays_nan_and_spreads_no_further(method):
    _, flux, stamps = observed(3.0, 0.02)
    holed = flux.copy()
    holed[:, 60:64, 20:24] = np.nan
    holed[0, 5, 5] = np.inf
    result = METHODS[method](holed, stamps)
    assert np.array_equal(np.isnan(result), ~np.isfinite(holed))
    far = np.s_[:, 20:50, 60:140]
    moved = np.abs(result[far] - METHODS[method](flux, stamps)[far])
    assert moved.max() < 0.3 * np.ptp(flux)


@pytest.mark.parametrize("method", METHODS)
def test_bands_do_not_mix(method):
    _, flux, stamps = observed(3.0, 0.02)
    flux[1:] = flux[:1]
    result = METHODS[method](flux, stamps)
    np.testing.assert_array_equal(result[1], result[0])


def test_methods_take_flux_and_stamps():
    for method in METHODS.values():
        required = [
            p for p in inspect.signature(method).parameters.values() if p.default is p.empty
        ]
        assert [p.name for p in required] == ["flux", "stamps"]


def test_images_smaller_than_the_psf_are_restored():
    stamps = moffat_psf(3.0, 1.0).for_bands(2)
    flux = np.random.default_rng(10).normal(3.0, 0.1, (2, 9, 14)).astype(np.float32)
    for method in METHODS.values():
        assert np.isfinite(method(flux, stamps)).all()


@pytest.mark.parametrize("method", METHODS)
def test_what_does_not_fit_is_refused(method):
    flux = galaxies()
    with pytest.raises(InputError, match="one stamp a band"):
        METHODS[method](flux, gaussian_psf(2.0, 1.0).for_bands(2))
    with pytest.raises(InputError, match="odd"):
        METHODS[method](flux, np.full((3, 4, 4), 1 / 16, dtype=np.float32))


def test_impossible_parameters_are_refused():
    flux, stamps = star()
    with pytest.raises(InputError, match="pedestal"):
        richardson_lucy(flux - 50.0, stamps, 5, 0.0)
    with pytest.raises(InputError, match="ratio"):
        wiener(flux, stamps, 0.0)


def test_filled_leaves_data_alone_and_continues_it_into_holes():
    y, x = np.mgrid[:60, :70]
    smooth = np.stack([np.sin(y / 12) + x / 30, np.cos(x / 15) + 2.0]).astype(np.float32)
    flux = smooth.copy()
    flux[0, 20:24, 30:33] = np.nan
    flux[1, :, 40] = np.inf
    mask = np.zeros(flux.shape, dtype=bool)
    mask[0, 50:52, :] = True
    result = filled(flux, mask)
    kept = np.isfinite(flux) & ~mask
    np.testing.assert_array_equal(result[kept], flux[kept])
    assert np.abs(result - smooth)[~kept].max() < 0.15
    assert np.isnan(flux[0, 21, 31])


def test_filled_takes_the_sky_far_from_data_and_zero_without_any():
    flux = np.full((2, 120, 120), np.nan, dtype=np.float32)
    flux[0, :, :30] = 7.0 + np.random.default_rng(12).normal(0, 0.1, (120, 30))
    result = filled(flux)
    assert np.isfinite(result).all()
    assert result[0, :, 80:] == pytest.approx(np.full((120, 40), 7.0), abs=0.05)
    assert not result[1].any()
    whole = galaxies()
    np.testing.assert_array_equal(filled(whole), whole)
