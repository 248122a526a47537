"""What archives and cameras write into headers: read as they meant it, written as it stood."""

from __future__ import annotations

import bz2
import lzma
import zipfile

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fits_files import lasting, noise, refused, save, sky_header

from pellucid.fits import read_image, write_image

CORNERS = np.array([[-0.5, -0.5], [4.5, -0.5], [-0.5, 3.5], [4.5, 3.5]])


def places(header: fits.Header) -> np.ndarray:
    """Right ascension and declination of the corners, in degrees, as astropy reads them."""
    with np.errstate(all="ignore"):
        sky = WCS(header).celestial.pixel_to_world(*CORNERS.T)
    return np.array([sky.ra.deg, sky.dec.deg])


def scamp(**cards: object) -> dict[str, object]:
    """SCAMP's polynomial, strong enough to move the corners."""
    terms = {0: 1e-5, 1: 1.0001, 2: 1e-5, 4: 1e-2, 5: 2e-2, 6: -1e-2, 7: 1e-1, 10: 1e-1}
    return {f"PV{axis}_{k}": value for axis in (1, 2) for k, value in terms.items()} | cards


SIP = {"A_ORDER": 2, "A_2_0": 1e-4, "A_1_1": 2e-4, "B_ORDER": 2, "B_0_2": 1e-4}
TAN_SIP = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ({"CUNIT1": "degree", "CUNIT2": "degree"}, "CUNIT"),
        ({"CUNIT1": "DEG", "CUNIT2": "Degrees"}, "CUNIT"),
        ({**TAN_SIP, **SIP, **scamp()}, "SIP was used"),
        ({**SIP, **scamp()}, "PV was used"),
    ],
)
def test_a_wcs_is_mended_as_astropy_does_and_a_note_says_so(tmp_path, cards, words):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5), sky_header(**cards)))
    image = read_image(path)
    assert any(words in note for note in image.notes)
    assert image.wcs is not None
    sky = image.wcs.pixel_to_world(*CORNERS.T)
    np.testing.assert_allclose([sky.ra.deg, sky.dec.deg], places(fits.getheader(path)), atol=1e-10)


def test_a_plain_wcs_needs_no_note(tmp_path):
    header = sky_header(CUNIT1="deg", CUNIT2="deg", DATE="01/01/99", RADECSYS="FK5")
    header["DATE-OBS"] = "01/01/99"
    assert not read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5), header))).notes


@pytest.mark.parametrize("shape", [(1, 1, 4, 5), (1, 1, 1, 4, 5)])
def test_axes_of_length_one_say_nothing_and_stay(tmp_path, shape):
    header = sky_header(CTYPE3="FREQ", CRVAL3=1.4e9, CDELT3=1e6, CRPIX3=1.0, CTYPE4="STOKES")
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(*shape), header))
    image = read_image(path)
    assert image.shape == (1, 4, 5)
    assert image.wcs is not None
    assert image.wcs.naxis == 2
    write_image(image, tmp_path / "b.fits")
    assert fits.getdata(tmp_path / "b.fits").shape == shape
    assert lasting(fits.getheader(tmp_path / "b.fits"))[:-2] == lasting(fits.getheader(path))[:-2]


def test_a_spectral_cube_of_one_polarisation_is_a_cube(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(3, 1, 4, 5)))
    assert read_image(path).shape == (3, 4, 5)
    write_image(read_image(path), tmp_path / "b.fits")
    assert fits.getdata(tmp_path / "b.fits").shape == (3, 1, 4, 5)


@pytest.mark.parametrize(
    ("inherit", "placed", "unit"), [(True, True, "adu"), (None, False, "adu"), (False, False, None)]
)
def test_an_extension_inherits_of_its_primary(tmp_path, inherit, placed, unit):
    primary = fits.PrimaryHDU(header=sky_header(BUNIT="adu", FILTER="r", PIXSCALE=0.7))
    extension = fits.ImageHDU(noise(4, 5), name="CCD1")
    if inherit is not None:
        extension.header["INHERIT"] = inherit
    image = read_image(save(tmp_path / "a.fits", primary, extension))
    assert (image.wcs is not None) == placed
    assert image.unit == unit
    assert image.bands == ("r",)
    scale = {True: 0.4, None: 0.7, False: None}[inherit]
    assert image.pixel_scale == (scale and pytest.approx(scale, rel=1e-6))


