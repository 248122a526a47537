"""Pairs cut out of two mosaics: made-up galaxies whose flux, place and shape are known."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from pellucid.data.mosaics.cutouts import CutRecipe, Source, cut_pair, flux_factor
from pellucid.data.mosaics.geometry import pixel_of, tangent_affine
from pellucid.data.mosaics.mosaic import Mosaic, open_mosaic
from pellucid.data.mosaics.zero_point import zero_point_of
from pellucid.errors import InputError, UsageError

RA, DEC = 150.1, 2.2
#: East and north of the field's middle (arcsec), flux, σ along and across (arcsec), angle from
#: north through east (deg).
ALONE = (9.0, 8.0, 4000.0, 0.9, 0.4, 30.0)
TARGET = (-8.0, 6.0, 3000.0, 0.7, 0.5, -60.0)
NEIGHBOUR = (-11.0, 6.5, 1500.0, 0.3, 0.3, 0.0)
GALAXIES = (ALONE, TARGET, NEIGHBOUR, (2.0, -9.0, 2000.0, 0.5, 0.3, 80.0))
SHARP_SIGMA, BLURRED_SIGMA = 0.05, 0.3
SHARP_SCALE, BLURRED_SCALE = 0.05, 0.2


def a_wcs(scale: float, side: int, turn: float = 0.0, mirrored: bool = False) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    # Tangent elsewhere, as in a mosaic of a wide field.
    wcs.wcs.crval = [RA + 0.4, DEC - 0.3]
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    flip = np.diag([1.0 if mirrored else -1.0, 1.0])
    wcs.wcs.cd = scale / 3600 * flip @ np.array([[c, -s], [s, c]])
    wcs.wcs.crpix = [1.0, 1.0]
    wcs.wcs.crpix = 0.5 * (side + 1) + 1 - wcs.wcs_world2pix([[RA, DEC]], 1)[0]
    return wcs


def plane() -> WCS:
    """East and north of (RA, DEC) in arcsec, by astropy."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA, DEC]
    wcs.wcs.cdelt = [1 / 3600, 1 / 3600]
    wcs.wcs.crpix = [1.0, 1.0]
    return wcs


def tangent(ra, dec) -> tuple[np.ndarray, np.ndarray]:
    east, north = plane().wcs_world2pix(ra, dec, 0)
    return east, north


def render(wcs: WCS, side: int, sigma: float, noise: float, seed: int = 1) -> np.ndarray:
    rows, columns = np.indices((side, side), dtype=float)
    east, north = tangent(*wcs.wcs_pix2world(columns.ravel(), rows.ravel(), 0))
    area = abs(np.linalg.det(wcs.wcs.cd)) * 3600**2
    image = np.random.default_rng(seed).normal(0.7, noise, side * side)
    for x, y, flux, along, across, angle in GALAXIES:
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        u = (north - y) * c + (east - x) * s
        v = (east - x) * c - (north - y) * s
        a, b = np.hypot(along, sigma), np.hypot(across, sigma)
        image += flux * area / (2 * np.pi * a * b) * np.exp(-0.5 * ((u / a) ** 2 + (v / b) ** 2))
    return image.reshape(side, side).astype(np.float32)


def save(path: Path, image: np.ndarray, wcs: WCS, compressed: bool = False, **cards) -> Path:
    header = wcs.to_header()
    header.update(cards)
    if compressed:
        hdu = fits.CompImageHDU(image, header, quantize_level=64)
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    else:
        fits.writeto(path, image, header)
    return path


