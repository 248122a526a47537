"""FITS in and out: pixels exact, cards kept, files built as they came."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from numpy.testing import assert_array_equal

from pellucid.errors import InputError, UsageError
from pellucid.fits import read_image, write_image
from pellucid.sky.image import SkyImage

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def sky_header(shift: float = 0.0, **cards) -> fits.Header:
    """A gnomonic WCS of 0.4 arcsec per pixel, moved by ``shift`` pixels."""
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = 150.0, 2.0
    header["CRPIX1"], header["CRPIX2"] = 5.0 + shift, 6.0
    header["CDELT1"], header["CDELT2"] = -0.4 / 3600, 0.4 / 3600
    header.update(cards)
    return header


def noise(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(3, 2, shape).astype("f4")


def save(path: Path, *hdus, **options) -> Path:
    first = hdus[0] if isinstance(hdus[0], fits.PrimaryHDU) else fits.PrimaryHDU()
    rest = hdus[1:] if first is hdus[0] else hdus
    fits.HDUList([first, *rest]).writeto(path, output_verify="ignore", **options)
    return path


def lasting(header: fits.Header) -> list[str]:
    """The cards a test expects to find again, verbatim, in order."""
    structure = {"SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "PCOUNT"}
    structure |= {"GCOUNT", "EXTEND", "BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM"}
    return [str(card) for card in header.cards if card.keyword not in structure]


def unpacked(archive: str, member: str, folder: Path) -> Path:
    """A real file from the tars that lie beside the repository."""
    if not (SHARED / archive).exists():
        pytest.skip("needs ../shared")
    with tarfile.open(SHARED / archive) as tar:
        names = [name for name in tar.getnames() if member in name and name.endswith(".fits")]
        tar.extract(names[0], folder, filter="data")
    return folder / names[0]


def checked(path: Path) -> None:
    """Every HDU carries sums, and they are right."""
    with fits.open(path, checksum=True, disable_image_compression=True) as hdus:
        for hdu in hdus:
            assert "CHECKSUM" in hdu.header
            assert "DATASUM" in hdu.header
            assert hdu.verify_checksum() == 1
            assert hdu.verify_datasum() == 1


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", ">i2", ">i4", ">i8", ">f4", ">f8"])
def test_every_pixel_type_is_read(tmp_path, dtype):
    data = np.arange(20).reshape(4, 5).astype(dtype)
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(data)))
    assert image.flux.dtype == np.float32
    assert image.flux.dtype.isnative
    assert_array_equal(image.flux[0], np.arange(20).reshape(4, 5))


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "int8"])
def test_pseudo_unsigned_integers(tmp_path, dtype):
    data = np.array([[0, 1], [2, np.iinfo(dtype).max]], dtype=dtype)
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(data)))
    assert_array_equal(image.flux[0], data.astype("f4"))


@pytest.mark.parametrize("bzero", [0.0, 100.0, 32768.0])
def test_scaled_integers_and_blank(tmp_path, bzero):
    hdu = fits.PrimaryHDU(np.array([[1, 2], [-99, 4]], dtype=">i2"))
    path = save(tmp_path / "a.fits", hdu)
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        hdus[0].header["BSCALE"], hdus[0].header["BZERO"] = 0.5, bzero
        hdus[0].header["BLANK"] = -99
        hdus[0].header["DATE-OBS"] = "2020-01-01"
    image = read_image(path)
    assert_array_equal(image.flux[0], np.array([[0.5, 1], [np.nan, 2]], "f4") + np.float32(bzero))
    again = read_image(write_image(image, tmp_path / "b.fits"))
    assert_array_equal(again.flux, image.flux)
    header = fits.getheader(tmp_path / "b.fits")
    assert header["BITPIX"] == -32
    assert not {"BSCALE", "BZERO", "BLANK", "O_BZERO"} & set(header)
    assert header["DATE-OBS"] == "2020-01-01"


def test_blank_of_unsigned_integers(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(np.array([[0, 7], [9, 65535]], "uint16")))
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        hdus[0].header["BLANK"] = 32767
    assert_array_equal(read_image(path).flux[0], [[0, 7], [9, np.nan]])


def test_nan_stays_nan(tmp_path):
    data = noise(4, 5)
    data[1, 2] = np.nan
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(data)))
    assert_array_equal(image.flux[0], data)
    assert_array_equal(read_image(write_image(image, tmp_path / "b.fits")).flux[0], data)


def test_a_single_image_with_its_cards(tmp_path):
    header = sky_header(BUNIT="nanomaggy", FILTER="r", MAGZERO=22.5)
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(8, 9), header)))
    assert image.shape == (1, 8, 9)
    assert image.bands == ("r",)
    assert image.unit == "nanomaggy"
    assert image.header is not None
    assert image.header["MAGZERO"] == 22.5
    assert image.pixel_scale == pytest.approx(0.4, rel=1e-6)
    assert image.wcs is not None
    assert_array_equal(
        image.wcs.wcs_pix2world([[0, 0], [8, 7]], 0), WCS(header).wcs_pix2world([[0, 0], [8, 7]], 0)
    )


@pytest.mark.parametrize(
    ("name", "cards", "extname", "band"),
    [
        ("x-g.fits", {"FILTER": "r "}, "Z", "r"),
        ("x-g.fits", {"BAND": "i"}, "Z", "i"),
        ("x-g.fits", {"FILTNAM": "F814W"}, "Z", "F814W"),
        ("x-g.fits", {}, "Z", "Z"),
        ("x-g.fits", {}, "SCI", "g"),
        ("x_r.fits.gz", {}, None, "r"),
        ("x.i.fits.fz", {}, None, "i"),
        ("g.fits", {}, None, "g"),
        ("ngc-F606W.fits", {}, None, "F606W"),
        ("my_galaxy.fits", {}, None, "band1"),
        ("x.fits", {"FILTER": 3}, None, "band1"),
    ],
)
def test_band_names(tmp_path, name, cards, extname, band):
    hdu = fits.ImageHDU(noise(4, 5), fits.Header(cards), name=extname)
    assert read_image(save(tmp_path / name, hdu)).bands == (band,)


def test_given_names_win(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(2, 4, 5)))
    assert read_image(path, bands=["g", "r"]).bands == ("g", "r")


def test_the_primary_header_names_the_filter_of_an_only_image(tmp_path):
    primary = fits.PrimaryHDU(header=fits.Header({"FILTER": "F475W"}))
    path = save(tmp_path / "a.fits", primary, fits.ImageHDU(noise(4, 5), name="SCI"))
    assert read_image(path).bands == ("F475W",)


def test_a_cube(tmp_path):
    data = noise(3, 4, 5)
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(data)))
    assert image.bands == ("band1", "band2", "band3")
    assert_array_equal(image.flux, data)


def test_a_cube_has_the_celestial_wcs_of_its_planes(tmp_path):
    header = sky_header(CTYPE3="WAVE", CRVAL3=5e-7, CDELT3=1e-7, CRPIX3=1.0, CUNIT3="m")
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(3, 4, 5), header)))
    assert image.wcs is not None
    assert image.wcs.naxis == 2
    assert image.pixel_scale == pytest.approx(0.4, rel=1e-6)


def test_extensions_of_one_shape_are_bands(tmp_path):
    planes = {name: noise(4, 5, seed=k) for k, name in enumerate("GRI")}
    hdus = [fits.ImageHDU(plane, sky_header(), name=name) for name, plane in planes.items()]
    other = fits.ImageHDU(noise(6, 6), name="OTHER")
    image = read_image(save(tmp_path / "a.fits", *hdus, other))
    assert image.bands == ("G", "R", "I")
    assert_array_equal(image.flux, list(planes.values()))


def test_several_files(tmp_path):
    planes = [noise(4, 5, seed=k) for k in range(3)]
    paths = [
        save(tmp_path / f"x-{band}.fits", fits.PrimaryHDU(plane, sky_header()))
        for band, plane in zip("gri", planes, strict=True)
    ]
    image = read_image(*paths)
    assert image.bands == ("g", "r", "i")
    assert_array_equal(image.flux, planes)


@pytest.mark.parametrize(("hdu", "number"), [(2, 2), ("2", 2), ("b", 2), ("B,7", 3), (1, 1)])
def test_choosing_an_hdu(tmp_path, hdu, number):
    planes = [noise(4, 5, seed=k) for k in range(4)]
    path = save(
        tmp_path / "a.fits",
        fits.PrimaryHDU(planes[0]),
        fits.ImageHDU(planes[1], name="A"),
        fits.ImageHDU(planes[2], name="B"),
        fits.ImageHDU(planes[3], name="B", ver=7),
    )
    assert_array_equal(read_image(path, hdu=hdu).flux[0], planes[number])


def test_err_and_dq_become_variance_and_mask(tmp_path):
    error, flags = np.abs(noise(4, 5)), np.zeros((4, 5), "uint16")
    flags[1, 2] = 4096
    path = save(
        tmp_path / "a.fits",
        fits.ImageHDU(noise(4, 5), name="SCI"),
        fits.ImageHDU(error, name="ERR"),
        fits.ImageHDU(flags, name="DQ"),
    )
    image = read_image(path)
    assert image.shape == (1, 4, 5)
    np.testing.assert_allclose(image.variance[0], error**2, rtol=1e-6)
    assert_array_equal(image.mask[0], flags != 0)


def test_companions_go_with_their_extver(tmp_path):
    hdus = []
    for version, band in ((1, "g"), (2, "r")):
        header = fits.Header({"FILTER": band})
        hdus += [
            fits.ImageHDU(noise(4, 5, seed=version), header, name="SCI", ver=version),
            fits.ImageHDU(np.full((4, 5), float(version), "f4"), name="ERR", ver=version),
        ]
    image = read_image(save(tmp_path / "a.fits", *hdus))
    assert image.bands == ("g", "r")
    assert_array_equal(image.variance[:, 0, 0], [1, 4])
    alone = read_image(tmp_path / "a.fits", hdu="SCI,2")
    assert_array_equal(alone.variance[:, 0, 0], [4])
    written = write_image(alone, tmp_path / "b.fits")
    with fits.open(written) as out:
        assert [(u.name, u.ver) for u in out[1:]] == [("SCI", 2), ("ERR", 2)]


def test_hsc_variance_and_mask_without_the_detected_bit(tmp_path):
    planes = fits.Header({"MP_BAD": 0, "HIERARCH MP_DETECTED": 5})
    flags = np.array([[0, 1], [32, 33]], "i4")
    path = save(
        tmp_path / "a.fits",
        fits.ImageHDU(noise(2, 2), name="IMAGE"),
        fits.ImageHDU(flags, planes, name="MASK"),
        fits.ImageHDU(np.full((2, 2), 9.0), name="VARIANCE"),
    )
    image = read_image(path)
    assert_array_equal(image.mask[0], [[False, True], [False, True]])
    assert_array_equal(image.variance, np.full((1, 2, 2), 9.0))


@pytest.mark.parametrize("kind", ["std", "var", "ivar"])
def test_ccddata_files_are_understood(tmp_path, kind):
    from astropy.nddata import (
        CCDData,
        InverseVariance,
        StdDevUncertainty,
        VarianceUncertainty,
    )

    made = {
        "std": StdDevUncertainty(np.full((4, 5), 2.0)),
        "var": VarianceUncertainty(np.full((4, 5), 4.0)),
        "ivar": InverseVariance(np.full((4, 5), 0.25)),
    }[kind]
    ccd = CCDData(noise(4, 5), unit="adu", uncertainty=made, mask=np.eye(4, 5, dtype=bool))
    ccd.write(tmp_path / "a.fits")
    image = read_image(tmp_path / "a.fits")
    assert image.unit == "adu"
    assert_array_equal(image.variance, np.full((1, 4, 5), 4.0))
    assert_array_equal(image.mask[0], np.eye(4, 5, dtype=bool))


def test_pixel_scale_given_wins_over_wcs_and_card(tmp_path):
    with_wcs = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5), sky_header(PIXSCALE=9.0)))
    card = save(tmp_path / "b.fits", fits.PrimaryHDU(noise(4, 5), fits.Header({"SECPIX": 0.5})))
    assert read_image(with_wcs).pixel_scale == pytest.approx(0.4, rel=1e-6)
    assert read_image(with_wcs, pixel_scale=0.2).pixel_scale == 0.2
    assert read_image(card).pixel_scale == 0.5
    assert read_image(card, pixel_scale=0.2).pixel_scale == 0.2
    with pytest.raises(UsageError, match="must be positive"):
        read_image(card, pixel_scale=0.0)
    again = read_image(write_image(read_image(card, pixel_scale=0.2), tmp_path / "c.fits"))
    assert again.pixel_scale == 0.2


def test_a_shift_below_a_tenth_of_a_pixel_is_one_sky(tmp_path):
    paths = [
        save(tmp_path / f"{band}.fits", fits.PrimaryHDU(noise(4, 5), sky_header(shift)))
        for band, shift in (("g", 0.0), ("r", 0.05))
    ]
    assert read_image(*paths).bands == ("g", "r")


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_2"])
def test_tile_compressed(tmp_path, kind):
    data = np.arange(400, dtype="i4").reshape(20, 20)
    hdu = fits.CompImageHDU(data, sky_header(FILTER="r"), compression_type=kind)
    image = read_image(save(tmp_path / "a.fits.fz", hdu))
    assert image.bands == ("r",)
    assert_array_equal(image.flux[0], data)
    assert_array_equal(read_image(write_image(image, tmp_path / "b.fits")).flux[0], data)
    with fits.open(tmp_path / "b.fits", disable_image_compression=True) as hdus:
        assert hdus[1].header["XTENSION"].strip() == "IMAGE"
        assert not [card for card in hdus[1].header if card.startswith("Z")]


def test_reading_without_a_wcs_does_not_import_astropy_wcs(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5)))
    code = (
        "import sys; from pellucid.fits import read_image; assert 'astropy' not in sys.modules; "
        f"read_image({str(path)!r}); assert 'astropy.wcs' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- writing ---------------------------------------------------------------------------------

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
    flags = np.arange(20, dtype="uint16").reshape(4, 5) + 40000
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
        assert history[1] == "restored by ?-model second line"
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


# --- real files ------------------------------------------------------------------------------


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
        assert [h.name for h in new] == [h.name for h in old if h.name != "HST_F814W"]
        for hdu in new[1:]:
            assert_array_equal(hdu.data, old[hdu.name].data)
            assert lasting(hdu.header) == lasting(old[hdu.name].header)
    checked(tmp_path / "out.fits")
