"""What each pipeline writes, built as it writes it, and what it is read as."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from astropy.io import fits
from fits_files import checked, noise, refused, save, sky_header
from numpy.testing import assert_array_equal

from pellucid.fits import file_roles, read_image, write_image

SHAPE = (12, 14)
IMAGE = noise(*SHAPE)
ONES = np.ones(SHAPE, "f4")
FLAGS = np.zeros(SHAPE, "i4")
FLAGS[3, 4] = 1
TABLE = [fits.Column("id", "J", array=np.arange(3)), fits.Column("psf", "E", array=np.ones(3))]


def plane(name=None, data=IMAGE, kind="f4", ver=None, **cards):
    header = sky_header(**{key: value for key, value in cards.items() if value is not None})
    return fits.ImageHDU(data.astype(kind), header, name=name, ver=ver)


def packed(*args, **cards):
    made = plane(*args, **cards)
    kind = "RICE_1" if made.data.dtype.kind in "iu" else "GZIP_2"
    return fits.CompImageHDU(made.data, made.header, compression_type=kind, quantize_level=0.0)


def table(name=None):
    return fits.BinTableHDU.from_columns(TABLE, name=name)


def primary(data=None, **cards):
    return fits.PrimaryHDU(data, fits.Header(cards))


@dataclass
class Wanted:
    """The roles of all HDUs in order, the bands that are restored, and what is read beside."""

    roles: str
    bands: str
    read: str = ""
    options: dict = field(default_factory=dict)


def afw(*more, **cards):
    """lsst.afw: image, mask and variance, then tables of the PSF, the WCS, the transmission…"""
    mask = {f"HIERARCH MP_{name}": bit for bit, name in enumerate(("BAD", "SAT", "INTRP", "CR"))}
    planes = [
        packed(cards.get("image")),
        packed(cards.get("mask"), FLAGS, "i4"),
        packed(cards.get("variance"), ONES),
    ]
    planes[1].header.update(mask)
    for made, kind in zip(planes, ("IMAGE", "MASK", "VARIANCE"), strict=True):
        if not cards:
            made.header["EXTTYPE"] = kind
    tables = [table(name) for name in ("ARCHIVE_INDEX", "FilterLabel", "SkyWcs", "PsfexPsf")]
    return [*planes, *tables, *more]


def galfit():
    blocks = [plane(data=k * IMAGE) for k in (1, 2, 3)]
    for block, words in zip(blocks, ("in.fits[1:14,1:12]", "model", "residual map"), strict=True):
        block.header["OBJECT"] = words
    return blocks


NAMED = {"image": "IMAGE", "mask": "MASK", "variance": "VARIANCE"}
HST = {"TELESCOP": "HST", "INSTRUME": "ACS", "FILTER": "F814W"}
EUCLID = {"TELESCOP": "EUCLID", "INSTRUME": "VIS"}
FILES = {
    "SDSS frame": (
        [
            primary(IMAGE, FILTER="r", BUNIT="nanomaggy", TELESCOP="2.5m"),
            fits.ImageHDU(np.ones(14, "f4")),
            fits.BinTableHDU.from_columns([fits.Column("ALLSKY", "4E", array=np.ones((1, 4)))]),
            table(),
        ],
        Wanted("image other table table", "0"),
    ),
    "SDSS cutout": ([primary(IMAGE, FILTER="g", BUNIT="nanomaggy")], Wanted("image", "0")),
    "Legacy Surveys coadd with its inverse variance": (
        [
            primary(),
            packed(IMTYPE="image", BAND="r", BUNIT="nanomaggy"),
            packed(None, ONES, IMTYPE="invvar", BAND="r", BUNIT="1/nanomaggy^2"),
            packed(None, 8 * FLAGS, "i4", IMTYPE="maskbits"),
        ],
        Wanted("header image|inverse variance|mask", "1", "2 3"),
    ),
    "Legacy Surveys cutout": (
        [primary(np.stack([IMAGE] * 3), BAND1="g", BAND2="r", BAND3="z")],
        Wanted("image", "0"),
    ),
    "Legacy Surveys cutout with its inverse variance": (
        [
            primary(np.stack([IMAGE] * 3), BAND1="g", BAND2="r", BAND3="z", IMTYPE="image"),
            plane("INVVAR", np.stack([ONES] * 3)),
            plane("MASKBITS", 4 * FLAGS, "i2"),
        ],
        Wanted("image|inverse variance|mask", "0", "1 2"),
    ),
    "DES": (
        [
            primary(),
            packed("SCI", DES_EXT="IMAGE", BAND="g", FILETYPE="coadd"),
            packed("MSK", FLAGS, "i4", DES_EXT="MASK", BAND="g"),
            packed("WGT", ONES, DES_EXT="WEIGHT", BAND="g"),
        ],
        Wanted("header image|mask|inverse variance", "1", "2 3"),
    ),
    "DES without DES_EXT": (
        [plane("SCI"), plane("MSK", FLAGS, "i2"), plane("WGT", ONES)],
        Wanted("header image|mask|inverse variance", "1", "2 3"),
    ),
    "DECam Community Pipeline": (
        [
            primary(INSTRUME="DECam", FILTER="r DECam SDSS c0002 6415.0 1480.0"),
            packed("N4", FLAGS, "i4", PRODTYPE="dqmask"),
            packed("S4", PRODTYPE="image"),
        ],
        Wanted("header mask|image", "2", "1"),
    ),
    "HSC and LSST, old lsst.afw": (
        [primary(), *afw()],
        Wanted("header image|mask|variance table table table table", "1", "2 3"),
    ),
    "HSC and LSST, lsst.afw": (
        [primary(), *afw(**NAMED)],
        Wanted("header image|mask|variance table table table table", "1", "2 3"),
    ),
    "Pan-STARRS stack": (
        [primary(), packed(**{"HIERARCH FPA.FILTER": "r.00000"})],
        Wanted("header image", "1"),
    ),
    "KiDS, 2MASS, unWISE, CFHT MegaPipe": (
        [primary(IMAGE, FILTER="OCAM_r_SDSS")],
        Wanted("image", "0"),
    ),
    "HST drz": (
        [primary(**HST), plane("SCI"), plane("WHT", ONES), plane("CTX", FLAGS, "i4"), table()],
        Wanted("header image|weight|other table", "1", "2"),
    ),
    "HST drizzle without an extension": ([primary(IMAGE, **HST)], Wanted("image", "0")),
    "HST flc, one chip": (
        [
            primary(**HST),
            *(plane("SCI", ver=k) for k in (1,)),
            plane("ERR", ONES, ver=1),
            plane("DQ", FLAGS, "i2", ver=1),
            plane("SCI", ver=2),
            plane("ERR", ONES, ver=2),
            plane("DQ", FLAGS, "i2", ver=2),
            plane("D2IMARR", np.ones((3, 4)), ver=1),
            plane("WCSDVARR", np.ones((3, 4)), ver=1),
            table("WCSCORR"),
        ],
        Wanted(
            "header image|error|mask|image|error|mask|other|other table",
            "4",
            "5 6",
            {"hdu": "SCI,2"},
        ),
    ),
    "HST flt of WFC3/IR": (
        [
            primary(TELESCOP="HST", INSTRUME="WFC3", DETECTOR="IR", FILTER="F160W"),
            plane("SCI"),
            plane("ERR", ONES),
            plane("DQ", FLAGS, "i2"),
            plane("SAMP", FLAGS, "i2"),
            plane("TIME", ONES),
            table("WCSCORR"),
        ],
        Wanted("header image|error|mask|other|other table", "1", "2 3"),
    ),
    "JWST cal": (
        [
            primary(TELESCOP="JWST", FILTER="F200W"),
            plane("SCI", BUNIT="MJy/sr"),
            plane("ERR", ONES, BUNIT="MJy/sr"),
            plane("DQ", FLAGS, "u4"),
            plane("AREA", ONES),
            *(plane(f"VAR_{part}", ONES) for part in ("POISSON", "RNOISE", "FLAT")),
            table("ASDF"),
        ],
        Wanted("header image|error|mask|other|variance|variance|variance table", "1", "2 3"),
    ),
    "JWST i2d": (
        [
            primary(TELESCOP="JWST", FILTER="F200W"),
            plane("SCI", BUNIT="MJy/sr"),
            plane("ERR", ONES, BUNIT="MJy/sr"),
            plane("CON", np.stack([FLAGS] * 2), "i4"),
            plane("WHT", ONES),
            *(plane(f"VAR_{part}", ONES) for part in ("POISSON", "RNOISE", "FLAT")),
            table("HDRTAB"),
            table("ASDF"),
        ],
        Wanted(
            "header image|error|other|weight|variance|variance|variance table table",
            "1",
            "2 4",
        ),
    ),
    "a variance in parts alone": (
        [plane("SCI"), *(plane(f"VAR_{part}", ONES) for part in ("POISSON", "RNOISE"))],
        Wanted("header image|variance|variance", "1", "2 3"),
    ),
    "Euclid VIS": (
        [
            primary(**EUCLID),
            plane("3-4.E.SCI"),
            plane("3-4.E.RMS", ONES),
            plane("3-4.E.FLG", FLAGS, "i4"),
        ],
        Wanted("header image|error|mask", "1", "2 3"),
    ),
    "Euclid NISP": (
        [
            primary(TELESCOP="EUCLID", INSTRUME="NISP", FILTER="Y"),
            plane("DET11.SCI"),
            plane("DET11.RMS", ONES),
            plane("DET11.DQ", FLAGS, "i4"),
        ],
        Wanted("header image|error|mask", "1", "2 3"),
    ),
    "Euclid cutouts, several bands": (
        [
            primary(),
            plane("VIS_FLUX"),
            plane("VIS_PSF", np.ones((5, 5))),
            plane("VIS_RMS", ONES),
            plane("NIR_Y_FLUX"),
            plane("NIR_Y_PSF", np.ones((5, 5))),
            plane("NIR_Y_RMS", 2 * ONES),
        ],
        Wanted("header image|psf|error|image|psf|error", "1 4", "3 6"),
    ),
    "GALFIT": (
        [primary(), *galfit()],
        Wanted("header image|model|residual", "1"),
    ),
    "GALFITM": (
        [
            primary(),
            *(plane(f"INPUT_{band}") for band in "GR"),
            *(plane(f"MODEL_{band}") for band in "GR"),
            *(plane(f"RESIDUAL_{band}") for band in "GR"),
        ],
        Wanted("header image|image|model|model|residual|residual", "1 2"),
    ),
    "observed and expected": (
        [plane("OBSERVED"), plane("EXPECTED"), plane("DIFF")],
        Wanted("header image|model|residual", "1"),
    ),
    "SWarp and its weight in one file": (
        [primary(IMAGE, SOFTNAME="SWarp"), plane("WEIGHT", ONES)],
        Wanted("image|weight", "0", "1"),
    ),
    "SExtractor's check images": (
        [
            primary(IMAGE),
            plane("BACKGROUND", ONES),
            plane("BACKGROUND_RMS", ONES),
            plane("SEGMENTATION", FLAGS, "i4"),
            plane("APERTURES"),
        ],
        Wanted("image|other|error|other|other", "0", "2"),
    ),
    "ESO data product": (
        [
            primary(INSTRUME="FORS2"),
            plane("DATA.1", HDUCLASS="ESO", HDUCLAS1="IMAGE", HDUCLAS2="DATA"),
            plane("STAT.1", ONES, HDUCLAS1="IMAGE", HDUCLAS2="ERROR", HDUCLAS3="MSE"),
            plane("Q.1", FLAGS, "i4", HDUCLAS2="QUALITY", HDUCLAS3="FLAG32BIT"),
        ],
        Wanted("header image|variance|mask", "1", "2 3"),
    ),
    "Siril, PixInsight, Seestar: a stack in colours": (
        [primary(np.stack([IMAGE] * 3), PROGRAM="Siril 1.2.0", IMAGETYP="Light")],
        Wanted("image", "0"),
    ),
    "NINA, ASIAIR: a frame of 16 bits": (
        [primary((1000 + IMAGE).astype("u2"), IMAGETYP="LIGHT", FILTER="Ha")],
        Wanted("image", "0"),
    ),
    "a unit squared": (
        [plane(BUNIT="MJy/sr"), plane(None, ONES, BUNIT="(MJy/sr)**2")],
        Wanted("header image|variance", "1", "2"),
    ),
    "integers beside an image": (
        [primary(IMAGE), plane(None, FLAGS, "i4")],
        Wanted("image|other", "0"),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_what_a_pipeline_writes_is_read_as_what_it_is(tmp_path, name):
    hdus, wanted = FILES[name]
    path = save(tmp_path / "in.fits", *hdus)
    planes = file_roles(path, **wanted.options)
    roles = wanted.roles.replace("inverse variance", "inverse_variance").replace("|", " ").split()
    assert [p.role.replace(" ", "_") for p in planes] == roles
    for use, numbers in (("band", wanted.bands), ("read", wanted.read)):
        assert [p.hdu.number for p in planes if p.use == use] == [*map(int, numbers.split())]
    assert all(p.why for p in planes)

    image = read_image(path, **wanted.options)
    assert (image.variance is not None) == any(
        p.use == "read" and p.role in ("error", "variance", "inverse variance") for p in planes
    )
    assert (image.mask is not None) == any(p.use == "read" and p.role == "mask" for p in planes)
    if image.mask is not None:
        assert image.mask.any(axis=0)[3, 4], "its bit is bad by the pipeline's table"
        assert image.mask.any(axis=0).sum() == 1
    named = [p for p in planes if p.role not in ("header", "table")]
    if len(named) > 1:
        assert all(str(p) in " ".join(image.notes) for p in named)

    write_image(image.with_flux(2 * image.flux), tmp_path / "out.fits")
    with fits.open(path) as old, fits.open(tmp_path / "out.fits") as new:
        assert [hdu.name for hdu in new] == [hdu.name for hdu in old]
        for p, before, after in zip(planes, old, new, strict=True):
            if p.use == "band":
                assert_array_equal(after.data, 2 * before.data.astype("f4"))
            elif p.role == "table":
                assert_array_equal(
                    after.data["id" if "id" in after.columns.names else 0],
                    before.data["id" if "id" in before.columns.names else 0],
                )
            elif p.role != "header":
                assert_array_equal(after.data, before.data)
                assert after.data.dtype == before.data.dtype
    checked(tmp_path / "out.fits")
    again = read_image(tmp_path / "out.fits", **wanted.options)
    assert_array_equal(again.flux, 2 * image.flux)


def test_bands_have_their_own_companions_by_name(tmp_path):
    image = read_image(save(tmp_path / "a.fits", *FILES["Euclid cutouts, several bands"][0]))
    assert image.bands == ("VIS", "NIR_Y")
    assert_array_equal(image.variance[:, 0, 0], [1, 4])


def test_the_parts_of_a_variance_add_up(tmp_path):
    image = read_image(save(tmp_path / "a.fits", *FILES["a variance in parts alone"][0]))
    assert_array_equal(image.variance, 2 * ONES[None])


def test_several_planes_of_which_nothing_is_said_are_not_taken_for_bands(tmp_path):
    path = save(tmp_path / "a.fits", plane(), plane(), plane())
    text = refused(path, match="nothing says which bands")
    assert "--bands" in text
    assert read_image(path, bands=("g", "r", "i")).bands == ("g", "r", "i")
    assert read_image(path, hdu=2).shape == (1, *SHAPE)
    beside = save(tmp_path / "b.fits", primary(IMAGE), plane(), plane())
    assert [p.use for p in file_roles(beside)] == ["band", "copied", "copied"]


def test_a_file_without_an_image_says_what_it_holds(tmp_path):
    path = save(tmp_path / "a.fits", plane("MASK", FLAGS, "i4"), plane("VAR_MAP", IMAGE**2))
    text = refused(path, match="holds no image")
    assert "mask (EXTNAME = MASK)" in text
    assert "variance (EXTNAME = VAR_MAP)" in text
    assert read_image(path, hdu="VAR_MAP").shape == (1, *SHAPE)


def test_a_primary_image_that_is_not_chosen_is_kept(tmp_path):
    other = noise(*SHAPE, seed=5)
    path = save(tmp_path / "a.fits", primary((100 * IMAGE).astype("u2")), plane("SCI", other))
    image = read_image(path)
    assert_array_equal(image.flux[0], other)
    write_image(image, tmp_path / "b.fits")
    second = save(tmp_path / "c.fits", primary(IMAGE), plane("SCI", other, FILTER="r"))
    several = read_image(tmp_path / "a.fits", second, bands=("g", "r"))
    write_image(several, tmp_path / "d.fits")
    with fits.open(path) as old, fits.open(tmp_path / "b.fits") as new:
        assert_array_equal(new[0].data, old[0].data)
        assert_array_equal(new["SCI"].data, other)
    with fits.open(path) as old, fits.open(tmp_path / "d.fits") as new:
        assert new[0].data is None
        assert_array_equal(new[1].data, old[0].data)
        assert_array_equal(new[3].data, IMAGE)
        assert [hdu.name for hdu in new[1:]] == ["", "g", "", "r"]
    checked(tmp_path / "d.fits")
