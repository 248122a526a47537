"""Where things stand: grids that are tangent to the sky, and the shift between two images."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from pellucid.data.mosaics.cutouts import CutRecipe, Source, cut_pair
from pellucid.data.mosaics.geometry import pixel_of, square, tangent_affine, tangent_header
from pellucid.data.mosaics.mosaic import open_mosaic
from pellucid.data.mosaics.registration import measure_shift
from pellucid.errors import InputError
from pellucid.optics import Affine, resample
from pellucid.sky import gaussian_psf, robust_background

PAIRS = Path(__file__).resolve().parents[3] / "shared" / "data" / "hsc_hst_pairs.tar"
RA, DEC = 150.1, 2.2


def test_the_tangent_grid_is_what_its_header_says():
    grid = WCS(fits.Header.fromstring(tangent_header(RA, DEC, 200, 0.1)))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA + 0.4, DEC - 0.3]  # tangent elsewhere, as in a mosaic of a wide field
    wcs.wcs.cd = 4.7e-5 * np.array([[-0.8, 0.6], [0.6, 0.8]])
    affine = tangent_affine(wcs, RA, DEC, 200, 0.1)
    x, y = np.random.default_rng(0).uniform(0, 199, (2, 50))
    expected = wcs.wcs_world2pix(np.stack(grid.wcs_pix2world(x, y, 0), axis=1), 0)[:, ::-1]
    np.testing.assert_allclose(affine(np.stack([y, x], axis=1)), expected, atol=2e-4)


@pytest.mark.parametrize(("ra", "dec"), [(150.1, 2.2), (0.001, -89.9), (359.99, 60.0)])
def test_a_square_lies_where_the_gnomonic_projection_has_it(ra, dec):
    """Calabretta & Greisen 2002, A&A 395, 1077, eqs. 14, 15 and 55."""
    east, north = np.radians(np.array([[15, -15, 15, -15], [-15, -15, 15, 15]]) / 3600)
    sine, cosine = np.sin(np.radians(dec)), np.cos(np.radians(dec))
    run = cosine - north * sine
    expected = (
        ra + np.degrees(np.arctan2(east, run)),
        np.degrees(np.arctan2(sine + north * cosine, np.hypot(east, run))),
    )
    found = square(ra, dec, 30.0)
    np.testing.assert_allclose((found[0] - expected[0] + 180) % 360, 180, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=1e-9)


def test_places_are_found_in_galactic_coordinates_too():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"]
    place = SkyCoord(RA, DEC, unit="deg")
    wcs.wcs.crval = [place.galactic.l.deg, place.galactic.b.deg]
    wcs.wcs.cdelt = [-1e-4, 1e-4]
    wcs.wcs.crpix = [31.0, 21.0]
    np.testing.assert_allclose(pixel_of(wcs, RA, DEC), (20.0, 30.0), atol=1e-6)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.37, -0.81), (-3.2, 5.4)])
def test_a_shift_is_found_to_a_twentieth_of_a_pixel(shift, known):
    # A point-like and an extended source, the brightest pixel 20 times the noise.
    y, x = np.indices((72, 72), dtype=float)

    def scene(dy: float, dx: float, blur: float) -> np.ndarray:
        total = np.zeros((72, 72))
        for cy, cx, sigma, flux in ((34.2, 37.9, 0.6, 1.0), (41.5, 30.3, 2.5, 2.0)):
            wide = np.hypot(sigma, blur)
            away = (y - cy - dy) ** 2 + (x - cx - dx) ** 2
            total += flux / wide**2 * np.exp(-0.5 * away / wide**2)
        return total

    rng = np.random.default_rng(7)
    psf = gaussian_psf(1.8 * 2.355, 1.0) if known else None
    misses = []
    for _ in range(5):
        blurred = scene(*shift, 1.8)
        blurred += rng.normal(0, blurred.max() / 20, blurred.shape)
        found = measure_shift(scene(0, 0, 0), blurred, psf)
        misses.append((found.dy - shift[0], found.dx - shift[1]))
        assert found.error < 0.1
    assert np.sqrt(np.mean(np.square(misses))) < 0.05


def test_an_image_of_nothing_is_not_registered():
    with pytest.raises(InputError, match="holds nothing"):
        measure_shift(np.full((20, 20), np.nan), np.ones((20, 20)))


@pytest.mark.skipif(not PAIRS.is_file(), reason="needs ../shared")
def test_a_known_shift_of_a_real_image_is_found(tmp_path):
    with tarfile.open(PAIRS) as archive:
        name = next(each for each in archive.getnames() if each.endswith("qso45.fits"))
        archive.extract(name, tmp_path, filter="data")
    path = tmp_path / name
    hst = open_mosaic([path], hdu="HST_F814W", zero_point=25.937)
    hsc = open_mosaic([path], hdu="HSC_I", zero_point=27.0)
    wcs = hsc.tiles[0].wcs
    ra, dec = wcs.wcs_pix2world([[50.0, 50.0]], 0)[0]
    recipe = CutRecipe(size=96, pixel_scale=0.084)
    pair = cut_pair(Source("q", ra, dec), hst, hsc, recipe)
    # The same quasar, in about the same band, in both zero points.
    assert pair.sharp.sum() == pytest.approx(pair.blurred.sum(), rel=0.1)
    assert np.hypot(*pair.shift) < 0.168
    flux = hsc.window(ra, dec, 14.0).flux
    flux = flux - robust_background(flux[None]).sky[0]
    core = gaussian_psf(0.5, 1.0)
    reference = measure_shift(flux, flux, core)
    moved = resample(flux, Affine(np.eye(2), np.array([-0.4, 0.7])), flux.shape)
    found = measure_shift(flux, moved, core)
    np.testing.assert_allclose(
        (found.dy - reference.dy, found.dx - reference.dx), (0.4, -0.7), atol=0.01
    )
