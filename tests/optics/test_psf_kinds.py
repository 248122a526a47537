"""PSF files as pipelines write them: STPSF, PSFEx, SDSS's psField, even and oversampled stamps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.optics.psf_file import read_psf
from pellucid.optics.stamps import centre, to_pixels
from pellucid.sky import SkyImage
from pellucid.sky.psf import moffat_psf, stamp_fwhm

SCALE = 0.4


def gaussian(fwhm: float, side: int, middle: tuple[float, float] | None = None) -> NDArray:
    """A star of ``fwhm`` pixels in a square stamp, in the middle of it or at a place (y, x)."""
    place = ((side - 1) / 2,) * 2 if middle is None else middle
    y, x = np.mgrid[:side, :side]
    radius2 = (y - place[0]) ** 2 + (x - place[1]) ** 2
    stamp = np.exp(-4.0 * np.log(2.0) * radius2 / fwhm**2)
    return stamp / stamp.sum()


def image(*bands: str, shape: tuple[int, int] = (64, 64), **cards: float) -> SkyImage:
    header = fits.Header(cards)
    return SkyImage(np.zeros((len(bands), *shape)), bands=bands, header=header, pixel_scale=SCALE)


def saved(path: Path, *hdus: fits.hdu.base._BaseHDU) -> Path:
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


def off_centre(stamp: NDArray) -> float:
    return float(np.abs(centre(stamp) - np.array(stamp.shape) // 2).max())


@pytest.mark.parametrize("detector", [True, False])
def test_stpsf(tmp_path, detector):
    fwhm, step = 2.5, 4
    fine, coarse = gaussian(fwhm * step, 161), gaussian(fwhm, 41)
    hdus = [fits.PrimaryHDU(fine)]
    hdus += [fits.ImageHDU(coarse, name="DET_SAMP"), fits.ImageHDU(fine, name="OVERDIST")]
    hdus += [fits.ImageHDU(coarse, name="DET_DIST")]
    hdus[0].header["EXTNAME"] = "OVERSAMP"
    # The detector's pixels are the image's, or those of before a drizzle.
    scale = SCALE if detector else 0.3
    for hdu in hdus:
        hdu.header["PIXELSCL"] = scale / step if hdu.header["EXTNAME"][0] == "O" else scale
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    psf = read_psf(tmp_path / "a.fits", image("r"))
    assert psf.pixel_scale == SCALE
    # What fell into fine pixels is added up in coarse ones, which are wider by their variance.
    wider = 0.0 if detector else 8 * np.log(2) / 12 * (SCALE**2 - (scale / step) ** 2)
    assert psf.fwhm == pytest.approx(np.hypot(fwhm * scale, np.sqrt(wider)), rel=0.03)
    assert psf.origin == f"a.fits[{'DET_DIST' if detector else 'OVERDIST'}]"
    assert bool(psf.notes) is not detector


@pytest.mark.parametrize("side", [40, 41])
@pytest.mark.parametrize("shift", [(0.5, 0.5), (-0.5, 0.5), (0.0, 0.0), (0.3, -0.2), (1.5, -0.5)])
def test_the_star_comes_into_the_central_pixel(tmp_path, side, shift):
    middle = tuple(side // 2 + s for s in shift)
    path = saved(tmp_path / "a.fits", fits.ImageHDU(gaussian(4.0, side, middle)))
    psf = read_psf(path, image("r"))
    assert all(length % 2 for length in psf.stamps.shape[1:])
    assert off_centre(psf.stamps[0]) < 0.03
    assert psf.fwhm == pytest.approx(4.0 * SCALE, rel=0.01)


@pytest.mark.parametrize("oversampling", [2, 3, 5])
def test_an_oversampled_stamp(tmp_path, oversampling):
    side = 30 * oversampling
    stamp = gaussian(3.0 * oversampling, side)
    hdu = fits.ImageHDU(stamp, fits.Header({"PIXSCALE": SCALE / oversampling}))
    psf = read_psf(saved(tmp_path / "a.fits", hdu), image("r"))
    assert off_centre(psf.stamps[0]) < 0.03
    assert psf.fwhm == pytest.approx(3.0 * SCALE, rel=0.04)


def psfex_file(path: Path, step: float = 0.5) -> Path:
    """A PSF that grows along x: 3 pixels at the frame's middle, 1 % a hundred pixels."""
    side = 51
    narrow, broad = (gaussian(fwhm / step, side) for fwhm in (3.0, 3.03))
    # A model linear in both of their coordinates over POLSCAL.
    mask = np.stack([narrow, (broad - narrow) * 20.0, np.zeros_like(narrow)]).astype("f4")
    column = fits.Column("PSF_MASK", f"{mask.size}E", dim=f"({side},{side},3)", array=mask[None])
    table = fits.BinTableHDU.from_columns([column], name="PSF_DATA")
    table.header.update(
        POLNAXIS=2, POLGRP1=1, POLNAME1="X_IMAGE", POLZERO1=1000.0, POLSCAL1=2000.0, POLGRP2=1,
        POLNAME2="Y_IMAGE", POLZERO2=500.0, POLSCAL2=1000.0, POLNGRP=1, POLDEG1=1, PSF_SAMP=step,
    )  # fmt: skip
    return saved(path, table)


