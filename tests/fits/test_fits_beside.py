"""Masks, weights and errors in files of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fits_files import noise, refused, save, sky_header
from numpy.testing import assert_array_equal

from pellucid.errors import UsageError
from pellucid.fits import read_image, role_of_file, write_image

IMAGE = noise(12, 14)
HOLED = np.ones((12, 14), "f4")
HOLED[3, 4] = 0
FLAGS = (HOLED == 0).astype("i4")


@pytest.mark.parametrize(
    ("image", "other", "values", "cards"),
    [
        ("coadd.fits", "coadd.weight.fits", HOLED, {}),
        ("KIDS_r_sci.fits", "KIDS_r_weight.fits.gz", HOLED, {}),
        ("stk.r.unconv.fits", "stk.r.unconv.mask.fits", FLAGS, {"MSKNAM00": "SAT", "MSKVAL00": 1}),
        ("KiDS_DR4.0_r_sci.fits", "KiDS_DR4.0_r_wei.fits", HOLED, {"FILTER": "r"}),
        ("unwise-w1-img-m.fits", "unwise-w1-std-m.fits", HOLED, {"FILTER": "r"}),
        ("unwise-w1-img-m.fits", "unwise-w1-std-m.fits.gz", HOLED, {}),
        ("unwise-w1-img-m.fits", "unwise-w1-invvar-m.fits.gz", HOLED, {}),
        ("brick-image-r.fits", "brick-b-r.fits", HOLED, {"IMTYPE": "invvar"}),
        ("EUC_MER_VIS.fits", "EUC_MER_VIS_RMS.fits", HOLED, {}),
        ("G26fitim.fits", "G26mskim.fits", FLAGS, {}),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_a_file_of_its_own(tmp_path, image, other, values, cards, order):
    first = save(tmp_path / image, fits.PrimaryHDU(IMAGE, sky_header(FILTER="r")))
    second = save(tmp_path / other, fits.PrimaryHDU(values, sky_header(**cards)))
    read = read_image(*(first, second)[::order])
    assert read.bands == ("r",)
    assert_array_equal(read.flux[0], IMAGE)
    assert_array_equal(read.mask[0], HOLED == 0)
    assert f"read {other} as " in str(read.notes)
    again = read_image(write_image(read, tmp_path / "out.fits"))
    assert_array_equal(again.mask, read.mask)
    assert (again.variance is None) == (read.variance is None)


@pytest.mark.parametrize(
    ("image", "other", "role", "cards"),
    [
        ("unwise-w1-img-m.fits", "unwise-w1-n-m.fits", "other", {"BAND": 1}),
        ("unwise-w1-img-u.fits", "unwise-w1-n-u.fits.gz", "other", {"BAND": 1}),
        ("ls-12-image-r.fits", "ls-12-nexp-r.fits", "other", {}),
        ("ls-12-image-r.fits", "ls-12-galdepth-r.fits.gz", "other", {"FILTER": "r"}),
        ("m31.fits", "m31_model.fits", "model", {"FILTER": "r"}),
        ("m31.fits", "resid_m31.fits", "residual", {}),
        ("m31.fits", "ps-num.fits", "other", {"PRODTYPE": "expmap"}),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_a_map_of_coverage_or_a_model_is_left_out(tmp_path, image, other, role, cards, order):
    first = save(tmp_path / image, fits.PrimaryHDU(IMAGE, sky_header(FILTER="r")))
    second = save(tmp_path / other, fits.PrimaryHDU(HOLED, sky_header(**cards)))
    read = read_image(*(first, second)[::order])
    assert read.bands == ("r",)
    assert_array_equal(read.flux[0], IMAGE)
    assert read.mask is None
    (note,) = read.notes
    assert note.startswith(f"{other}: {role} (")
    assert note.endswith("beside the image, not used")
    # What is said beside an image says nothing of a file alone, or beside another.
    alone = save(tmp_path / f"of-another-{other}", fits.PrimaryHDU(IMAGE, sky_header(FILTER="g")))
    if "PRODTYPE" not in cards:
        assert read_image(first, alone).bands == ("r", "g")
        assert read_image(second).flux.shape == (1, 12, 14)


def test_each_band_has_its_own(tmp_path):
    paths = []
    for k, band in enumerate("gri"):
        header = sky_header(FILTER=band)
        paths.append(save(tmp_path / f"{band}.fits", fits.PrimaryHDU(IMAGE, header)))
        error = np.full(IMAGE.shape, k + 1.0, "f4")
        paths.append(save(tmp_path / f"{band}.rms.fits", fits.PrimaryHDU(error)))
    image = read_image(*sorted(paths, key=lambda path: len(path.name)))
    assert image.bands == ("g", "r", "i")
    assert_array_equal(image.variance[:, 0, 0], [1, 4, 9])
    with pytest.raises(UsageError, match=r"z\.rms\.fits: nothing says whether it goes with"):
        read_image(*paths[::2], save(tmp_path / "z.rms.fits", fits.PrimaryHDU(IMAGE)))


def test_one_of_another_shape_is_refused(tmp_path):
    image = save(tmp_path / "a.fits", fits.PrimaryHDU(IMAGE))
    other = save(tmp_path / "a.weight.fits", fits.PrimaryHDU(HOLED[:9]))
    with pytest.raises(Exception, match=r"a\.weight\.fits: does not fit a\.fits") as caught:
        read_image(image, other)
    assert caught.value.exit_code == 3


def test_a_mask_alone_is_read_as_an_image_and_a_note_says_so(tmp_path):
    path = save(tmp_path / "a.mask.fits", fits.PrimaryHDU(IMAGE))
    (note,) = read_image(path).notes
    assert "taken as the image for want of another, though its file's name says mask" in note
    for name, role in (("G1mskim.fits", "mask"), ("G1sigma.fits", "error"), ("a.wht.fz", "weight")):
        hdu = fits.CompImageHDU(IMAGE) if name.endswith("fz") else fits.PrimaryHDU(IMAGE)
        (note,) = read_image(save(tmp_path / name, hdu)).notes
        assert f"for want of another, though its file's name says {role}" in note


def spans(*runs):
    """A table of SDSS's fpM: one object of spans (row, first column, last column)."""
    packed = np.array(runs, ">i2").tobytes()
    column = np.empty(1 if runs else 0, dtype=object)
    if runs:
        column[0] = np.frombuffer(packed, "u1")
    return fits.BinTableHDU.from_columns([fits.Column("s", "PB()", array=column)])


