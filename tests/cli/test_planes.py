"""Planes, masks and pixels without data, as a person types it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits
from typed import GOOD, USAGE

FLAGS = np.zeros(GOOD.shape, "i2")
FLAGS[5, 6], FLAGS[7, 8] = 1, 4


def planes():
    return [
        fits.ImageHDU(GOOD, name="SCI"),
        fits.ImageHDU(FLAGS, fits.Header({"MP_BAD": 0, "MP_EDGE": 2}), name="MASK"),
        fits.ImageHDU(np.ones(GOOD.shape, "f4"), name="AREA"),
    ]


@pytest.fixture
def exposure(save, sky_header):
    made = planes()
    made[0].header.update(sky_header())
    return save("in.fits", None, *made)


def test_what_was_taken_for_what_is_said_and_what_was_not_used_is_kept(
    exposure, wiener, pellucid, tmp_path, capsys
):
    from pellucid.cli import main

    assert main(["restore", str(exposure), *map(str, wiener)]) == 0
    said = capsys.readouterr().err
    assert "read 1 SCI as image; 2 MASK as mask; not used, copied as they are: 3 AREA" in said
    assert "1 of 1760 pixels are not used and stay as they are: 0.06% flagged in 2 MASK" in said
    with fits.open(tmp_path / "out.fits") as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "MASK", "AREA"]
        assert ["PLCTYPE" in hdu.header for hdu in hdus] == [False, True, False, False]
        same = hdus["SCI"].data == GOOD
        assert same[5, 6]
        assert not same[7, 8]
        assert np.array_equal(hdus["MASK"].data, FLAGS)
        assert "not used, copied as they" in " ".join(hdus["SCI"].header["HISTORY"])


@pytest.mark.parametrize(("bits", "kept"), [("EDGE", 1), ("1,4", 2), ("all", 2), ("none", 0)])
def test_bad_bits(exposure, wiener, pellucid, tmp_path, bits, kept):
    report = json.loads(pellucid("restore", exposure, *wiener, "--bad-bits", bits, "--json"))
    assert sum("are not used" in note for note in report["notes"]) == (kept > 0)
    assert (fits.getdata(tmp_path / "out.fits", "SCI") == GOOD).sum() == kept


def test_bad_bits_that_are_none(exposure, wiener, refused, save):
    said = refused(USAGE, "restore", exposure, *wiener, "--bad-bits", "SAT", naming="SAT")
    assert "its flags are BAD, EDGE" in said
    alone = save("alone.fits")
    refused(USAGE, "restore", alone, *wiener, "--bad-bits", "1", naming=alone)


@pytest.mark.parametrize("value", [0.0, -9999.0, np.nan, np.inf])
@pytest.mark.parametrize("method", ["wiener", "richardson-lucy"])
def test_a_frame_with_a_border_is_restored_as_without_it(
    save, pellucid, tmp_path, value, method, sky_header
):
    """The border is none of the image: what lies inside is the same to the last digit."""
    y, x = np.mgrid[:64, :64]
    rng = np.random.default_rng(2)
    galaxy = (200 * np.exp(-np.hypot(y - 32, x - 32) / 5) + rng.normal(0, 1, y.shape)).astype("f4")
    bordered = np.full((64, 104), value, "f4")
    bordered[:, :64] = galaxy
    words = ["--method", method, "--psf", "1.2"]
    for name, data in (("alone.fits", galaxy), ("border.fits", bordered)):
        pellucid("restore", save(name, data), *words, "--output", tmp_path / f"out-{name}")
    result = fits.getdata(tmp_path / "out-border.fits")
    assert np.array_equal(result[:, :64], fits.getdata(tmp_path / "out-alone.fits"))
    assert np.array_equal(result[:, 64:], bordered[:, 64:], equal_nan=True)


def test_pixels_of_absurd_noise_are_left_and_their_values_go_nowhere(
    save, sky_header, wiener, pellucid, tmp_path, capsys
):
    """What is written in them (here ever more) changes nothing around them."""
    from pellucid.cli import main

    rms = np.full(GOOD.shape, 1.0, "f4")
    rms[10:14, 20:26] = 1e16
    results = []
    for value in (0.0, 5e4):
        flux = np.where(rms > 1.0, np.float32(value), GOOD)
        planes = fits.ImageHDU(flux, sky_header(), name="VIS_FLUX"), fits.ImageHDU(rms, name="RMS")
        path = save(f"{value}.fits", None, *planes)
        capsys.readouterr()
        assert main(["restore", str(path), *map(str, wiener), "--overwrite"]) == 0
        said = capsys.readouterr().err
        assert "24 of 1760 pixels are not used and stay as they are" in said
        assert said.count("2 RMS") == 2, "what it was read as, and one note"
        with fits.open(tmp_path / "out.fits") as hdus:
            results.append(hdus["VIS_FLUX"].data.copy())
            assert np.array_equal(hdus["INPUT_RMS"].data, rms)
        assert np.all(results[-1][rms > 1.0] == value)
    assert np.array_equal(results[0][rms == 1.0], results[1][rms == 1.0])


def test_a_variance_in_parts_stays_the_sum_of_its_parts(save, sky_header, tmp_path):
    """What degrade makes of it: the parts of a file add up to what one plane would hold."""
    from pellucid.cli import main

    image = fits.ImageHDU(GOOD, sky_header(), name="SCI")
    parts = {"VAR_POISSON": 0.3, "VAR_RNOISE": 0.7}
    planes = [fits.ImageHDU(np.full(GOOD.shape, v, "f4"), name=n) for n, v in parts.items()]
    whole = fits.ImageHDU(np.ones(GOOD.shape, "f4"), name="VAR")
    sums = {}
    for name, beside in (("parts", planes), ("whole", [whole])):
        source = save(f"{name}.fits", None, image, *beside)
        target = tmp_path / f"{name}-blurred.fits"
        assert main(["degrade", str(source), "--fwhm", "1", "--noise", "2", "-o", str(target)]) == 0
        with fits.open(target) as hdus:
            sums[name] = sum(hdu.data for hdu in hdus if hdu.name.startswith("VAR"))
    np.testing.assert_allclose(sums["parts"], sums["whole"], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "cards", "masked"), [("UNCERT", {"PLCROLE": "UNCERT"}, False), ("ERR", {}, True)]
)
def test_a_restorer_may_be_as_unsure_as_it_is(save, sky_header, name, cards, masked):
    """Its core of a quasar is no pixel without data; an error of 1e16 times the others is one."""
    from pellucid.fits import read_image

    noise = np.full(GOOD.shape, 0.1, "f4")
    noise[4, 5] = 1e5
    planes = [
        fits.ImageHDU(GOOD, sky_header(PLCTYPE="RESTORATION"), name="SCI"),
        fits.ImageHDU(noise, fits.Header(cards), name=name),
    ]
    image = read_image(save("in.fits", None, *planes))
    assert image.variance[0, 4, 5] == pytest.approx(1e10, rel=1e-3)
    assert image.holes[0, 4, 5] == masked