def test_psfex_where_the_galaxy_is(tmp_path):
    path = psfex_file(tmp_path / "a.psf")
    cutout = read_psf(path, image("r"))
    assert cutout.fwhm == pytest.approx(3.0 * SCALE, rel=0.01)
    assert "x = 1000, y = 500, the middle of its frame" in cutout.notes[0]
    frame = read_psf(path, image("r", shape=(1000, 2000)))
    assert "x = 1000" in frame.notes[0]
    # A cutout that knows its place: its first pixel is 1569 of the frame.
    placed = read_psf(path, image("r", LTV1=-1568.0, LTV2=-468.0))
    assert "x = 1600, y = 500" in placed.notes[0]
    # To first order; a sum of two Gaussians is a little wider.
    assert placed.fwhm == pytest.approx(3.0 * 1.06 * SCALE, rel=0.02)
    with pytest.raises(InputError, match="does not reach to x = 9032"):
        read_psf(path, image("r", LTV1=-9000.0, LTV2=0.0))


@pytest.mark.parametrize("value", [1 + 2j, "wide"])
@pytest.mark.parametrize("keyword", ["PSF_SAMP", "POLNAXIS", "POLZERO1", "POLSCAL2", "POLDEG1"])
def test_a_psfex_model_whose_cards_are_no_numbers(keyword, value, tmp_path):
    path = psfex_file(tmp_path / "a.psf")
    with fits.open(path, mode="update") as file:
        file["PSF_DATA"].header[keyword] = value
    with pytest.raises(InputError, match=rf"a\.psf: its {keyword} is no number"):
        read_psf(path, image("r"))


def test_a_sampling_that_no_stamp_has(tmp_path):
    path = psfex_file(tmp_path / "a.psf")
    fits.setval(path, "PSF_SAMP", value=1e5, ext=1)
    with pytest.raises(InputError, match=r"a\.psf: .*is its sampling right"):
        read_psf(path, image("r"))
    for ratio in (1e-5, 1e5):
        with pytest.raises(InputError, match="is its sampling right"):
            to_pixels(gaussian(4.0, 25), ratio)


def test_a_constant_psfex_model(tmp_path):
    mask = gaussian(4.0, 25)[None].astype("f4")
    column = fits.Column("PSF_MASK", f"{mask.size}E", dim="(25,25,1)", array=mask[None])
    table = fits.BinTableHDU.from_columns([column], name="PSF_DATA")
    table.header.update(POLNAXIS=0, PSF_SAMP=1.0)
    psf = read_psf(saved(tmp_path / "a.psf", table), image("r"))
    assert psf.fwhm == pytest.approx(4.0 * SCALE, rel=0.01)


def psfield(path: Path) -> Path:
    """Five bands of FWHM 2, 3, 4, 5 and 6 pixels; i grows with the column."""
    tables = []
    for k in range(5):
        first = gaussian(2.0 + k, 51).astype("f4")
        second = (gaussian(2.0 + k + 0.1, 51) - gaussian(2.0 + k, 51)).astype("f4")
        weights = np.zeros((2, 5, 5), "f4")
        weights[0, 0, 0] = 1.0
        weights[1, 0, 1] = float(k == 3)  # times columns/1000
        columns = [
            fits.Column("nrow_b", "J", array=[2, 2]),
            fits.Column("ncol_b", "J", array=[2, 2]),
            fits.Column("c", "25E", dim="(5,5)", array=weights),
            fits.Column("RNROW", "J", array=[51, 51]),
            fits.Column("RNCOL", "J", array=[51, 51]),
            fits.Column("RROWS", "PE()", array=np.array([first.ravel(), second.ravel()], "f4")),
        ]
        tables.append(fits.BinTableHDU.from_columns(columns))
    return saved(path, *tables)


