"""What alternates from pixel to pixel is taken away, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from pellucid.restoration import load_restorer
from pellucid.restoration.band_limit import band_limited
from pellucid.restoration.bandwise import BandwiseRestorer
from pellucid.sky import SkyImage, gaussian_psf

#: As the network's range has it: flux over noise, softened.
SOFTENING = 10.0


def lattice(shape: tuple[int, int], kind: str) -> np.ndarray:
    y, x = np.indices(shape)
    return {"rows": (-1.0) ** y, "columns": (-1.0) ** x, "both": (-1.0) ** (x + y)}[kind]


@pytest.mark.parametrize("kind", ["rows", "columns", "both"])
def test_a_lattice_of_two_pixels_goes_and_what_is_under_it_stays(kind):
    y, x = np.indices((32, 41)) - 16.0
    under = (3.0 - 0.002 * (x**2 + y**2 + x * y) + 0.2 * x).astype(np.float32)[None]
    limited = band_limited(under + 0.3 * lattice((32, 41), kind).astype(np.float32))
    inside = (slice(None), slice(4, -4), slice(4, -4))
    assert limited[inside] == pytest.approx(under[inside], abs=2e-5)


def test_each_band_is_limited_by_itself():
    planes = np.random.default_rng(1).normal(size=(3, 20, 24)).astype(np.float32)
    each = np.concatenate([band_limited(plane[None]) for plane in planes])
    assert np.array_equal(band_limited(planes), each)


@pytest.mark.parametrize("off", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("peak", [20.0, 300.0, 10_000.0])
def test_a_star_at_the_target_is_left_as_it_is(peak, off):
    y, x = np.indices((41, 41)) - 20.0
    width = 2.25 / 2.3548
    star = np.arcsinh(peak / SOFTENING * np.exp(-((x - off) ** 2 + y**2) / (2 * width**2)))
    limited = band_limited(star.astype(np.float32)[None])[0]
    found, there = (SOFTENING * np.sinh(each.astype(np.float64)) for each in (limited, star))
    assert np.abs(found - there).max() < 2e-3 * peak


@pytest.mark.parametrize("kind", ["rows", "columns", "both"])
def test_around_a_star_the_lattice_goes_though_the_star_stays(kind):
    y, x = np.indices((64, 64)) - 32.0
    radius = np.hypot(x, y)
    flux = 2e4 * np.exp(-(radius**2) / 1.8) + 300.0 * np.exp(-radius / 8.0)
    clean = np.arcsinh(flux / SOFTENING).astype(np.float32)[None]
    spoiled = clean + 0.05 * lattice((64, 64), kind).astype(np.float32)
    limited = band_limited(spoiled)
    halo = (radius > 17) & (radius < 27)
    assert np.abs(limited - clean)[0, halo].max() < 1e-3
    assert limited[0, 32, 32] == pytest.approx(spoiled[0, 32, 32], abs=1e-4)


@pytest.mark.parametrize("kind", ["rows", "columns", "both"])
def test_what_a_network_adds_of_it_is_not_in_the_result(kind):
    y, x = np.indices((64, 70)) - 32.0
    light = 200.0 / (1.0 + (x / 12.0) ** 2 + (y / 8.0) ** 2)[None]
    seen = SkyImage(
        (light + np.random.default_rng(1).normal(size=light.shape)).astype("f4"), ("r",)
    )
    restorer = load_restorer("pellucid")
    assert isinstance(restorer, BandwiseRestorer)

    def spoiling(tiles):
        drawn = restorer.network(tiles)
        drawn[:, :3] += 1e-3 * lattice(drawn.shape[2:], kind)
        return drawn

    clean = restorer(seen, psf=gaussian_psf(6.0, 1.0)).image.flux
    spoiled = replace(restorer, network=spoiling)(seen, psf=gaussian_psf(6.0, 1.0)).image.flux
    added = (spoiled - clean)[0] * lattice(clean.shape[1:], kind)
    assert np.abs(added[6:-6, 6:-6]).max() < 0.02
