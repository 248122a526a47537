"""Made pairs are what their telescopes would have seen: flux, place, blur and noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pellucid.data.observed import ObservedPair
from pellucid.data.simulation import Camera, Galaxy, Scene, as_galaxy, simulate_pairs
from pellucid.errors import InputError
from pellucid.sky import PSF, gaussian_psf
from pellucid.sky.psf import FWHM_PER_SIGMA, stamp_fwhm

SCALE = 0.05
SHARP = gaussian_psf(0.13, 0.03)
#: One galaxy of 20 mag in 27 mag counts, alone, and too large to be shrunk to a point.
ALONE = Scene(
    size=80,
    pixel_scale=SCALE,
    magnitude=(20.0, 20.0),
    half_light_radius=(0.3, 0.3),
    neighbours=0,
    stars=0.0,
)
FLUX = 10 ** (0.4 * 7.0)


def round_galaxy(sigma: float, scale: float = 0.03, ratio: float = 1.0) -> Galaxy:
    """A Gaussian with a standard deviation of ``sigma`` arcsec, ``ratio`` times that in x."""
    offset = scale * (np.arange(101) - 50)
    flux = np.outer(
        np.exp(-0.5 * (offset / sigma) ** 2), np.exp(-0.5 * (offset / sigma / ratio) ** 2)
    )
    return as_galaxy(flux, scale)


def camera(fwhm: float, scale: float, noise: float = 1e-6) -> Camera:
    return Camera((gaussian_psf(fwhm, scale),), (noise, noise), 27.0)


def made(galaxy: Galaxy, count: int, scene: Scene, camera: Camera) -> list[ObservedPair]:
    return list(simulate_pairs({"g": galaxy}, count, scene, SHARP, [camera], seed=3))


def moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centroid (y, x) and covariance, in pixels."""
    places = np.indices(image.shape).reshape(2, -1)
    weight = image.ravel() / image.sum()
    centre = places @ weight
    away = places - centre[:, None]
    return centre, (away * weight) @ away.T


# --- galaxies --------------------------------------------------------------------------------


def test_a_galaxy_is_of_flux_one_and_knows_its_size():
    galaxy = round_galaxy(0.2)
    assert galaxy.flux.sum() == pytest.approx(1.0, rel=1e-5)
    # Half of a round Gaussian's light lies within 1.177 standard deviations.
    assert galaxy.half_light_radius == pytest.approx(1.177 * 0.2, abs=0.03)


def test_a_masked_disc_goes_on_where_the_mask_cut_it():
    y, x = np.indices((81, 81)) - 40
    radius = np.hypot(y, x)
    disc = np.exp(-radius / 7.0)
    cut = np.where(radius < 21.0, disc, 0.0)
    galaxy = as_galaxy(cut, 0.03)
    centre = np.array(galaxy.flux.shape) // 2
    y, x = np.indices(galaxy.flux.shape) - centre[:, None, None]
    rings = np.bincount(np.hypot(y, x).astype(int).ravel(), galaxy.flux.ravel())
    rings = rings / np.bincount(np.hypot(y, x).astype(int).ravel())
    inside, edge, beyond = rings[:20], rings[19:24], rings[21:36]
    # Inside it is what it was; at the edge nothing jumps; beyond it fades, and ends.
    truth = np.bincount(radius.astype(int).ravel(), disc.ravel()) / np.bincount(
        radius.astype(int).ravel()
    )
    np.testing.assert_allclose(inside / inside[5], truth[:20] / truth[5], rtol=1e-3)
    assert (edge[1:] / edge[:-1] > 0.6).all()
    assert (np.diff(beyond) < 0).all()
    assert (beyond < truth[21:36] * inside[5] / truth[5] * 1.2).all()
    assert rings[45] < 1e-3 * rings[20]


@pytest.mark.parametrize("flux", [0.0, np.nan, -1.0])
def test_an_image_without_light_is_refused(flux):
    with pytest.raises(InputError, match="holds no light"):
        as_galaxy(np.full((9, 9), flux), 0.03)


# --- pairs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("fwhm", "scale"), [(0.6, 0.168), (0.8, 0.202)])
def test_both_images_hold_the_galaxys_flux_at_one_place_and_differ_by_the_blur(fwhm, scale):
    sharp_variance, blurred_variance = (
        (each / FWHM_PER_SIGMA / SCALE) ** 2 for each in (SHARP.fwhm, fwhm)
    )
    for pair in made(round_galaxy(0.15, ratio=1.6), 3, ALONE, camera(fwhm, scale)):
        assert pair.sharp.shape == pair.blurred.shape == (1, 80, 80)
        assert pair.pixel_scale == SCALE
        (one, narrow), (two, wide) = moments(pair.sharp[0]), moments(pair.blurred[0])
        assert pair.sharp.sum() == pytest.approx(FLUX, rel=2e-3)
        assert pair.blurred.sum() == pytest.approx(FLUX, rel=5e-3)
        np.testing.assert_allclose(two, one, atol=0.1)
        assert np.abs(one - 39.5).max() < 6.5
        added = np.full(2, blurred_variance - sharp_variance)
        np.testing.assert_allclose(np.diag(wide - narrow), added, rtol=0.04)