def test_sdss_psfield(tmp_path):
    path = psfield(tmp_path / "psField.fits")
    psf = read_psf(path, image("g", "r", shape=(1489, 2048)))
    assert [stamp_fwhm(s) * 0.4 / 0.396 for s in psf.stamps] == pytest.approx([3, 4], rel=0.01)
    middle = read_psf(path, image("SDSS_i"))
    assert stamp_fwhm(middle.stamps[0]) * 0.4 / 0.396 == pytest.approx(5.1024, rel=0.003)
    assert "row 744, column 1024, the middle of the frame" in middle.notes[0]
    right = read_psf(path, image("i", LTV1=-1968.0, LTV2=-700.0))
    assert stamp_fwhm(right.stamps[0]) * 0.4 / 0.396 == pytest.approx(5.2, rel=0.006)
    with pytest.raises(InputError, match="holds PSFs of u, g, r, i and z"):
        read_psf(path, image("F814W"))


def test_extensions_of_several_bands(tmp_path):
    hdus = []
    for name, fwhm, side in (("DES_G", 4.0, 49), ("VIS", 2.0, 21), ("NIR_Y", 3.0, 33)):
        hdus.append(fits.ImageHDU(np.ones((30, 30)), name=f"{name}_BGSUB"))
        hdus.append(fits.ImageHDU(gaussian(fwhm, side), name=f"{name}_PSF"))
        hdus[-1].header["FILTER"] = name
    path = saved(tmp_path / "a.fits", *hdus)
    psf = read_psf(path, image("NIR_Y", "DES_G"))
    assert [stamp_fwhm(s) for s in psf.stamps] == pytest.approx([3.0, 4.0], rel=0.01)
    assert psf.bands == ("NIR_Y", "DES_G")


def test_a_cube_beside_its_images(tmp_path):
    bands = "GRI"
    planes = np.stack([gaussian(2.0 + k, 31) for k in range(3)])
    hdus = [fits.ImageHDU(np.ones((30, 30)), name=f"HSC_{band}") for band in bands]
    other = fits.ImageHDU(gaussian(9.0, 51), name="HST_PSF")
    path = saved(tmp_path / "a.fits", *hdus, fits.ImageHDU(planes, name="HSC_PSF"), other)
    psf = read_psf(path, image("HSC_I"))
    assert psf.fwhm == pytest.approx(4.0 * SCALE, rel=0.01)
    assert any("HSC_G, HSC_R, HSC_I in turn" in note for note in psf.notes)
    assert len(read_psf(path, image("i")).stamps) == 1


def test_pictures_of_the_sky_are_no_psf(tmp_path):
    rng = np.random.default_rng(1)
    galaxy = gaussian(4.0, 65) * 100 + rng.normal(0, 1e-3, (65, 65))
    two = galaxy + 40 * gaussian(4.0, 65, (12.0, 50.0))
    with pytest.raises(InputError, match="beside the central star there is a source of 4"):
        read_psf(saved(tmp_path / "two.fits", fits.ImageHDU(two)), image("r"))
    with pytest.raises(InputError, match="at its edge the PSF still has"):
        read_psf(saved(tmp_path / "sky.fits", fits.ImageHDU(galaxy + 1.0)), image("r"))
    aside = saved(tmp_path / "aside.fits", fits.ImageHDU(gaussian(4.0, 65, (12.0, 50.0))))
    with pytest.raises(InputError, match="off the centre"):
        read_psf(aside, image("r"))


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_galaxy_is_no_psf_unless_its_file_or_its_user_insists(tmp_path, noise):
    y, x = np.mgrid[:65, :65] - 32
    disc = np.exp(-np.hypot(y, x) / 4.0) + np.random.default_rng(1).normal(0, noise, (65, 65))
    alone = saved(tmp_path / "disc.fits", fits.ImageHDU(disc))
    with pytest.raises(InputError, match=r"it shows a galaxy; .* --force") as refused:
        read_psf(alone, image("r"))
    assert str(refused.value).startswith(f"{alone}: half of the PSF's light is beyond 1.")
    named = saved(tmp_path / "named.fits", fits.ImageHDU(disc, name="PSF"))
    for psf in (read_psf(alone, image("r"), force=True), read_psf(named, image("r"))):
        assert any("is it a galaxy?" in note for note in psf.notes)


