"""FITS out: pixels exact, cards kept, files built as they came."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fits_files import checked, lasting, noise, save, sky_header, unpacked
from numpy.testing import assert_array_equal

from pellucid.errors import InputError, UsageError
from pellucid.fits import read_image, write_image
from pellucid.sky.image import SkyImage

ODD_CARDS = [
    "COMMENT first remark",
    "FILTER  = 'r       '           / band",
    "HISTORY made long ago",
    "GAIN    =               1.0D+00 / a Fortran double",
    "LOOSE   = 1.5E3",
    "HIERARCH ESO DET CHIP1 ID = 'CCD-44' / long keyword",
    "REPEATED=                    1 / once",
    "",
    "COMMENT second remark",
    "REPEATED=                    2 / twice",
    "LONGTEXT= '" + "x" * 67 + "&'",
    "CONTINUE  '" + "y" * 30 + "' / carried on",
    "MAGZERO =   22.500000000000000 / zero point",
    "NOTHING =",
    "HISTORY made again",
    "LAST    =                    T / flag",
]


@pytest.mark.parametrize("place", ["primary", "extension", "compressed"])
def test_every_card_is_kept_in_order(tmp_path, place):
    header = fits.Header.fromstring("".join(card.ljust(80) for card in ODD_CARDS))
    base = {
        "primary": fits.PrimaryHDU(noise(4, 5)),
        "extension": fits.ImageHDU(noise(4, 5)),
        "compressed": fits.ImageHDU(noise(4, 5)),
    }[place]
    cards = [str(card) for card in base.header.cards] + [str(card) for card in header.cards]
    base.header = fits.Header.fromstring("".join(cards))
    source = save(tmp_path / "a.fits", base)
    number = 0 if place == "primary" else 1
    target = tmp_path / ("b.fits.fz" if place == "compressed" else "b.fits")
    write_image(read_image(source), target)
    before = lasting(fits.getheader(source, number))
    with fits.open(target, disable_image_compression=True) as hdus:
        after = lasting(hdus[1 if place == "compressed" else number].header)
    if place == "compressed":
        after = [card for card in after if card[0] not in "TZ"]
    assert "REPEATED=                    2 / twice".ljust(80) in before
    assert after == before


@pytest.mark.parametrize("name", ["b.fits", "b.fits.gz", "b.fits.fz", "b.fit"])
def test_float_pixels_come_back_bit_for_bit(tmp_path, name):
    data = noise(2, 30, 41)
    data[0, 3, 4] = np.nan
    data[1, 0, 0] = np.float32(1e-42)
    source = save(tmp_path / "a.fits", fits.PrimaryHDU(data))
    image = read_image(write_image(read_image(source), tmp_path / name))
    assert image.flux.tobytes() == data.tobytes()
    with (tmp_path / name).open("rb") as stream:
        assert (stream.read(2) == b"\x1f\x8b") == name.endswith(".gz")
    checked(tmp_path / name)


def test_the_same_image_gives_the_same_bytes(tmp_path):
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5), sky_header())))
    for suffix in ("fits", "fits.gz"):
        first = write_image(image, tmp_path / f"b.{suffix}").read_bytes()
        assert write_image(image, tmp_path / f"c.{suffix}").read_bytes() == first


def test_float32_big_endian_on_disk(tmp_path):
    source = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5).astype("f8")))
    write_image(read_image(source), tmp_path / "b.fits")
    raw = (tmp_path / "b.fits").read_bytes()[2880 : 2880 + 80]
    assert_array_equal(np.frombuffer(raw, ">f4").reshape(4, 5), noise(4, 5))


def test_companions_are_copied_byte_for_byte(tmp_path):
    flags = 32 * np.arange(20, dtype="uint16").reshape(4, 5) + 32768
    psf = np.ones((2, 3, 3), "f8")
    table = fits.BinTableHDU.from_columns([fits.Column("mag", "E", array=np.arange(3.0))])
    table.name = "CATALOGUE"
    hdus = [
        fits.ImageHDU(noise(4, 5), sky_header(), name="SCI"),
        fits.ImageHDU(np.abs(noise(4, 5, seed=2)), name="ERR"),
        fits.ImageHDU(flags, name="DQ"),
        fits.ImageHDU(psf, name="MY_PSF"),
        fits.ImageHDU(np.arange(7.0), name="VECTOR"),
        table,
    ]
    primary = fits.PrimaryHDU(header=fits.Header({"TELESCOP": "HST"}))
    image = read_image(save(tmp_path / "a.fits", primary, *hdus))
    write_image(image.with_flux(image.flux * 2), tmp_path / "b.fits")
    with fits.open(tmp_path / "a.fits") as old, fits.open(tmp_path / "b.fits") as new:
        assert [hdu.name for hdu in new] == [hdu.name for hdu in old]
        assert new[0].header["TELESCOP"] == "HST"
        assert_array_equal(new["SCI"].data, 2 * old["SCI"].data)
        for name in ("ERR", "DQ", "MY_PSF", "VECTOR", "CATALOGUE"):
            assert_array_equal(new[name].data, old[name].data)
            assert lasting(new[name].header) == lasting(old[name].header)
    checked(tmp_path / "b.fits")


def test_an_extension_of_a_foreign_kind_is_copied(tmp_path):
    hdu = fits.ImageHDU(np.arange(8, dtype="u1"), name="ODD")
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5)), hdu)
    path.write_bytes(path.read_bytes().replace(b"XTENSION= 'IMAGE   '", b"XTENSION= 'FOREIGN '"))
    write_image(read_image(path), tmp_path / "b.fits")
    with fits.open(path) as old, fits.open(tmp_path / "b.fits") as new:
        assert new[1].header["XTENSION"] == "FOREIGN"
        assert bytes(new[1].data) == bytes(old[1].data)
    checked(tmp_path / "b.fits")


def test_a_companion_with_broken_cards_is_no_reason_to_lose_the_image(tmp_path):
    hdu = fits.ImageHDU(noise(4, 5), fits.Header({"NOTE": "text"}), name="WHT")
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5)), hdu)
    content = path.read_bytes()
    for good, bad in ((b"'text", b"'te\x01t"), (b"number of array dim", b"number \x02f array dim")):
        content = content.replace(good, bad)
    path.write_bytes(content)
    write_image(read_image(path), tmp_path / "b.fits")
    assert fits.getheader(tmp_path / "b.fits", "WHT")["NOTE"] == "te?t"
    checked(tmp_path / "b.fits")


def test_the_variance_companion_follows_the_image(tmp_path):
    path = save(
        tmp_path / "a.fits",
        fits.ImageHDU(noise(4, 5), name="SCI"),
        fits.ImageHDU(np.full((4, 5), 2.0, "f4"), name="ERR"),
    )
    image = read_image(path)
    changed = image.with_flux(image.flux, variance=np.full((1, 4, 5), 25.0, "f4"))
    with fits.open(write_image(changed, tmp_path / "b.fits")) as hdus:
        assert_array_equal(hdus["ERR"].data, np.full((4, 5), 5.0))
    dropped = image.with_flux(image.flux, variance=None)
    with fits.open(write_image(dropped, tmp_path / "c.fits")) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI"]


def test_several_files_become_one(tmp_path):
    planes = [noise(4, 5, seed=k) for k in range(3)]
    paths = []
    for band, plane in zip("gri", planes, strict=True):
        header = sky_header(FILTER=band, TELESCOP="SDSS", EXPTIME=50 + ord(band), BUNIT="nanomaggy")
        error = fits.ImageHDU(np.full((4, 5), float(ord(band)), "f4"), name="ERR")
        paths.append(save(tmp_path / f"x-{band}.fits", fits.PrimaryHDU(plane, header), error))
    image = read_image(*paths)
    write_image(image, tmp_path / "out.fits")
    with fits.open(tmp_path / "out.fits") as hdus:
        names = [hdu.name.lower() for hdu in hdus]
        assert names == ["primary", "g", "err", "r", "err", "i", "err"]
        assert hdus[0].data is None
        assert hdus[0].header["TELESCOP"] == "SDSS"
        assert not {"EXPTIME", "FILTER", "CRVAL1", "BUNIT"} & set(hdus[0].header)
        for number, band in ((1, "g"), (3, "r"), (5, "i")):
            header = hdus[number].header
            assert header["EXTNAME"] == band
            assert header["FILTER"] == band
            assert header["EXPTIME"] == 50 + ord(band)
            assert header["CRVAL1"] == 150.0
            assert header["BUNIT"] == "nanomaggy"
    checked(tmp_path / "out.fits")
    again = read_image(tmp_path / "out.fits")
    assert again.bands == ("g", "r", "i")
    assert_array_equal(again.flux, planes)
    assert_array_equal(again.variance, image.variance)
    assert again.unit == "nanomaggy"


def test_history_cards_and_layers(tmp_path):
    path = save(
        tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5), sky_header(HISTORY="old", BUNIT="adu"))
    )
    sigma, doubt = np.full((1, 4, 5), 0.5, "f4"), np.eye(4, 5, dtype=bool)
    for _ in range(2):  # a second restoration replaces the card and the layer
        image = read_image(path)
        path = write_image(
            image,
            tmp_path / "b.fits",
            overwrite=True,
            history=["restored by σ-model\nsecond line", "x" * 150],
            cards={"PELLUCID": ("restored", "pixels are a restoration, not a measurement")},
            layers={"UNCERT": sigma, "DOUBT": doubt},
        )
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "UNCERT", "DOUBT"]
        header = hdus[0].header
        assert list(header).count("PELLUCID") == 1
        assert header["PELLUCID"] == "restored"
        assert header.comments["PELLUCID"] == "pixels are a restoration, not a measurement"
        history = [str(line) for line in header["HISTORY"]]
        assert history[0] == "old"
        assert history[1] == "restored by sigma-model second line"
        assert "".join(history[2:5]) == "x" * 150
        assert hdus["UNCERT"].header["BUNIT"] == "adu"
        assert hdus["UNCERT"].header["CRVAL1"] == 150.0
        assert_array_equal(hdus["DOUBT"].data, doubt)
    checked(path)
    assert_array_equal(read_image(path).variance, np.full((1, 4, 5), 0.25))


def test_layers_of_several_extensions_are_read_back_by_band(tmp_path):
    hdus = [fits.ImageHDU(noise(4, 5), name=name) for name in "GR"]
    image = read_image(save(tmp_path / "a.fits", *hdus))
    sigma = np.stack([np.full((4, 5), 2.0), np.full((4, 5), 3.0)])
    again = read_image(write_image(image, tmp_path / "b.fits", layers={"UNCERT": sigma}))
    assert again.bands == ("G", "R")
    assert_array_equal(again.variance, sigma**2)


def test_a_layer_of_another_shape_is_refused(tmp_path):
    image = SkyImage(noise(4, 5))
    with pytest.raises(InputError, match="layer DOUBT has shape"):
        write_image(image, tmp_path / "a.fits", layers={"DOUBT": np.zeros((3, 3))})
    assert not list(tmp_path.iterdir())


def test_an_image_made_in_memory(tmp_path):
    wcs = WCS(sky_header())
    image = SkyImage(
        noise(3, 4, 5),
        bands=("g", "r", "i"),
        unit="nanomaggy",
        wcs=wcs,
        variance=np.abs(noise(3, 4, 5, seed=4)),
        mask=noise(3, 4, 5, seed=5) > 4,
    )
    again = read_image(write_image(image, tmp_path / "a.fits"))
    assert again.bands == image.bands
    assert again.unit == "nanomaggy"
    assert again.pixel_scale == pytest.approx(0.4, rel=1e-6)
    assert again.wcs is not None
    np.testing.assert_allclose(
        again.wcs.wcs_pix2world([[1, 2]], 0), wcs.wcs_pix2world([[1, 2]], 0), rtol=1e-14
    )
    for field in ("flux", "variance", "mask"):
        assert_array_equal(getattr(again, field), getattr(image, field))
    checked(tmp_path / "a.fits")


def test_one_band_made_in_memory(tmp_path):
    image = SkyImage(noise(4, 5), bands=("r",), pixel_scale=0.396)
    write_image(image, tmp_path / "a.fits")
    assert fits.getheader(tmp_path / "a.fits")["NAXIS"] == 2
    again = read_image(tmp_path / "a.fits")
    assert again.bands == ("r",)
    assert again.pixel_scale == 0.396


def test_a_cutout_keeps_its_place_on_the_sky(tmp_path):
    header = sky_header(BUNIT="adu", MAGZERO=22.5, FILTER="r")
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(8, 9), header)))
    again = read_image(write_image(image.cutout(2, 3, 4, 5), tmp_path / "b.fits"))
    assert again.header is not None
    assert again.header["MAGZERO"] == 22.5
    assert again.unit == "adu"
    assert image.wcs is not None
    assert again.wcs is not None
    np.testing.assert_allclose(
        again.wcs.wcs_pix2world([[0, 0]], 0), image.wcs.wcs_pix2world([[3, 2]], 0), rtol=1e-13
    )


def test_writing_refuses_to_overwrite_and_leaves_nothing(tmp_path):
    image = SkyImage(noise(4, 5))
    path = write_image(image, tmp_path / "a.fits")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        write_image(image, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.fits"]


def test_writing_over_the_input(tmp_path):
    path = save(tmp_path / "a.fits", fits.ImageHDU(noise(4, 5), name="SCI"))
    image = read_image(path)
    write_image(image.with_flux(image.flux + 1), path, overwrite=True)
    assert_array_equal(read_image(path).flux[0], noise(4, 5) + 1)


@pytest.mark.parametrize("folder", ["sdss_r", "profit_sdss", "profit_kids"])
def test_real_single_images(tmp_path, folder):
    source = unpacked("linear_fits.tar", f"{folder}/", tmp_path)
    image = read_image(source)
    write_image(image, tmp_path / "out.fits")
    with fits.open(source) as old, fits.open(tmp_path / "out.fits") as new:
        assert_array_equal(new[0].data, old[0].data.astype("f4"))
        assert lasting(new[0].header) == lasting(old[0].header)
    checked(tmp_path / "out.fits")
    if folder == "sdss_r":
        assert image.pixel_scale == pytest.approx(0.396, abs=1e-6)


def test_real_hsc_and_hst_extensions(tmp_path):
    source = unpacked("hsc_hst_pairs.tar", "qso", tmp_path)
    image = read_image(source)
    assert image.bands == ("HSC_G", "HSC_R", "HSC_I", "HSC_Z", "HSC_Y")
    assert image.pixel_scale == pytest.approx(0.168, rel=1e-3)
    sharp = read_image(source, hdu="HST_F814W")
    assert sharp.bands == ("HST_F814W",)
    assert sharp.pixel_scale == pytest.approx(0.03, rel=1e-3)
    write_image(image, tmp_path / "out.fits")
    with fits.open(source) as old, fits.open(tmp_path / "out.fits") as new:
        assert [h.name for h in new] == [h.name for h in old]
        for hdu in new[1:]:
            assert_array_equal(hdu.data, old[hdu.name].data)
            before = lasting(old[hdu.name].header)
            assert lasting(hdu.header)[: len(before)] == before  # then the notes on reading it
    checked(tmp_path / "out.fits")


FULL = """
import resource, sys
import numpy as np
from pellucid import SkyImage, write_image
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    write_image(SkyImage(np.ones((1, 200, 200))), sys.argv[1])
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_disk_that_fills_up_under_the_pixels_is_said(tmp_path, run_python):
    pytest.importorskip("resource")
    said = run_python("-c", FULL, tmp_path / "full.fits").stdout
    assert said.startswith("TemporaryError")
    assert "the disk is full" in said
    assert list(tmp_path.iterdir()) == []
