"""Numbers that are none, and sizes below nothing: refused by name, not stumbled over later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fits_files import raw_header, refused, sky_header

from pellucid import SkyImage, load_restorer, write_image
from pellucid.errors import InputError
from pellucid.fits import read_image
from pellucid.restoration.describe import describe_image
from pellucid.restoration.result import Restoration


def with_card(path: Path, card: str) -> Path:
    """An image with noise and a card that astropy itself would not write."""
    flux = np.random.default_rng(1).normal(10.0, 1.0, (48, 48)).astype(">f4")
    fits.PrimaryHDU(flux, sky_header()).writeto(path)
    block, data = path.read_bytes()[:2880], path.read_bytes()[2880:]
    cards = [block[k : k + 80].decode().rstrip() for k in range(0, 2880, 80)]
    kept = [each for each in cards if each and each != "END" and each[:8] != card[:8]]
    text = "".join(each.ljust(80) for each in [*kept, card, "END"])
    path.write_bytes(text.ljust(2880).encode() + data)
    return path


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", ["1e400", "-1E+400", "1D999"])
@pytest.mark.parametrize(
    "keyword",
    ["PC1_1", "PC2_2", "CRVAL1", "CRPIX2", "PV2_1", "A_0_2", "LONPOLE", "EQUINOX", "CROTA2"],
)
def test_a_place_on_the_sky_that_is_infinite_is_refused(keyword, value, tmp_path):
    path = with_card(tmp_path / "a.fits", f"{keyword:8}= {value:>20}")
    refused(path, match=f"the WCS of HDU 0 .* cannot be read \\({keyword} is infinite\\)")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", ["1e400", "-1e400"])
@pytest.mark.parametrize("keyword", ["MJD-OBS", "SECPIX1", "SECPIX2", "PIXSCALE", "XPIXSZ"])
def test_what_else_is_infinite_hinders_no_other_pixels(keyword, value, tmp_path):
    """On finer pixels the cards of the WCS and of pixel sizes are written anew."""
    image = read_image(with_card(tmp_path / "a.fits", f"{keyword:8}= {value:>20}"))
    result = load_restorer("pellucid")(image, psf=1.2)
    assert result.image.pixel_scale == pytest.approx(0.5 * image.pixel_scale)
    write_image(result, tmp_path / "out.fits")
    assert read_image(tmp_path / "out.fits").pixel_scale == pytest.approx(0.5 * image.pixel_scale)


@pytest.mark.filterwarnings("error")
def test_an_equinox_beyond_all_time_is_told_of_without_remarks(tmp_path):
    path = with_card(tmp_path / "a.fits", f"{'EQUINOX':8}= {'1e300':>20}")
    assert describe_image(read_image(path))["wcs"]["projection"] == "TAN"


def test_a_size_below_nothing_is_not_read_for_ever(tmp_path):
    """A card of the first header makes astropy read ahead, and go back and forth."""
    path = tmp_path / "a.fits"
    first = raw_header(BITPIX=8, NAXIS=0).replace(b"END".ljust(80), b"CONTINUE1".ljust(80), 1)
    first = first[:320] + b"END".ljust(80) + first[400:]
    hdus = []
    for side in (48, -64):
        header = raw_header(BITPIX=-32, NAXIS=2, NAXIS1=side, NAXIS2=48, PCOUNT=0, GCOUNT=1)
        hdus += [header.replace(f"{'SIMPLE':8}= {'T':>20}".encode(), b"XTENSION= 'IMAGE   '  ")]
        hdus += [bytes(11520)]
    path.write_bytes(b"".join([first, *(part.ljust(2880) for part in hdus)]))
    refused(path, match="broken or cut off")


@pytest.mark.parametrize(
    "facts", [{"chi2": [1.0, float("nan")]}, {"chi2": [float("inf")]}, {"unlike": float("nan")}]
)
def test_a_restoration_of_which_nothing_can_be_told_is_none(facts):
    """Flux of 1e30 times its noise, whose square no float holds: no card and no JSON would."""
    with pytest.raises(InputError, match="so far beyond its noise"):
        Restoration(SkyImage(np.ones((1, 9, 9), np.float32), ("r",)), provenance=facts)