@pytest.mark.parametrize(
    ("cards", "scale"),
    [
        ({"PIXSCALE": 0.55}, 0.55),
        ({"SECPIX": -0.55}, 0.55),
        ({"PIXELSCL": 0.0311}, 0.0311),
        ({"PIXSCAL1": "0.27 arcsec/pix"}, 0.27),
        ({"PIXSCALE": (31.0, "[mas] pixel")}, 0.031),
        ({"PIXSCALE": (1.1e-4, "degrees per pixel")}, 0.396),
        ({"SCALE": (1.2, "[arcsec/pixel]")}, 1.2),
        ({"SCALE": (1.2, "of the flux")}, None),
        ({"PIXSCALE": "unknown"}, None),
        ({"PIXSCALE": 0.0}, None),
        ({"XPIXSZ": 2.9, "FOCALLEN": 250.0}, 2.3927),
        ({"XPIXSZ": 2.9, "FOCALLEN": 0.0}, None),
    ],
)
def test_cards_state_the_pixels_size(tmp_path, cards, scale):
    header = fits.Header()
    header.update(cards)
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5), header)))
    assert image.pixel_scale == (scale and pytest.approx(scale, rel=1e-4))
    assert any("FOCALLEN" in note for note in image.notes) == ("XPIXSZ" in cards and bool(scale))


@pytest.mark.parametrize(
    ("cards", "names"),
    [
        ({"BAND0": "g", "BAND1": "r", "BAND2": "z", "BANDS": "grz"}, ("g", "r", "z")),
        ({"BAND1": "g", "BAND2": "r", "BAND3": "i"}, ("g", "r", "i")),
        ({"BANDS": "grz"}, ("g", "r", "z")),
        ({"BANDS": "F606W, F814W, F125W"}, ("F606W", "F814W", "F125W")),
        ({"CTYPE3": "RGB"}, ("R", "G", "B")),
        ({"PROGRAM": "Siril 1.2.1"}, ("R", "G", "B")),
        ({"CREATOR": "ZWO Seestar S50", "BAYERPAT": "GRBG"}, ("R", "G", "B")),
        ({"SWCREATE": "N.I.N.A. 3.1 (x64)"}, ("R", "G", "B")),
        ({"BANDS": "gr"}, ("band1", "band2", "band3")),
        ({}, ("band1", "band2", "band3")),
    ],
)
def test_cards_name_the_planes_of_a_cube(tmp_path, cards, names):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(3, 4, 5), fits.Header(cards)))
    assert read_image(path).bands == names


@pytest.mark.parametrize(
    ("cards", "written"),
    [
        (
            {"BANDS": "grz", "BAND0": "g", "BAND1": "r", "BAND2": "z"},
            {"BANDS": "uvw", "BAND0": "u", "BAND1": "v", "BAND2": "w"},
        ),
        ({"BANDS": "g,r,z"}, {"BANDS": "uvw", "BAND1": "u", "BAND2": "v", "BAND3": "w"}),
        (
            {"BAND0": "x", "BAND1": "g", "BAND2": "r", "BAND3": "z"},
            {"BAND1": "u", "BAND2": "v", "BAND3": "w"},
        ),
        ({"FILTERS": "of old"}, {"FILTERS": "of old", "BAND1": "u", "BAND2": "v", "BAND3": "w"}),
    ],
)
def test_no_card_contradicts_the_names_that_were_given(tmp_path, cards, written):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(3, 4, 5), fits.Header(cards)))
    image = read_image(path, bands=("u", "v", "w"))
    header = fits.getheader(write_image(image, tmp_path / "b.fits"))
    found = {key: header[key] for key in header if key.startswith(("BAND", "FILTERS"))}
    assert found == written
    assert read_image(tmp_path / "b.fits").bands == ("u", "v", "w")


@pytest.mark.parametrize("card", ["BAYERPAT", "COLORTYP"])
def test_a_colour_mosaic_is_refused(tmp_path, card):
    header = fits.Header({card: "RGGB"})
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 6), header))
    assert f"{card} = RGGB" in refused(path, match="debayer")


@pytest.mark.parametrize("value", ["", "NONE", "MONO", 0])
def test_a_card_without_a_pattern_is_no_mosaic(tmp_path, value):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 6), fits.Header({"BAYERPAT": value})))
    assert read_image(path).shape == (1, 4, 6)


