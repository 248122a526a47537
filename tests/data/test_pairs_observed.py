"""`pellucid pairs-observed`: pairs of two telescopes' mosaics, as a person makes them."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from two_telescopes import (
    BLUR,
    GALAXIES,
    NEIGHBOUR,
    NOISE,
    ZERO_POINTS,
    inside,
    place,
    rejected_in,
)

from pellucid.data.mosaics.cutouts import CutRecipe
from pellucid.data.mosaics.mosaic import open_mosaic
from pellucid.data.mosaics.pairs import pairs_of_mosaics, rejected_table
from pellucid.data.mosaics.selection import read_selection, select_sources
from pellucid.data.pairs import open_pairs


def centroid(flux: np.ndarray) -> np.ndarray:
    """(y, x) from the middle, grid pixels, of what stands out of noise and neighbours."""
    bright = np.where(flux > 0.2 * flux.max(), flux, 0.0)
    offset = np.arange(len(flux)) - 0.5 * (len(flux) - 1)
    return np.array([bright.sum(axis=1) @ offset, bright.sum(axis=0) @ offset]) / bright.sum()


def test_both_images_show_the_same_flux_at_the_same_place_through_a_false_wcs(
    mosaics, catalogue, pairs, tmp_path
):
    """The blurred WCS is 0.12 arcsec (0.6 pixels) off; "double" has a neighbour in its window."""
    code, report, _ = pairs(*mosaics(east=0.12), *catalogue())
    assert code == 0
    assert report["objects"] == 4
    assert report["rejected"] == {}
    store = open_pairs(tmp_path / "pairs.h5")
    assert store.ids == list(GALAXIES)  # in the catalogue's order
    assert store.unit == "adu"
    half = 1.6
    for index, name in enumerate(store.ids):
        read = store.pair(index)
        images = (read.sharp, read.blurred)
        for image, blur in zip(images, (0.0, BLUR), strict=True):
            flux = image.flux[0]
            assert flux.shape == (32, 32)
            assert image.pixel_scale == pytest.approx(2 * half / 32)
            if name != "double":
                assert flux.sum() == pytest.approx(inside(GALAXIES[name], half, blur), rel=0.01)
            assert np.abs(centroid(flux)).max() < 0.25  # a tenth of a blurred pixel
            assert image.wcs.wcs_pix2world([[15.5, 15.5]], 0)[0] == pytest.approx(
                place(GALAXIES[name]), abs=1e-7
            )
            # East is left, north is up.
            ra, dec = image.wcs.wcs_pix2world([[0.0, 15.5], [15.5, 31.0]], 0).T
            assert ra[0] > ra[1]
            assert dec[1] > dec[0]
    with h5py.File(tmp_path / "pairs.h5") as file:
        shift = np.asarray(file["shift"])
        noise = np.asarray(file["noise"])
        provenance = json.loads(file.attrs["provenance"])
    # Coordinates too far east: the galaxy stands further west in the blurred image, at larger x.
    np.testing.assert_allclose(np.abs(shift), [[0.0, 0.12]] * 4, atol=0.015)
    assert (np.sign(shift[:, 1]) == np.sign(shift[0, 1])).all()
    # Pixels of 0.05 and 0.2 arcsec were drawn with the same noise; a grid pixel has 0.1.
    factor = 10 ** (0.4 * (ZERO_POINTS[0] - ZERO_POINTS[1]))
    assert factor < 1
    np.testing.assert_allclose(noise[:, 0], NOISE[0] * 4.0, rtol=0.25)
    np.testing.assert_allclose(noise[:, 1], NOISE[1] / 4.0, rtol=0.25)
    assert [file["file"] for file in provenance["sharp"]["files"]] == ["low.fits.gz", "up.fits.fz"]
    assert all(len(file["header_sha256"]) == 64 for file in provenance["sharp"]["files"])
    assert provenance["blurred"]["zero_point"] == ZERO_POINTS[1]
    assert provenance["one_unit"] is True
    assert provenance["command"].startswith("pellucid pairs-observed --sharp")
    assert provenance["cutouts"]["size"] == 32
    assert provenance["numbers"]["rows"] == 4


def test_what_the_neighbours_shine_is_kept_or_masked(mosaics, catalogue, pairs, tmp_path):
    sky = mosaics()
    for neighbours in ("keep", "mask"):
        words = (*sky, *catalogue(names=("double",)), "--neighbours", neighbours, "--window", 5)
        assert pairs(*words, output=f"{neighbours}.h5")[0] == 0
    half = 0.5 * 5 * 1.6
    sums = {}
    for neighbours in ("keep", "mask"):
        pair = open_pairs(tmp_path / f"{neighbours}.h5").pair(0)
        sharp, blurred = pair.sharp, pair.blurred
        sums[neighbours] = [sharp.flux.sum(), blurred.flux.sum()]
    alone = [inside(GALAXIES["double"], half, blur) for blur in (0.0, BLUR)]
    np.testing.assert_allclose(sums["keep"], np.add(alone, NEIGHBOUR[4]), rtol=0.015)
    np.testing.assert_allclose(sums["mask"], alone, rtol=0.06)


def test_a_fixed_grid_zero_points_a_psf_and_a_band_are_taken_as_stated(
    mosaics, catalogue, pairs, tmp_path
):
    code, _, said = pairs(
        *mosaics(),
        *catalogue(names=("round",)),
        *("--pixel-scale", 0.1, "--size", 40, "--bands", "i", "--sharp-zero-point", 24.65),
        *("--sharp-psf", 0.1, "--blurred-psf", 0.8),
    )
    assert code == 0, said
    store = open_pairs(tmp_path / "pairs.h5")
    pair = store.pair(0)
    sharp, blurred = pair.sharp, pair.blurred
    assert store.bands == ("i",)
    assert sharp.flux.shape == (1, 40, 40)
    assert sharp.pixel_scale == pytest.approx(0.1)
    # 1.25 magnitudes fainter than its header says, the sharp flux counts 10^0.5 times.
    assert sharp.flux.sum() / blurred.flux.sum() == pytest.approx(10**0.5, rel=0.01)
    assert blurred.psf.fwhm == pytest.approx(0.8, rel=0.03)


def test_two_workers_make_what_one_makes(mosaics, catalogue, pairs, tmp_path):
    words = (*mosaics(), *catalogue(("nowhere", 10.0, 10.0)), "--neighbours", "mask")
    reports = [pairs(*words, "--workers", count, output=f"{count}.h5") for count in (1, 2)]
    assert [code for code, *_ in reports] == [1, 1]
    with h5py.File(tmp_path / "1.h5") as one, h5py.File(tmp_path / "2.h5") as two:
        assert set(one) == set(two)
        for name in one:
            np.testing.assert_array_equal(one[name][:], two[name][:])


def test_the_same_from_python(mosaics, catalogue, pairs, tmp_path):
    words = mosaics()
    assert pairs(*words, *catalogue(("off", 10.0, 10.0)))[0] == 1
    selected = select_sources(tmp_path / "galaxies.ecsv", read_selection(tmp_path / "mine.yaml"))
    sides = open_mosaic([words[1]]), open_mosaic([words[3]])
    store = tmp_path / "python.h5"
    count, rejected = pairs_of_mosaics(store, selected, sides, CutRecipe(size=32))
    assert count == 4
    assert {one.id: one.reason for one in rejected} == rejected_in(rejected_table(store))
    with h5py.File(tmp_path / "pairs.h5") as typed, h5py.File(store) as called:
        for name in typed:
            np.testing.assert_array_equal(typed[name][:], called[name][:])
