"""What stands beside restored pixels: flags on their grid, the input's noise under its own name."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.units import Unit
from astropy.wcs import WCS

from pellucid.cli import main
from pellucid.fits import read_image

SHAPE = (40, 44)
BANDS = ("g", "r", "z")
#: Words that halve the pixels, and words that do not.
HALVED = ("--model", "pellucid", "--psf", "1.2")
KEPT = ("--model", "pellucid", "--psf", "1.2", "--target", "1.0")
WIENER = ("--method", "wiener", "--psf", "1.2")
WAYS = {"halved": HALVED, "kept": KEPT, "wiener": WIENER}


def scene(seed: int = 0) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    noise = np.random.default_rng(seed).normal(0.0, 1.0, SHAPE)
    return (60 * (1 + seed) * np.exp(-((y - 20) ** 2 + (x - 24) ** 2) / 9) + noise).astype("f4")


def flags(dtype: str) -> np.ndarray:
    found = np.zeros(SHAPE, dtype)
    found[5, 6], found[30:32, 10], found[38, :] = 1, 4, 64
    return found


def bigger(planes: np.ndarray, times: int = 2) -> np.ndarray:
    return np.repeat(np.repeat(planes, times, axis=-2), times, axis=-1)


@pytest.fixture
def write(tmp_path, sky_header):
    """Writes a primary header with cards, then planes: (name, pixels, cards)."""

    def write(*planes, name="in.fits", primary=(), tiled=False):
        made = [fits.PrimaryHDU(header=fits.Header(dict(primary)))]
        for called, data, cards in planes:
            kind = fits.CompImageHDU if tiled and data.dtype.kind in "iu" else fits.ImageHDU
            made.append(kind(data, sky_header(**cards), name=called))
        fits.HDUList(made).writeto(tmp_path / name)
        return tmp_path / name

    return write


HST, JWST = {"TELESCOP": "HST", "INSTRUME": "ACS"}, {"TELESCOP": "JWST"}
MASKS = {
    "ACS": ("DQ", "i2", HST, {}),
    "JWST": ("DQ", "u4", JWST, {"BUNIT": "bits"}),
    "LSST": ("MASK", "i4", {}, {"MP_BAD": 0, "MP_SAT": 2, "MP_INTRP": 6}),
    "Legacy": ("MASKBITS", "u2", {}, {"NOTE": "of each brick"}),
    "bytes": ("FLG", "u1", {}, {}),
}


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("kind", MASKS)
def test_flags_follow_to_halved_pixels(write, restored, kind, tiled):
    name, dtype, primary, cards = MASKS[kind]
    values = flags(dtype)
    sci = ("SCI", scene(), {"FILTER": "r"})
    source = write(sci, (name, values, cards), primary=primary, tiled=tiled)
    out = restored(source, *HALVED)
    with fits.open(source) as before, fits.open(out, checksum=True) as after:
        assert [hdu.name for hdu in after][:3] == ["PRIMARY", "SCI", name]
        assert not {"MASK", "UNRESTORED"} & {hdu.name for hdu in after} - {name}
        assert after[name].data.dtype.kind == before[name].data.dtype.kind
        assert after[name].data.dtype.itemsize == before[name].data.dtype.itemsize
        np.testing.assert_array_equal(after[name].data, bigger(values))
        for keyword, value in cards.items():
            assert after[name].header[keyword] == value
        corners = ((-0.5, -0.5), (SHAPE[1] - 0.5, SHAPE[0] - 0.5))
        places = WCS(before[name].header).wcs_pix2world(corners, 0)
        finer = 2 * np.array(corners) + 0.5
        np.testing.assert_allclose(WCS(after[name].header).wcs_pix2world(finer, 0), places)
    first, again = read_image(source), read_image(out)
    np.testing.assert_array_equal(again.mask, bigger(first.mask))


def test_a_weight_follows_and_its_zeros_stay_unused(write, restored):
    weight = np.full(SHAPE, 7.5, "f4")
    weight[:3] = 0
    sci = ("SCI", scene(), {"FILTER": "r"})
    source = write(sci, ("WHT", weight, {}), ("EXP", weight, {}), primary=HST)
    out = restored(source, *HALVED)
    with fits.open(out) as hdus:
        np.testing.assert_array_equal(hdus["WHT"].data, bigger(weight))
        np.testing.assert_array_equal(hdus["EXP"].data, weight)  # was not read: as it was
        np.testing.assert_allclose(hdus["SCI"].data[:6], bigger(scene()[:3]) / 4)
        assert "MASK" not in hdus
    np.testing.assert_array_equal(read_image(out).mask[0], bigger(weight == 0))


def of_one(write):
    return [write(("SCI", scene(), {"FILTER": "r"}), ("ERR", np.full(SHAPE, 9.0, "f4"), {}))]


def of_a_cube(write):
    names = {f"BAND{k}": band for k, band in enumerate(BANDS, 1)}
    cube = np.stack([scene(k) for k in range(3)])
    return [write(("IMAGE", cube, names), ("INVVAR", np.full(cube.shape, 1 / 81, "f4"), names))]


def of_extensions(write):
    planes = []
    for k, band in enumerate(BANDS):
        planes.append((f"{band}_SCI", scene(k), {"FILTER": band}))
        planes.append((f"{band}_VAR", np.full(SHAPE, 81.0, "f4"), {}))
    return [write(*planes)]


def of_files(write):
    return [
        write(("SCI", scene(k), {"FILTER": band}), ("ERR", np.full(SHAPE, 9.0, "f4"), {}),
              name=f"{band}.fits") for k, band in enumerate(BANDS)
    ]  # fmt: skip


FORMS = {"one": of_one, "cube": of_a_cube, "extensions": of_extensions, "files": of_files}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", FORMS)
def test_the_noise_of_a_restored_file_is_the_restorations(form, way, write, restored, capsys):
    sources = FORMS[form](write)
    first = read_image(*sources)
    out = restored(*sources, *WAYS[way])
    capsys.readouterr()
    again = read_image(out)
    assert again.bands == first.bands
    assert main(["info", "--json", str(out)]) == 0
    planes = json.loads(capsys.readouterr().out)[0]["planes"]
    roles = {plane["name"]: plane["role"] for plane in planes}
    old = [name for name in roles if name.startswith("INPUT_")]
    assert old
    assert {roles[name] for name in old} == {"other"}
    with fits.open(out) as hdus:
        for hdu in hdus:
            assert not {"ERR", "VAR", "INVVAR"} & set(hdu.name.split("_")[:1])
            if hdu.name.startswith("INPUT_"):
                assert hdu.header["PLCROLE"] == "INPUT"
                assert hdu.shape[-2:] == SHAPE
                value = {"ERR": 9.0, "INVVAR": 1 / 81, "VAR": 81.0}[hdu.name.split("_")[-1]]
                np.testing.assert_allclose(hdu.data, value)
        if way == "wiener":
            assert again.variance is None
            return
        planes = [np.atleast_3d(hdu.data.T).T for hdu in hdus if hdu.name == "UNCERT"]
    sigma = np.concatenate(planes)
    assert len(planes) == (3 if form in ("extensions", "files") else 1)
    np.testing.assert_allclose(np.sqrt(again.variance), sigma, rtol=1e-5)
    assert np.median(again.variance) < 1


def test_astropy_reads_the_new_noise(write, restored):
    weight = np.ones(SHAPE, "f4")
    weight[4, 5] = np.inf
    out = restored(write(("SCI", scene(), {"BUNIT": "adu"}), ("VAR", weight, {})), *HALVED)
    read = CCDData.read(out, hdu=1)
    np.testing.assert_array_equal(read.uncertainty.array, fits.getdata(out, "UNCERT"))
    assert read.uncertainty.uncertainty_type == "std"
    np.testing.assert_array_equal(read.mask, bigger(np.isinf(weight)))


@pytest.mark.parametrize("form", ["extensions", "files"])
def test_astropy_reads_a_band_of_several_with_its_own_noise(write, restored, form):
    out = restored(*FORMS[form](write), *KEPT)
    sky = read_image(out)
    with fits.open(out) as hdus:
        names = [hdu.name for hdu in hdus if "PLCMODEL" in hdu.header]
    for k, name in enumerate(names):
        read = CCDData.read(out, hdu=name, hdu_uncertainty=("UNCERT", k + 1), unit="adu")
        np.testing.assert_array_equal(read.data, sky.flux[k])
        np.testing.assert_allclose(read.uncertainty.array**2, sky.variance[k], rtol=1e-5)
        alone = read_image(out, hdu=name)
        np.testing.assert_array_equal(alone.variance[0], sky.variance[k])


@pytest.mark.parametrize(("unit", "squared"), [("adu", "adu2"), ("MJy/sr", "MJy2 / sr2")])
@pytest.mark.parametrize("way", [HALVED, KEPT])
def test_a_variance_of_another_file_stays_in_its_pixels(write, restored, way, unit, squared):
    value = np.full(SHAPE, 81.0, "f4")
    science = write(("SCI", scene(), {"BUNIT": unit}))
    other = write(("VAR", value, {}), name="in.var.fits")
    out = restored(science, other, *way)
    with fits.open(out) as hdus, fits.open(science) as before:
        kept = hdus["INPUT_VARIANCE"]
        np.testing.assert_array_equal(kept.data, value)
        assert kept.header["BUNIT"] == squared
        assert Unit(kept.header["BUNIT"]) == Unit(unit) ** 2
        assert kept.header["PLCROLE"] == "INPUT"
        corner = (-0.5, -0.5)
        places = [WCS(h).wcs_pix2world([corner], 0) for h in (kept.header, before["SCI"].header)]
        np.testing.assert_allclose(*places)
    assert read_image(out).variance.mean() < 81


def test_info_tells_the_new_noise(write, restored, capsys):
    out = restored(*of_a_cube(write), *HALVED)
    capsys.readouterr()
    assert main(["info", "--json", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)[0]["sky"]
    sigma = np.median(fits.getdata(out, "UNCERT"), axis=(1, 2))
    assert [told[band]["noise"] for band in BANDS] == pytest.approx(list(sigma), rel=1e-3)


def test_a_second_restoration_says_whose_noise_is_whose(write, restored):
    first = restored(*of_one(write), *HALVED, name="first.fits")
    second = restored(first, *WIENER, name="second.fits")
    with fits.open(first) as before, fits.open(second) as after:
        assert "UNCERT" not in after
        np.testing.assert_array_equal(after["INPUT_UNCERT"].data, before["UNCERT"].data)
        assert after["INPUT_PSF"].header["PLCROLE"] == "INPUT"
    assert read_image(second).variance is None
    third = restored(first, "--model", "pellucid", name="third.fits")
    fourth = restored(third, "--model", "pellucid", "--target", "0.2", name="fourth.fits")
    with fits.open(fourth) as hdus:
        names = [hdu.name for hdu in hdus]
        assert len(set(names)) == len(names)
        sigma = hdus["UNCERT"].data
        assert sigma.shape == hdus["INPUT_UNCERT"].shape == hdus["SCI"].shape
    np.testing.assert_allclose(np.sqrt(read_image(fourth).variance[0]), sigma, rtol=1e-5)


def no_variance(write):
    inverse = np.ones(SHAPE, "f4")
    inverse[:, :4] = 0
    return [write(("IMAGE", scene(), {}), ("INVVAR", inverse, {}))]


def a_border(write):
    pixels = scene()
    pixels[:, :6] = -9999.0
    return [write(("IMAGE", pixels, {}))]


def a_file_of_flags(write):
    sci, mask = write(("SCI", scene(), {})), write(("MASK", flags("i2"), {}), name="in.mask.fits")
    return [sci, mask]


def bad_bits(write):
    cards = {"MP_BAD": 0, "MP_EDGE": 2, "MP_INTRP": 6}
    return [write(("SCI", scene(), {}), ("MASK", flags("i2"), cards)), "--bad-bits", "BAD,EDGE"]


UNUSED = (no_variance, a_border, a_file_of_flags, bad_bits)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", UNUSED)
def test_what_was_not_used_is_not_used_again(kind, way, write, restored):
    """Though the plane that told it is no longer read, or the user did."""
    words = kind(write)
    files = [word for word in words if not isinstance(word, str)]
    bits = words[-1] if len(words) > len(files) else None
    first = read_image(*files, bad_bits=bits)
    out = restored(*words, *WAYS[way])
    times = 2 if way == "halved" else 1
    assert first.mask.any()
    np.testing.assert_array_equal(read_image(out).mask, bigger(first.mask, times))
    name = "UNRESTORED" if kind is bad_bits else "MASK"
    with fits.open(out) as hdus:
        np.testing.assert_array_equal(hdus[name].data != 0, bigger(first.mask[0], times))
        if kind is bad_bits:
            np.testing.assert_array_equal(hdus["MASK"].data, bigger(flags("i2"), times))
    again = restored(out, *WIENER, name="again.fits")
    np.testing.assert_array_equal(read_image(again).mask, bigger(first.mask, times))