@pytest.fixture(scope="module")
def field(tmp_path_factory) -> Path:
    """A sharp mosaic of two overlapping tiles and a blurred one, turned and mirrored."""
    folder = tmp_path_factory.mktemp("field")
    sharp = a_wcs(SHARP_SCALE, 800)
    image = render(sharp, 800, SHARP_SIGMA, 0.2)
    # The units differ by 2.5 magnitudes: the sharp mosaic's flux is a tenth in number.
    for name, part in (("a", np.s_[:, :500]), ("b", np.s_[:, 350:])):
        tile = save(folder / f"sharp_{name}.fits", 0.1 * image[part], sharp[part], MAGZERO=24.5)
        assert tile.is_file()
    blurred = a_wcs(BLURRED_SCALE, 240, turn=25.0, mirrored=True)
    image = render(blurred, 240, BLURRED_SIGMA, 0.5, seed=2)
    save(folder / "blurred.fits", image, blurred, MAGZERO=27.0)
    for name, moved in (("moved", (0.3, -0.45)), ("wrong", (2.0, 1.0))):
        other = blurred.deepcopy()
        other.wcs.crpix = other.wcs.crpix + np.array(moved[::-1])
        save(folder / f"{name}.fits", image, other, MAGZERO=27.0)
    holed = image.copy()
    holed[pixel_slice(blurred, *at(TARGET))] = np.nan
    holed[pixel_slice(blurred, *at(ALONE))] = 0.0
    save(folder / "holed.fits", holed, blurred, MAGZERO=27.0)
    return folder


def at(galaxy) -> tuple[float, float]:
    ra, dec = plane().wcs_pix2world(galaxy[0], galaxy[1], 0)
    return float(ra), float(dec)


def pixel_slice(wcs: WCS, ra: float, dec: float) -> tuple[slice, slice]:
    y, x = np.rint(pixel_of(wcs, ra, dec)).astype(int)
    return slice(y + 2, y + 5), slice(x - 1, x + 2)


@pytest.fixture(scope="module")
def sharp(field) -> Mosaic:
    return open_mosaic(sorted(field.glob("sharp_*.fits"))).with_psf(0.12)


@pytest.fixture(scope="module")
def blurred(field) -> Mosaic:
    return open_mosaic([field / "blurred.fits"]).with_psf(0.71)