def test_the_noise_is_that_of_the_cameras_own_pixels():
    scene = replace(ALONE, magnitude=(50.0, 50.0))
    telescope = Camera((gaussian_psf(0.6, 0.2),), (0.02, 0.06), 27.0)
    drawn, found = [], []
    for pair in made(round_galaxy(0.2), 12, scene, telescope):
        assert pair.noise[0] == 0.0
        drawn.append(16.0 * pair.noise[1])  # a camera's pixel has 16 of the grid's
        # Squares of 4 × 4 camera pixels: what interpolation smoothed is whole again.
        squares = pair.blurred[0].reshape(5, 16, 5, 16).sum(axis=(1, 3))
        found.append(squares / 4.0 / drawn[-1])
    assert all(0.02 <= each <= 0.06 for each in drawn)
    assert np.ptp(drawn) > 0.01
    assert np.std(found) == pytest.approx(1.0, abs=0.12)


def test_a_pair_depends_on_the_seed_and_its_id_alone():
    galaxies = {name: round_galaxy(0.1 + 0.05 * k, ratio=1.0 + k) for k, name in enumerate("abc")}
    telescopes = [camera(0.6, 0.168, 0.02), camera(0.8, 0.202, 0.03)]
    scene = replace(ALONE, size=16, neighbours=3, stars=0.5)

    def run(count: int, seed: int = 1, turned: bool = False) -> list[ObservedPair]:
        given = dict(list(galaxies.items())[:: -1 if turned else 1])
        return list(simulate_pairs(given, count, scene, SHARP, telescopes, seed))

    pairs = run(5)
    assert [pair.id for pair in pairs] == ["a-0000", "b-0000", "c-0000", "a-0001", "b-0001"]
    for others in (run(2), run(5, turned=True)):
        for one, other in zip(pairs, others, strict=False):
            np.testing.assert_array_equal(one.sharp, other.sharp)
            np.testing.assert_array_equal(one.blurred, other.blurred)
            assert one.noise == other.noise
    assert not np.array_equal(pairs[0].sharp, pairs[3].sharp)
    assert not np.array_equal(pairs[0].sharp, run(1, seed=2)[0].sharp)


@pytest.mark.parametrize("fwhm", [0.13, 0.25])
def test_no_galaxy_is_sharper_than_the_sharp_telescope(fwhm):
    """Shrunk to a third, a point of 0.1 arcsec is blurred to what that telescope sees."""
    point = replace(round_galaxy(0.1 / FWHM_PER_SIGMA, 0.02), half_light_radius=0.15)
    scene = replace(ALONE, size=36, half_light_radius=(0.05, 0.05), resolution=0.1)
    pairs = simulate_pairs(
        {"g": point}, 2, scene, gaussian_psf(fwhm, 0.03), [camera(0.7, 0.168)], seed=3
    )
    for pair in pairs:
        assert SCALE * stamp_fwhm(pair.sharp[0]) == pytest.approx(fwhm, rel=0.1)


def test_a_star_is_the_telescopes_psf_without_the_edge_of_its_stamp():
    """A measured PSF's stamp ends where its wings do not."""
    offset = np.arange(-12, 13)
    wings = 1e-3 + np.exp(-0.5 * (offset[:, None] ** 2 + offset**2) / 2.0)
    galaxies = {"g": round_galaxy(0.2)}
    scene = replace(ALONE, size=160, magnitude=(60.0, 60.0), stars=1.0)
    for pair in simulate_pairs(galaxies, 12, scene, PSF(wings, SCALE), [camera(0.7, 0.168)], 5):
        y, x = np.unravel_index(int(pair.sharp[0].argmax()), (160, 160))
        if min(y, x) < 16 or max(y, x) > 143 or pair.sharp.max() < 1.0:
            continue
        around = pair.sharp[0, y - 14 : y + 15, x - 14 : x + 15] / pair.sharp.max()
        # Nowhere a step of what the stamp holds at its edge.
        assert np.abs(np.diff(around[22:, 14])).max() < 5e-4
        assert pair.blurred.sum() == pytest.approx(pair.sharp.sum(), rel=0.02)
        return
    pytest.fail("none of twelve stars fell into the window")