ILLEGAL = {
    "a dot": b"GAIN.SPE=                  1.0",
    "a blank": b"FOO BAR =                    1",
    "P.I.": b"P.I.    = 'Latham'",
    "small letters": b"gain    =                  1.0",
    "a line end": b"COMMENT a\nb",
    "a tab": b"OBJECT  = 'M\t51'",
    "a NUL": b"OBJECT  = 'M\x0051'",
    "Latin-1": b"OBSERVER= 'Jos\xe9'",
    "an orphan CONTINUE": b"CONTINUE  'orphan'",
    "no end of a text": b"OBJECT  = 'M 51",
    "no value": b"OBJECT  =",
    "a number with a comma": b"EXPTIME =                 1,5",
    "two equals": b"OBJECT  = = 5",
    "a long name": b"HIERARCH ESO DET OUT1 X.Y = 3 / odd",
    "a second BITPIX": b"BITPIX  =                   16",
    "an illegal unit": b"BUNIT   = 'e-/s/\xb5m'",
    "a broken EXTVER": b"EXTVER  = 'one'",
    "a broken CRVAL": b"CRVAL3  = 1,0",
    "a broken band": b"FILTER  = r",
    "NaN": b"GAIN    =                  NaN",
    "a card that is set": b"PIXSCALET",
    "a second size": b"NAXIS1  =                    5",
}


@pytest.mark.parametrize("name", ILLEGAL)
@pytest.mark.parametrize("suffix", [".fits", ".fits.fz"])
def test_illegal_cards_are_no_reason_to_lose_an_image(tmp_path, name, suffix):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5), sky_header()))
    content = path.read_bytes()
    place = next(k for k in range(0, 2880, 80) if content[k : k + 80].rstrip() == b"END")
    cards = ILLEGAL[name].ljust(80) + b"END".ljust(80)
    path.write_bytes(content[:place] + cards + content[place + 160 :])
    image = read_image(path)
    assert image.wcs is not None
    odd = name in (
        "a line end",
        "a tab",
        "a NUL",
        "Latin-1",
        "an orphan CONTINUE",
        "an illegal unit",
    )
    assert any("FITS forbids" in note for note in image.notes) == odd
    write_image(image, tmp_path / f"b{suffix}")
    again = read_image(tmp_path / f"b{suffix}")
    np.testing.assert_array_equal(again.flux, image.flux)
    assert not any("CHECKSUM" in note for note in again.notes)
    # What follows the odd card is still there, and a window of the image can be written, too.
    write_image(image.cutout(1, 1, 2, 3), tmp_path / "c.fits")
    assert read_image(tmp_path / "c.fits").shape == (1, 2, 3)


@pytest.mark.parametrize("where", ["header", "data"])
def test_a_checksum_that_does_not_fit_is_a_note(tmp_path, where):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5), sky_header()), checksum=True)
    assert not read_image(path).notes
    content = bytearray(path.read_bytes())
    content[2880 + 7 if where == "data" else content.find(b"150.0")] ^= 1
    path.write_bytes(content)
    assert any("CHECKSUM" in note for note in read_image(path).notes)


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".bz2", bz2.compress), (".xz", lzma.compress)], ids=["bz2", "xz"]
)
def test_packed_files_are_read_and_written(tmp_path, suffix, pack):
    plain = save(tmp_path / "a-r.fits", fits.PrimaryHDU(noise(4, 5), sky_header()))
    packed = tmp_path / f"a-r.fits{suffix}"
    packed.write_bytes(pack(plain.read_bytes()))
    image = read_image(packed)
    assert image.bands == ("r",)
    write_image(image, tmp_path / f"b.fits{suffix}")
    assert (tmp_path / f"b.fits{suffix}").read_bytes()[:3] == packed.read_bytes()[:3]
    np.testing.assert_array_equal(read_image(tmp_path / f"b.fits{suffix}").flux, image.flux)
    packed.write_bytes(packed.read_bytes()[:-40])
    refused(packed, match="cut off")


def test_a_zip_of_one_file_is_read(tmp_path):
    plain = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5)))
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.write(plain, "a.fits")
    np.testing.assert_array_equal(read_image(tmp_path / "one.zip").flux, read_image(plain).flux)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(plain, "a.fits")
        archive.write(plain, "b.fits")
    refused(tmp_path / "two.zip", match="holds 2 files.*unzip")


@pytest.mark.parametrize(
    ("cards", "words"),
    [({"CTYPE3": "RGB"}, "red, green and blue"), ({}, "--bands"), ({"BANDS": "gri"}, None)],
)
def test_what_the_planes_of_a_cube_were_taken_for_is_said(tmp_path, cards, words):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(3, 4, 5), fits.Header(cards)))
    notes = read_image(path).notes
    assert [words in note for note in notes] == ([True] if words else [])