def moments(image: np.ndarray, above: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre (y, x) and covariance of the light above a share of the brightest pixel."""
    light = np.where(image > above * image.max(), image, 0.0)
    grid = np.indices(image.shape).reshape(2, -1)
    centre = (grid * light.ravel()).sum(axis=1) / light.sum()
    away = grid - centre[:, None]
    return centre, (away * light.ravel()) @ away.T / light.sum()


def test_both_images_show_the_galaxy_at_one_place_the_right_way_round(sharp, blurred):
    pair = cut_pair(Source("a", *at(ALONE), r90=2.5), sharp, blurred, CutRecipe(window=3.0))
    assert pair.sharp.shape == pair.blurred.shape == (1, 256, 256)
    assert pair.pixel_scale == pytest.approx(7.5 / 256)
    for image in (pair.sharp[0], pair.blurred[0]):
        centre, spread = moments(image, 0.3)
        np.testing.assert_allclose(centre, 127.5, atol=0.7)
        # North is up and east is left: 30° through east leans to the left, y and x are opposed.
        angle = np.degrees(0.5 * np.arctan2(-2 * spread[0, 1], spread[0, 0] - spread[1, 1]))
        assert angle == pytest.approx(30.0, abs=1.5)
        assert image.sum() == pytest.approx(4000.0, rel=0.01)


def test_the_stored_wcs_leads_back_to_the_source(sharp, blurred):
    pair = cut_pair(Source("a", *at(ALONE), r90=2.5), sharp, blurred, CutRecipe())
    wcs = WCS(fits.Header.fromstring(pair.wcs))
    np.testing.assert_allclose(wcs.wcs_pix2world([[127.5, 127.5]], 0)[0], at(ALONE), atol=1e-9)
    assert pair.position == at(ALONE)


def test_the_noise_is_that_of_the_telescopes_pixels(sharp, blurred):
    pair = cut_pair(Source("a", *at(ALONE), r90=2.5), sharp, blurred, CutRecipe())
    assert pair.noise[0] == pytest.approx(0.2 * (pair.pixel_scale / SHARP_SCALE) ** 2, rel=0.05)
    assert pair.noise[1] == pytest.approx(0.5 * (pair.pixel_scale / BLURRED_SCALE) ** 2, rel=0.05)


def test_a_fixed_scale_needs_no_radius(sharp, blurred):
    recipe = CutRecipe(size=64, pixel_scale=0.1)
    pair = cut_pair(Source("a", *at(ALONE)), sharp, blurred, recipe)
    assert pair.sharp.shape == (1, 64, 64)
    assert pair.pixel_scale == 0.1


def test_the_measured_radius_holds_nine_tenths(sharp, blurred):
    pair = cut_pair(Source("a", *at(ALONE)), sharp, blurred, CutRecipe())
    expected = np.sqrt(2 * np.log(10)) * np.hypot(0.9, BLURRED_SIGMA)
    assert pair.pixel_scale * 256 / 2 == pytest.approx(expected, rel=0.04)


def test_a_shift_is_measured_removed_and_recorded(field, sharp, blurred):
    source = Source("a", *at(ALONE), r90=2.5)
    straight = cut_pair(source, sharp, blurred, CutRecipe())
    moved = cut_pair(source, sharp, open_mosaic([field / "moved.fits"]), CutRecipe())
    # The WCS says the sky stands (0.3, −0.45) pixels further: turned by 25° and mirrored, arcsec.
    matrix = tangent_affine(a_wcs(BLURRED_SCALE, 240, 25.0, True), RA, DEC, 3, 1.0).matrix
    expected = np.linalg.solve(matrix, [-0.3, 0.45])
    np.testing.assert_allclose(np.subtract(moved.shift, straight.shift), expected, atol=0.004)
    np.testing.assert_allclose(straight.shift, 0.0, atol=0.01)
    peak = straight.blurred.max()
    np.testing.assert_allclose(moved.blurred, straight.blurred, atol=0.01 * peak)


def test_mosaics_that_disagree_are_rejected_with_the_shift(field, sharp):
    wrong = open_mosaic([field / "wrong.fits"])
    with pytest.raises(InputError, match=r"disagree by 2\.2\d blurred pixels"):
        cut_pair(Source("a", *at(ALONE), r90=2.5), sharp, wrong, CutRecipe())


def test_masked_neighbours_become_noise_in_both(sharp, blurred):
    source = Source("t", *at(TARGET), r90=2.2)
    keep, mask = (
        cut_pair(source, sharp, blurred, CutRecipe(window=4.0, neighbours=how))
        for how in ("keep", "mask")
    )
    for kept, masked, noise in zip(
        (keep.sharp[0], keep.blurred[0]), (mask.sharp[0], mask.blurred[0]), mask.noise, strict=True
    ):
        # The neighbour lies east of the target, which is left.
        x = 127.5 + (TARGET[0] - NEIGHBOUR[0]) / keep.pixel_scale
        y = 127.5 + (NEIGHBOUR[1] - TARGET[1]) / keep.pixel_scale
        assert x > 127.5
        spot = np.s_[round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5]
        assert kept[spot].mean() > 20 * noise
        assert abs(masked[spot].mean()) < 2 * noise
        middle = np.s_[110:146, 110:146]
        np.testing.assert_allclose(masked[middle], kept[middle], atol=0.02 * kept.max())
    again = cut_pair(source, sharp, blurred, CutRecipe(window=4.0, neighbours="mask"))
    np.testing.assert_array_equal(again.sharp, mask.sharp)


def test_a_psf_is_turned_with_its_image(field, sharp):
    # Elongated along the rows of the mirrored mosaic, which is turned by 25°.
    y, x = np.indices((31, 31)) - 15
    stamp = np.exp(-0.5 * ((x / 4.0) ** 2 + (y / 2.0) ** 2))
    psf = type(sharp.tiles[0].psf)(stamp, BLURRED_SCALE)
    mosaic = open_mosaic([field / "blurred.fits"]).with_psf(psf)
    pair = cut_pair(Source("a", *at(ALONE), r90=2.5), sharp, mosaic, CutRecipe())
    assert pair.psfs[0] is sharp.tiles[0].psf
    turned = pair.psfs[1]
    assert turned is not None
    _, spread = moments(turned.stamps[0], 0.01)
    found = np.degrees(0.5 * np.arctan2(2 * spread[0, 1], spread[1, 1] - spread[0, 0]))
    # The direction of the mosaic's x axis on the sky, in a grid whose x runs west.
    wcs = a_wcs(BLURRED_SCALE, 240, 25.0, True)
    (ra0, dec0), (ra1, dec1) = wcs.wcs_pix2world([[119.5, 119.5], [129.5, 119.5]], 0)
    (e0, n0), (e1, n1) = tangent(ra0, dec0), tangent(ra1, dec1)
    expected = np.degrees(np.arctan((n1 - n0) / -(e1 - e0)))
    assert found == pytest.approx(float(expected), abs=1.0)
    assert turned.fwhm == pytest.approx(psf.fwhm, rel=0.02)


@pytest.mark.parametrize(
    ("galaxy", "r90", "name", "reason"),
    [
        ((400.0, 0.0), 2.0, "blurred", "off the mosaic"),
        ((18.5, 0.0), 2.0, "blurred", "across the edge of .*sharp_a.fits"),
        (TARGET, 3.0, "holed", r"pixels without data: \d"),
        (ALONE, 3.0, "holed", r"pixels without data: \d"),
        (ALONE, float("nan"), "blurred", "R90 is nan"),
        (ALONE, -1.0, "blurred", "R90 is -1"),
        ((float("nan"), 0.0), 2.0, "blurred", "off the mosaic"),
        ((10.0, -15.0), None, "blurred", "no source is seen"),
    ],
)
def test_what_makes_no_pair_is_told_in_one_line(field, sharp, galaxy, r90, name, reason):
    other = open_mosaic([field / f"{name}.fits"])
    with pytest.raises(InputError, match=reason) as caught:
        cut_pair(Source("x", *at(galaxy), r90=r90), sharp, other, CutRecipe())
    assert "\n" not in str(caught.value)


def test_a_recipe_out_of_range_is_refused():
    for wrong in ({"size": 2}, {"window": 0.0}, {"pixel_scale": -1.0}, {"neighbours": "drop"}):
        with pytest.raises(UsageError):
            CutRecipe(**wrong)


def test_the_tile_that_holds_the_window_whole_is_read(sharp):
    east, west = (sharp.window(*at((x, 0.0)), 3.0).tile.path.name for x in (6, -6))
    assert (east, west) == ("sharp_a.fits", "sharp_b.fits")


@pytest.mark.parametrize("kind", ["plain", "rice", "gz", "integers"])
def test_a_window_is_the_part_of_the_image(tmp_path, kind):
    wcs = a_wcs(0.2, 300, turn=10.0)
    image = np.random.default_rng(5).normal(3.0, 1.0, (300, 300)).astype(np.float32)
    path = tmp_path / "m.fits"
    if kind == "integers":
        image = np.rint(image).astype(np.int16)  # of which many are 0, and that is data
    save(path, image, wcs, compressed=kind == "rice")
    if kind == "gz":
        packed = tmp_path / "m.fits.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        path = packed
    # Another process gets it pickled.
    mosaic = pickle.loads(pickle.dumps(open_mosaic([path])))
    window = mosaic.window(*at((4.0, -3.0)), 8.0, around=14.0)
    x, y = (int(v) for v in np.rint(wcs.wcs_world2pix(window.wcs.wcs_pix2world([[0, 0]], 0), 0)[0]))
    rows, columns = window.flux.shape
    assert min(rows, columns) >= 14.0 / 0.2
    atol = 0.05 if kind == "rice" else 0.0
    np.testing.assert_allclose(window.flux, image[y : y + rows, x : x + columns], atol=atol)


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({}, None),
        ({"PHOTFLAM": 7.0724e-20, "PHOTPLAM": 8045.0}, 25.94),  # ACS F814W
        ({"PHOTFLAM": 7.0724e-20, "PHOTPLAM": 8045.0, "BUNIT": "ELECTRONS", "EXPTIME": 100}, 30.94),
        ({"MAGZERO": 31.4}, 31.4),
        ({"ZP": 30}, 30.0),
        ({"FLUXMAG0": 63095734448.0}, 27.0),
        ({"MAGZERO": "unknown", "PHOTZP": 25.0}, 25.0),
    ],
)
def test_the_zero_point_comes_from_the_cards(cards, expected):
    found = zero_point_of([fits.Header(), fits.Header(cards)])
    assert found == (None if expected is None else pytest.approx(expected, abs=0.01))


def test_tiles_are_brought_to_one_zero_point(tmp_path):
    wcs, flat = a_wcs(0.2, 60), np.full((60, 60), 2.0, dtype=np.float32)
    first = save(tmp_path / "a.fits", flat, wcs, ZP=25.0)
    second = save(tmp_path / "b.fits", flat, wcs, ZP=27.5)
    mosaic = open_mosaic([first, second])
    assert mosaic.zero_point == 25.0
    np.testing.assert_allclose(mosaic.tiles[1].read(slice(0, 5), slice(0, 5)), 0.2, rtol=1e-5)
    assert flux_factor(mosaic, open_mosaic([second])) == pytest.approx(10.0)
    third = save(tmp_path / "c.fits", flat, wcs)
    with pytest.raises(InputError, match=r"c\.fits: some tiles have a zero point"):
        open_mosaic([first, third])
    assert open_mosaic([first, third], zero_point=26.0).zero_point == 26.0


def test_files_of_a_folder_without_the_extension_are_no_tiles(tmp_path):
    folder, flat = tmp_path / "fields", np.ones((20, 20), dtype=np.float32)
    folder.mkdir()
    for name, extension in (("a", "GROUND"), ("b", "NISP"), ("c", "NISP")):
        plane = fits.ImageHDU(flat, a_wcs(0.2, 20).to_header(), name=extension)
        fits.HDUList([fits.PrimaryHDU(), plane]).writeto(folder / f"{name}.fits")
    assert [tile.path.name for tile in open_mosaic([folder], "NISP").tiles] == ["b.fits", "c.fits"]
    for paths, hdu in (([folder], "VIS"), ([folder, folder / "a.fits"], "NISP")):
        with pytest.raises(InputError, match=rf"a\.fits: has no HDU {hdu}; there are .*GROUND"):
            open_mosaic(paths, hdu)


def test_what_is_no_mosaic_is_named(tmp_path):
    wcs, flat = a_wcs(0.2, 20), np.ones((20, 20), dtype=np.float32)
    fits.writeto(tmp_path / "bare.fits", flat)
    fits.writeto(tmp_path / "cube.fits", np.ones((3, 20, 20)), wcs.to_header())
    two = [fits.ImageHDU(flat, wcs.to_header(), name=name) for name in ("G", "R")]
    fits.HDUList([fits.PrimaryHDU(), *two]).writeto(tmp_path / "two.fits")
    save(tmp_path / "other.fits", flat, a_wcs(0.3, 20))
    save(tmp_path / "one.fits", flat, wcs, BUNIT="adu")
    for names, reason in (
        (["bare"], r"bare\.fits: .*no celestial WCS"),
        (["cube"], "is a cube"),
        (["two"], "holds several images; choose one of 1 G"),
        (["one", "other"], r'other\.fits: has 0\.3" pixels'),
        (["missing"], r"missing\.fits: not found"),
    ):
        with pytest.raises(InputError, match=reason):
            open_mosaic([tmp_path / f"{name}.fits" for name in names])
    assert open_mosaic([tmp_path / "two.fits"], hdu="R").tiles[0].hdu == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no FITS file"):
        open_mosaic([tmp_path / "empty"])


def test_a_file_that_went_bad_is_named(tmp_path):
    path = save(tmp_path / "m.fits", np.ones((60, 60), np.float32), a_wcs(0.2, 60))
    mosaic = open_mosaic([path])
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(InputError, match=r"m\.fits: HDU 0 cannot be read"):
        mosaic.window(RA, DEC, 5.0)