@pytest.mark.parametrize("side", [15, 41, 61])
def test_a_noisy_star_is_a_psf(tmp_path, side):
    """Whether it has much sky around it, whose noise is as much as its light, or little."""
    star = moffat_psf(4.0 * SCALE, SCALE).stamps[0]
    half, around = len(star) // 2, np.zeros((81, 81))
    around[40 - half : 41 + half, 40 - half : 41 + half] = star / star.max()
    cut = around[40 - side // 2 : 41 + side // 2, 40 - side // 2 : 41 + side // 2]
    for seed in range(5):
        noisy = cut + np.random.default_rng(seed).normal(0, 0.02, cut.shape)
        psf = read_psf(saved(tmp_path / f"{seed}.fits", fits.ImageHDU(noisy)), image("r"))
        assert psf.fwhm == pytest.approx(4.0 * SCALE, rel=0.05)
        assert not any("galaxy" in note for note in psf.notes)


def test_a_psfex_model_is_another_one_elsewhere(tmp_path):
    """As read for a cutout there; and of a cutout from nowhere nothing varies."""
    path = psfex_file(tmp_path / "a.psf")
    whole = read_psf(path, image("r", shape=(1000, 2000)))
    cutout = read_psf(path, image("r", LTV1=-1568.0, LTV2=-468.0))
    _, height, width = image("r").shape
    there = whole.elsewhere(468.0 + 0.5 * (height - 1), 1568.0 + 0.5 * (width - 1))
    np.testing.assert_allclose(there.stamps, cutout.stamps, atol=1e-7)
    assert read_psf(path, image("r")).elsewhere is None
    with pytest.raises(InputError, match=r"a\.psf: its PSFEx model does not reach to x = 9001"):
        whole.elsewhere(0.0, 9000.0)


def grid_file(path: Path, cards: str) -> tuple[Path, np.ndarray, list[tuple[float, float]]]:
    """Effective PSFs of 2 samples a pixel on a grid of 3 × 2 places, broader along y."""
    places = [(float(y), float(x)) for y in (0, 400, 999) for x in (0, 1999)]
    stamps = np.stack([gaussian(5.0 + 0.002 * y + 0.0003 * x, 51) for y, x in places])
    hdu = fits.ImageHDU(stamps.astype("f4"))
    hdu.header["OVERSAMP"] = 2
    for k, (y, x) in enumerate(places):
        if cards == "STPSF":
            hdu.header[f"DET_YX{k}"] = (f"({y}, {x})", "The detector (y, x) position")
    if cards == "STDPSF":
        hdu.header.update(NXPSFS=2, NYPSFS=3)
        for k, x in enumerate((0, 1999), 1):
            hdu.header[f"IPSFX{k:02d}"] = x + 1
        for k, y in enumerate((0, 400, 999), 1):
            hdu.header[f"JPSFY{k:02d}"] = y + 1
    return saved(path, hdu), stamps, places


@pytest.mark.parametrize("cards", ["STPSF", "STDPSF"])
@pytest.mark.parametrize("place", [(0.0, 0.0), (400.0, 1000.0), (700.0, 333.0), (2000.0, -5.0)])
def test_a_grid_of_psfs_is_what_photutils_makes_of_it(tmp_path, cards, place):
    from astropy.nddata import NDData
    from photutils.psf import GriddedPSFModel

    path, stamps, places = grid_file(tmp_path / "a.fits", cards)
    xy = [(x, y) for y, x in places]
    theirs = GriddedPSFModel(NDData(stamps, meta={"grid_xypos": xy, "oversampling": 2}))
    psf = read_psf(path, image("r", shape=(1000, 2000)))
    y, x = place
    stamp = psf.elsewhere(y, x).stamps[0]
    reach = len(stamp) // 2
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    expected = theirs.evaluate(columns + x, rows + y, 1.0, x, y)
    np.testing.assert_allclose(stamp, expected / expected.sum(), atol=2e-5)


def test_a_grid_of_psfs_is_taken_in_its_middle_where_the_place_is_unknown(tmp_path):
    path, *_ = grid_file(tmp_path / "a.fits", "STPSF")
    psf = read_psf(path, image("r"))
    assert psf.elsewhere is None
    assert "x = 1000, y = 500, the middle of its frame" in " ".join(psf.notes)


def test_a_grid_that_does_not_say_how_fine_it_is_has_the_images_pixels(tmp_path):
    path, stamps, _ = grid_file(tmp_path / "a.fits", "STPSF")
    with fits.open(path, "update") as file:
        del file[1].header["OVERSAMP"]
    psf = read_psf(path, image("r", shape=(1000, 2000))).elsewhere(0.0, 0.0)
    assert "in the image's pixels (it has no OVERSAMP)" in " ".join(psf.notes)
    np.testing.assert_allclose(psf.stamps[0], stamps[0] / stamps[0].sum(), atol=1e-6)