def test_the_mask_of_an_sdss_frame(tmp_path):
    """INTERP, SATUR and CR are bad; that an object was found there is none of a fault."""
    frame = save(
        tmp_path / "frame-r-002583-2-0136.fits",
        fits.PrimaryHDU(IMAGE, fits.Header({"FILTER": "r", "BUNIT": "nanomaggy"})),
    )
    tables = [spans() for _ in range(10)]
    tables[0] = spans((2, 5, 7), (3, 5, 5))
    tables[1] = spans((9, 0, 1))
    tables[4] = spans((6, 0, 13))
    sizes = fits.Header({"NPLANE": 10, "MASKROWS": 12, "MASKCOLS": 14})
    mask = save(tmp_path / "fpM-002583-r2-0136.fit", fits.PrimaryHDU(header=sizes), *tables)
    expected = np.zeros(IMAGE.shape, bool)
    expected[2, 5:8] = expected[3, 5] = expected[9, :2] = True
    image = read_image(frame, mask)
    assert_array_equal(image.mask[0], expected)
    assert "(SDSS)" in str(image.notes)
    bright = read_image(frame, mask, bad_bits="BRIGHTOBJECT")
    assert_array_equal(np.flatnonzero(bright.mask[0].all(axis=1)), [6])
    refused(mask, match="holds no image")


def test_a_psf_is_no_second_image(tmp_path):
    for name in ("G1fitim.fits", "G1psfim.fits"):
        fits.PrimaryHDU(np.arange(64.0).reshape(8, 8)).writeto(tmp_path / name)
    with pytest.raises(UsageError, match="is a PSF, by its file's name; give it as --psf"):
        read_image(tmp_path / "G1fitim.fits", tmp_path / "G1psfim.fits")


def test_a_field_of_standard_stars_is_an_image():
    assert role_of_file(Path("field_std_r.fits")) is None
    assert role_of_file(Path("field_sigma_r.fits"))[0] == "error"


def test_the_mask_beside_a_frame_of_sdss_is_told_of(tmp_path):
    image = fits.PrimaryHDU(np.random.default_rng(1).normal(size=(20, 30)).astype("f4"))
    image.writeto(tmp_path / "frame-r-002583-2-0136.fits")
    assert not read_image(tmp_path / "frame-r-002583-2-0136.fits").notes
    (tmp_path / "fpM-002583-r2-0136.fits").write_bytes(b"")
    notes = read_image(tmp_path / "frame-r-002583-2-0136.fits").notes
    assert "fpM-002583-r2-0136.fits, the mask of this frame, lies beside: name it, too" in notes
