"""Region files: sources and doubt where they are on the sky, as another program reads them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from regions import PixCoord, PolygonPixelRegion, Regions

import pellucid
from pellucid.errors import UsageError
from pellucid.restoration import Restoration
from pellucid.sky import SkyImage
from pellucid.sky.psf import FWHM_PER_SIGMA

SHAPE = 60, 80
#: Where the source is, and its standard deviations along both axes; it lies at 30°.
PLACE, ALONG, ACROSS, TURN = (50.0, 22.0), 4.0, 2.0, np.radians(30)


def wcs_of(frame: str = "ra", mirrored: bool = False) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"] if frame == "ra" else ["GLON-TAN", "GLAT-TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [150.0, 62.0], [30.5, 20.5]
    turn, scale = np.radians(40), 0.3 / 3600
    sign = 1 if mirrored else -1
    wcs.wcs.cd = scale * np.array(
        [[sign * np.cos(turn), np.sin(turn)], [-sign * np.sin(turn), np.cos(turn)]]
    )
    return wcs


def restoration(wcs: WCS | None = None, doubt: np.ndarray | None = None) -> Restoration:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    dx, dy = x - PLACE[0], y - PLACE[1]
    u, v = dx * np.cos(TURN) + dy * np.sin(TURN), dy * np.cos(TURN) - dx * np.sin(TURN)
    flux = 100 * np.exp(-0.5 * ((u / ALONG) ** 2 + (v / ACROSS) ** 2))
    flux += np.random.default_rng(3).normal(0, 0.2, SHAPE)
    return Restoration(SkyImage([flux, flux], bands=("g", "r"), wcs=wcs), doubt=doubt)


def written(result: Restoration, folder) -> dict[str, list[PolygonPixelRegion]]:
    """The regions of a file by their tags, in the pixels of the image."""
    path = pellucid.write_regions(result, folder / "a.reg", overwrite=True)
    found: dict[str, list[PolygonPixelRegion]] = {}
    for region in Regions.read(path, format="ds9"):
        wcs = result.image.wcs
        pixel = region if isinstance(region, PolygonPixelRegion) else region.to_pixel(wcs)
        found.setdefault(region.meta["tag"][0], []).append(pixel)
    return found


@pytest.mark.parametrize("wcs", [wcs_of(), wcs_of(mirrored=True), wcs_of("l"), None])
def test_a_source_is_an_ellipse_about_its_light(wcs, tmp_path):
    found = written(restoration(wcs), tmp_path)
    assert set(found) == {"source"}
    (source,) = found["source"]
    x, y = source.vertices.x - PLACE[0], source.vertices.y - PLACE[1]
    assert abs(x.mean()) < 0.1
    assert abs(y.mean()) < 0.1
    radius = np.hypot(x, y)
    far = np.argmax(radius)
    along, across = np.hypot([ALONG, ACROSS], 3.0 / FWHM_PER_SIGMA)  # behind the filter
    assert radius.max() == pytest.approx(2.5 * along, rel=0.05)
    assert radius.min() == pytest.approx(2.5 * across, rel=0.05)
    assert y[far] / x[far] == pytest.approx(np.tan(TURN), abs=0.05)


def test_regions_are_in_icrs_whatever_the_frame_of_the_image(tmp_path):
    wcs = wcs_of("l")
    path = pellucid.write_regions(restoration(wcs), tmp_path / "a.reg")
    (source,) = Regions.read(path, format="ds9")
    assert source.vertices.frame.name == "icrs"
    middle = SkyCoord(*wcs.pixel_to_world_values(*PLACE), unit="deg", frame="galactic").icrs
    mean = SkyCoord(source.vertices.ra.mean(), source.vertices.dec.mean())
    assert mean.separation(middle).arcsec < 0.05


def test_doubt_is_outlined_in_any_band_but_not_its_specks_nor_where_nothing_is(tmp_path):
    doubt = np.zeros((2, *SHAPE), np.float32)
    doubt[1, 40:50, 5:25] = 0.8
    doubt[0, 10, 70] = 1.0
    result = restoration(wcs_of(), doubt)
    holes = np.zeros((2, *SHAPE), bool)
    holes[:, :5] = True
    doubt[:, :5] = 1.0
    result = replace(result, image=replace(result.image, mask=holes))
    found = written(result, tmp_path)
    assert set(found) == {"source", "doubt"}
    (outline,) = found["doubt"]
    assert outline.area == pytest.approx(10 * 20, rel=0.1)
    assert PixCoord(14.5, 44.5) in outline


def test_a_source_whose_light_is_doubted_says_so(tmp_path):
    doubt = np.zeros((2, *SHAPE), np.float32)
    doubt[:, 10:35, 35:65] = 1.0
    assert set(written(restoration(None, doubt), tmp_path)) == {"doubted source", "doubt"}
    text = (tmp_path / "a.reg").read_text(encoding="ascii")
    assert all("dash=1" in line for line in text.splitlines() if line.startswith("polygon"))


def test_a_constant_shows_nothing(tmp_path):
    flat = Restoration(SkyImage(np.full(SHAPE, 3.0)))
    assert written(flat, tmp_path) == {}


def test_another_name_and_a_file_that_is_there_are_refused(tmp_path):
    path = pellucid.write_regions(restoration(), tmp_path / "a.reg")
    with pytest.raises(UsageError, match="exists"):
        pellucid.write_regions(restoration(), path)
    with pytest.raises(UsageError, match=r"end with \.reg"):
        pellucid.write_regions(restoration(), tmp_path / "a.txt")