@pytest.mark.parametrize(
    ("cards", "scale", "words"),
    [
        ({**sky_header()}, 0.6, 'the WCS says 0.4"'),
        ({"PIXSCALE": 0.3}, 0.6, 'the PIXSCALE says 0.3"'),
        ({"PIXSCALE": 0.3}, 0.3, None),
        ({}, 0.6, None),
        ({"PIXSCALE": 0.3}, None, None),
    ],
)
def test_a_stated_pixel_size_that_the_header_contradicts_is_noted(tmp_path, cards, scale, words):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(6, 7), fits.Header(cards)))
    image = read_image(path, pixel_scale=scale)
    said = [note for note in image.notes if "were stated" in note]
    assert len(said) == (words is not None)
    if words:
        assert 'pixels of 0.6" were stated and are used' in said[0]
        assert words in said[0]
    if scale:
        assert image.pixel_scale == scale


@pytest.mark.parametrize(
    ("cards", "band"),
    [
        ({"FILTER1": "CLEAR1L", "FILTER2": "F814W"}, "F814W"),
        ({"FILTER1": "F606W", "FILTER2": "CLEAR2L"}, "F606W"),
        ({"FILTER1": "POL0UV", "FILTER2": "F435W"}, "F435W"),
        ({"FILTER1": "CLEAR1S", "FILTER2": "CLEAR2S"}, "band1"),
        ({"FILTER": "CLEAR", "PUPIL": "F150W"}, "F150W"),
        ({"FILTER": "F444W", "PUPIL": "CLEAR"}, "F444W"),
        ({"FILTER": "CLEAR1L;F814W"}, "F814W"),
        ({"HIERARCH FPA.FILTER": "r.00000"}, "r"),
        ({"FILTER": "N/A", "BAND": "i"}, "i"),
        ({"FILTER": "Clear"}, "Clear"),
        ({"FILTER": "g DECam SDSS c0001 4720.0 1520.0"}, "g DECam SDSS c0001 4720.0 1520.0"),
    ],
)
@pytest.mark.parametrize("extension", [False, True])
def test_a_wheels_empty_place_is_no_band(tmp_path, cards, band, extension):
    hdus = [fits.PrimaryHDU(noise(6, 7), fits.Header(cards))]
    if extension:
        hdus = [fits.PrimaryHDU(header=fits.Header(cards)), fits.ImageHDU(noise(6, 7), name="SCI")]
    image = read_image(save(tmp_path / "a.fits", *hdus))
    assert image.bands == (band,)
    assert read_image(write_image(image, tmp_path / "b.fits")).bands == (band,)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("TELESCOP= 2.5m telescope", "2.5m telescope"),
        ("EXPTIME = (1,2", "(1,2"),
        ("GAIN    = 'x", "x"),
    ],
)
def test_what_a_card_said_of_which_nothing_can_be_made_stays_in_the_file(tmp_path, card, said):
    """As a comment: nobody stumbles over it who asks for it."""
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(12, 14), sky_header(OBJECT="stands")))
    content = path.read_bytes()
    place = content.index(b"OBJECT  ")
    path.write_bytes(content[:place] + card.ljust(80).encode() + content[place + 80 :])
    image = read_image(path)
    assert image.header.get(card.split("=")[0].strip()) is None
    written = write_image(image, tmp_path / "b.fits")
    assert said.encode() in written.read_bytes()


def test_two_sizes_are_none(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5), sky_header()))
    content = path.read_bytes()
    place = content.index(b"END".ljust(80))
    cards = b"NAXIS2  =           1000000000".ljust(80) + b"END".ljust(80)
    path.write_bytes(content[:place] + cards + content[place + 160 :])
    assert "two values of NAXIS2" in refused(path, match="broken")


def test_a_frame_that_is_none_is_read_as_none_is_stated(tmp_path):
    header = sky_header()
    header["RADESYS"] = "0"
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5), header))
    image = read_image(path)
    assert any("RADESYS, 0, is no frame" in note for note in image.notes)
    assert image.wcs.pixel_to_world(0.0, 0.0).ra.deg > 0
    save(tmp_path / "b.fits", fits.PrimaryHDU(noise(4, 5), sky_header()))
    assert read_image(tmp_path / "b.fits", path, bands=("g", "r")).shape == (2, 4, 5)
