"""`pellucid pairs` from two telescopes' mosaics, as a person types it."""

from __future__ import annotations

import errno
import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from scipy.special import erf

from pellucid.cli import main
from pellucid.data.mosaics import observe
from pellucid.data.mosaics.selection import Selection, read_selection, select_sources
from pellucid.data.pairs import open_pairs
from pellucid.errors import InputError

RA, DEC = 150.1, 2.2
ZERO_POINTS = (25.9, 27.0)
#: Of the Gaussian by which the blurred telescope's PSF is broader, arcsec.
BLUR = 0.35
NOISE = (0.02, 0.02)
#: id: east and north of the middle (arcsec), sigma along both (arcsec), blurred counts.
GALAXIES = {
    "round": (-14.0, 12.0, 0.6, 0.6, 900.0),
    "wide": (3.0, 13.0, 0.9, 0.5, 1500.0),
    "tall": (13.0, -3.0, 0.4, 0.8, 1100.0),
    "double": (-11.0, -10.0, 0.6, 0.6, 1000.0),
}
#: 2.6 arcsec beside "double", inside its window.
NEIGHBOUR = (-8.4, -10.0, 0.3, 0.3, 300.0)


def sky_wcs(side: int, scale: float, turn: float = 0.0, east: float = 0.0) -> WCS:
    """A gnomonic sky around (RA, DEC) whose coordinates are ``east`` arcsec wrong."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA + east / 3600.0 / np.cos(np.radians(DEC)), DEC]
    wcs.wcs.crpix = [0.5 * (side + 1)] * 2
    sine, cosine = np.sin(np.radians(turn)), np.cos(np.radians(turn))
    wcs.wcs.cd = scale / 3600.0 * np.array([[-cosine, sine], [sine, cosine]])
    return wcs


def place(galaxy: tuple[float, ...]) -> tuple[float, float]:
    """RA and Dec of a galaxy, deg."""
    plane = WCS(naxis=2)
    plane.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    plane.wcs.crval = [RA, DEC]
    plane.wcs.cdelt = [1.0 / 3600.0] * 2
    ra, dec = plane.wcs_pix2world([[galaxy[0], galaxy[1]]], 1)[0]
    return float(ra), float(dec)


def field(wcs: WCS, side: int, scale: float, blur: float, noise: float, seed: int) -> np.ndarray:
    """What a telescope sees of the galaxies on 20 counts of sky, in blurred counts."""
    offset = np.arange(side) - 0.5 * (side - 1)
    east, north = (
        3600.0 * (row[0] * offset[None, :] + row[1] * offset[:, None]) for row in wcs.wcs.cd
    )
    image = np.random.default_rng(seed).normal(20.0, noise, (side, side))
    for x, y, along_x, along_y, flux in (*GALAXIES.values(), NEIGHBOUR):
        a, b = np.hypot(along_x, blur), np.hypot(along_y, blur)
        shape = np.exp(-0.5 * ((east - x) / a) ** 2 - 0.5 * ((north - y) / b) ** 2)
        image += flux * shape * scale**2 / (2.0 * np.pi * a * b)
    return image


def inside(galaxy: tuple[float, ...], half: float, blur: float) -> float:
    """Its flux in the square of 2 ``half`` arcsec around it."""
    a, b = np.hypot(galaxy[2], blur), np.hypot(galaxy[3], blur)
    return float(galaxy[4] * erf(half / a / np.sqrt(2.0)) * erf(half / b / np.sqrt(2.0)))


@pytest.fixture(scope="module")
def images() -> dict[str, tuple[np.ndarray, WCS]]:
    """The sharp telescope sees the sky turned by 20 degrees."""
    sharp, blurred = sky_wcs(960, 0.05, turn=20.0), sky_wcs(300, 0.2)
    factor = 10 ** (0.4 * (ZERO_POINTS[0] - ZERO_POINTS[1]))
    return {
        "sharp": (factor * field(sharp, 960, 0.05, 0.0, NOISE[0], 1), sharp),
        "blurred": (field(blurred, 300, 0.2, BLUR, NOISE[1], 2), blurred),
    }


@pytest.fixture
def mosaics(images, tmp_path) -> Callable[..., list[str]]:
    """Writes both mosaics and returns the words that name them.

    The sharp one has two tiles that overlap: one tile-compressed, one gzipped. Pixels that are
    named in ``gap`` (y, x) of the blurred one have no data.
    """

    def write(east: float = 0.0, gap: tuple[int, int] | None = None) -> list[str]:
        folder = tmp_path / "hst"
        folder.mkdir(exist_ok=True)
        flux, wcs = images["sharp"]
        flux = flux.astype("f4")
        cards = fits.Header({"MAGZERO": ZERO_POINTS[0], "BUNIT": "electron/s"})
        upper, lower = (header_of(wcs[part], cards) for part in (np.s_[400:, :], np.s_[:560, :]))
        packed = fits.CompImageHDU(flux[400:], upper, quantize_level=-0.002)
        fits.HDUList([fits.PrimaryHDU(), packed]).writeto(folder / "up.fits.fz", overwrite=True)
        plain = io.BytesIO()
        fits.PrimaryHDU(flux[:560], lower).writeto(plain)
        (folder / "low.fits.gz").write_bytes(gzip.compress(plain.getvalue(), 1))

        flux = images["blurred"][0].astype("f4")
        if gap is not None:
            flux[gap] = np.nan
        cards = fits.Header({"MAGZERO": ZERO_POINTS[1], "BUNIT": "adu"})
        header = header_of(sky_wcs(300, 0.2, east=east), cards)
        fits.PrimaryHDU(flux, header).writeto(tmp_path / "subaru.fits", overwrite=True)
        return ["--sharp", str(folder), "--blurred", str(tmp_path / "subaru.fits")]

    return write


def header_of(wcs: WCS, cards: fits.Header) -> fits.Header:
    header = wcs.to_header()
    header.update(cards)
    return header


@pytest.fixture
def catalogue(tmp_path) -> Callable[..., list[str]]:
    """Writes the galaxies and further rows (id, ra, dec) as a table; returns the words."""

    def write(*rows: tuple[str, float, float], names: tuple[str, ...] = ()) -> list[str]:
        galaxies = names or tuple(GALAXIES)
        rows = (*((name, *place(GALAXIES[name])) for name in galaxies), *rows)
        table = Table(rows=rows, names=("id", "ra", "dec"), dtype=(str, float, float))
        table["r90"] = 1.6
        path = tmp_path / "galaxies.ecsv"
        table.write(path, overwrite=True)
        selection = tmp_path / "mine.yaml"
        selection.write_text(
            "{max_redshift: null, min_log_stellar_mass: null, classes: null, balance: false}"
        )
        return ["--catalogue", str(path), "--selection", str(selection)]

    return write


@pytest.fixture
def pairs(tmp_path, capsys):
    """Runs `pellucid pairs` with a grid of 32 pixels; returns exit code, report and complaints."""

    def run(*words: object, output: str = "pairs.h5") -> tuple[int, dict, str]:
        capsys.readouterr()
        command = ["pairs", *map(str, words), "--output", str(tmp_path / output), "--json"]
        code = main([*command, *([] if "--size" in words else ["--size", "32"])])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, json.loads(out) if out else {}, err

    return run


def rejected_in(path: Path) -> dict[str, str]:
    table = Table.read(path)
    return {str(row["id"]): str(row["reason"]) for row in table}


def centroid(flux: np.ndarray) -> np.ndarray:
    """(y, x) from the middle, grid pixels, of what stands out of noise and neighbours."""
    bright = np.where(flux > 0.2 * flux.max(), flux, 0.0)
    offset = np.arange(len(flux)) - 0.5 * (len(flux) - 1)
    return np.array([bright.sum(axis=1) @ offset, bright.sum(axis=0) @ offset]) / bright.sum()


# --- what a pair is --------------------------------------------------------------------------


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
        images = store.pair(index)
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
    assert provenance["command"].startswith("pellucid pairs --sharp")
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
        sharp, blurred = open_pairs(tmp_path / f"{neighbours}.h5").pair(0)
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
    sharp, blurred = store.pair(0)
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


# --- what cannot be a pair -------------------------------------------------------------------


def test_each_object_that_makes_no_pair_is_named_with_its_reason(
    mosaics, catalogue, pairs, tmp_path
):
    y, x = 150 - 50, 150 + 55  # of "double", which is 10 arcsec south and 11 east (left)
    x = 150 - int(GALAXIES["double"][0] / 0.2)
    code, report, said = pairs(
        *mosaics(gap=np.s_[y - 2 : y, x : x + 3]),
        *catalogue(
            ("off", 10.0, 10.0),
            ("edge", *place((29.5, 0.0))),
            ("../up", *place((0.0, 0.0))),
            ("a/b", *place((0.0, 0.0))),
            ("bell\a", *place((0.0, 0.0))),
            ("", *place((0.0, 0.0))),
            ("x" * 129, *place((0.0, 0.0))),
            ("nan", np.nan, 2.2),
            ("south", 150.0, -91.0),
            ("wide", *place((0.0, 0.0))),
        ),
    )
    assert code == 1
    assert open_pairs(tmp_path / "pairs.h5").ids == ["round", "wide", "tall"]
    reasons = {
        "off": "off the mosaic",
        "edge": "off the mosaic",  # of the sharp one, which is smaller
        "double": "without data",
        "../up": "path",
        "a/b": "path",
        "bell\\x07": "control",
        "row 10": "no id",
        "x" * 128: "128",
        "nan": "no position",
        "south": "no sky",
        "wide": "came before",
    }
    found = rejected_in(tmp_path / "pairs.rejected.ecsv")
    assert set(found) == set(reasons)
    for name, reason in reasons.items():
        assert reason in found[name]
    assert report["rejected"] == found
    assert sum(report["reasons"].values()) == len(reasons)
    assert f"rejected {len(reasons)}" in said
    assert "2 × off the mosaic" in said


def test_a_window_across_the_edge_is_told_from_one_off_the_mosaic(mosaics, catalogue, pairs):
    code, report, _ = pairs(*mosaics(), *catalogue(("edge", *place((0.0, 22.5)))), "--window", 8)
    assert code == 1
    assert "edge" in report["rejected"]["edge"]


def test_coordinates_that_disagree_by_more_than_a_pixel_leave_no_store(
    mosaics, catalogue, pairs, tmp_path
):
    code, _, said = pairs(*mosaics(east=0.26), *catalogue(names=("round", "wide", "tall")))
    assert code == 3
    assert "no pair left" in said
    assert "3 × the WCS disagree" in said
    assert not (tmp_path / "pairs.h5").exists()
    for reason in rejected_in(tmp_path / "pairs.rejected.ecsv").values():
        assert re.search(r"by 1\.[23]\d blurred pixels", reason)


@pytest.mark.parametrize(
    ("hostile", "complaint"),
    [
        ("no-column", r"galaxies.ecsv: has no column 'redshift' .*there are id, ra, dec, r90"),
        ("no-wcs", r"bare.fits: HDU 0 .*no celestial WCS"),
        ("no-mosaic", r"gone.fits: not found"),
        ("no-selection", r"neither a file nor a selection \(all, cosmos, seeinggan\)"),
        ("typo", r"mine.yaml: max_redshfit: unknown key"),
        ("letters", r"column ra holds no numbers"),
        ("unit", r"column r90 is in mag; arcsec is needed"),
        ("nothing", r"none of its 4 rows is left \(where 4\)"),
    ],
)
def test_bad_input_is_one_line_and_no_file(hostile, complaint, mosaics, catalogue, pairs, tmp_path):
    words = [*mosaics(), *catalogue()]
    table, selection = tmp_path / "galaxies.ecsv", tmp_path / "mine.yaml"
    usage = hostile == "no-selection"
    if hostile == "no-column":
        words = words[:-2]  # the paper's selection
    elif hostile == "no-wcs":
        fits.PrimaryHDU(np.ones((50, 50), "f4")).writeto(tmp_path / "bare.fits")
        words[3] = str(tmp_path / "bare.fits")
    elif hostile == "no-mosaic":
        words[3] = str(tmp_path / "gone.fits")
    elif hostile == "no-selection":
        words[-1] = "everything"
    elif hostile == "typo":
        selection.write_text("{max_redshfit: 0.6}")
    elif hostile == "nothing":
        words += ["--where", "r90 > 10"]
    else:
        rows = Table.read(table)
        if hostile == "letters":
            rows["ra"] = [f"{value} deg" for value in rows["ra"]]
        else:
            rows["r90"].unit = "mag"
        rows.write(table, overwrite=True)
    code, _, said = pairs(*words)
    assert code == (2 if usage else 3)
    assert re.search(complaint, said)
    assert len([line for line in said.splitlines() if line]) == 1
    assert not list(tmp_path.glob("*pairs*"))


def test_a_damaged_tile_costs_its_objects_only(mosaics, catalogue, pairs, tmp_path):
    words = [*mosaics(), *catalogue()]
    tile = tmp_path / "hst" / "up.fits.fz"
    data = bytearray(tile.read_bytes())
    data[len(data) // 3 : len(data) - 2880] = bytes(len(data) - 2880 - len(data) // 3)
    tile.write_bytes(data)
    code, report, _ = pairs(*words)
    assert code == 1
    assert all("up.fits.fz" in reason for reason in report["rejected"].values())
    assert {"round", "wide"} <= set(report["rejected"])
    assert "double" in open_pairs(tmp_path / "pairs.h5").ids  # it is on the other tile


@pytest.mark.parametrize("before", [None, b"an older store"])
def test_a_run_that_breaks_off_leaves_what_was_there(
    before, mosaics, catalogue, pairs, tmp_path, monkeypatch
):
    words = [*mosaics(), *catalogue()]
    kept = tmp_path / "pairs.h5"
    if before is not None:
        kept.write_bytes(before)
    cut, calls = observe.cut_pair, []

    def fail_at_the_third(source, *others):
        calls.append(source.id)
        if len(calls) == 3:
            raise OSError(errno.EIO, "the disk is gone")
        return cut(source, *others)

    monkeypatch.setattr(observe, "cut_pair", fail_at_the_third)
    code, _, said = pairs(*words, "--overwrite")
    assert code == 75
    assert len(calls) == 3
    assert "the disk is gone" in said
    assert [path.name for path in tmp_path.glob("*pairs*")] == ["pairs.h5"] * (before is not None)
    assert before is None or kept.read_bytes() == before


def test_a_store_and_its_table_are_replaced_only_when_asked(mosaics, catalogue, pairs, tmp_path):
    sky = mosaics()
    assert pairs(*sky, *catalogue(("off", 10.0, 10.0)))[0] == 1
    table = tmp_path / "pairs.rejected.ecsv"
    code, _, said = pairs(*sky, *catalogue())
    assert code == 2
    assert "--overwrite" in said
    (tmp_path / "pairs.h5").unlink()
    assert pairs(*sky, *catalogue())[0] == 2  # the table is there still
    assert rejected_in(table) != {}
    assert pairs(*sky, *catalogue(), "--overwrite")[0] == 0
    assert rejected_in(table) == {}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "--degrade"),
        (("--degrade", "fwhm=1.8 noise=2", "--blurred", "b.fits"), "--degrade"),
        (("--degrade", "fwhm=1.8 noise=2", "--neighbours", "mask"), "--neighbours goes with"),
        (("--blurred", "b.fits", "--catalogue", "c.csv", "--shrink", "2"), "--shrink goes with"),
        (("--blurred", "b.fits"), "--catalogue"),
        (("--blurred", "b.fits", "--where", "z < 1"), "--where needs --catalogue"),
        (("--degrade", "fwhm=1.8 noise=2", "--sharp", "b"), "one --sharp"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words, complaint, pairs):
    code, _, said = pairs("--sharp", "a", *words)
    assert code == 2
    assert complaint in said


# --- which objects ---------------------------------------------------------------------------


def sample(path: Path, rows: int = 400) -> Table:
    """A catalogue in which each cut of the paper takes some rows out."""
    rng = np.random.default_rng(3)
    table = Table(
        {
            "id": [f"g{k:03d}" for k in range(rows)],
            "RA": rng.uniform(149.5, 150.5, rows),
            "DEC": rng.uniform(1.7, 2.7, rows),
            "redshift": np.ma.masked_less(rng.uniform(-0.1, 1.2, rows), 0.0),
            "stellar_mass": 10 ** rng.uniform(8.0, 11.0, rows),
            "class": rng.choice(["Bulge+Disk", "pure-disk", "E", "merger", "star"], rows),
            "r90": rng.uniform(0.01, 0.02, rows),
        }
    )
    table["r90"].unit = "arcmin"
    table.write(path, overwrite=True)
    return table


def test_the_papers_selection_is_applied_row_by_row(tmp_path):
    table = sample(tmp_path / "c.ecsv")
    chosen = select_sources(tmp_path / "c.ecsv", read_selection("seeinggan"))
    good = (np.ma.filled(table["redshift"], 9.0) < 0.6) & (table["stellar_mass"] > 1e9)
    good &= table["class"] != "star"
    counts = [int((good & (table["class"] == name)).sum()) for name in set(table["class"])]
    smallest = min(count for count in counts if count)
    assert chosen.classes == dict.fromkeys(chosen.classes, smallest)
    assert len(chosen.classes) == 4
    assert {each.id for each in chosen.sources} <= set(table["id"][good])
    assert len(chosen.sources) + sum(chosen.excluded.values()) == chosen.rows == 400
    assert chosen.excluded["max_redshift"] == int(
        (np.ma.filled(table["redshift"], 9.0) >= 0.6).sum()
    )
    rows = {str(row["id"]): row for row in table}
    for each in chosen.sources:
        assert each.r90 == pytest.approx(60.0 * rows[each.id]["r90"])
        assert (each.ra, each.dec) == (rows[each.id]["RA"], rows[each.id]["DEC"])


def test_who_is_drawn_depends_on_the_seed_and_not_on_the_order_of_rows(tmp_path):
    table = sample(tmp_path / "c.ecsv")
    table[::-1].write(tmp_path / "reversed.ecsv")

    def ids(name: str, seed: int = 0) -> list[str]:
        selection = Selection(count=20, seed=seed)
        return [each.id for each in select_sources(tmp_path / name, selection).sources]

    assert ids("c.ecsv") == ids("reversed.ecsv")[::-1]
    assert len(ids("c.ecsv")) == 20
    assert ids("c.ecsv") != ids("c.ecsv", seed=1)


def test_masses_and_their_logarithms_are_told_apart(tmp_path):
    table = sample(tmp_path / "c.ecsv")
    chosen = select_sources(tmp_path / "c.ecsv", Selection())
    table["log_stellar_mass"] = np.log10(table["stellar_mass"])
    table.remove_column("stellar_mass")
    table.write(tmp_path / "log.ecsv")
    assert select_sources(tmp_path / "log.ecsv", Selection()) == chosen


def test_a_catalogue_without_classes_does_where_balance_is_off_and_a_class_may_not_be_empty(
    tmp_path,
):
    table = sample(tmp_path / "c.ecsv")
    table[table["class"] != "E"].write(tmp_path / "few.ecsv")
    with pytest.raises(InputError, match="no object of class elliptical"):
        select_sources(tmp_path / "few.ecsv", Selection())
    table.remove_column("class")
    table.write(tmp_path / "plain.ecsv")
    with pytest.raises(InputError, match="has no column 'morphology' or 'class' or 'type';"):
        select_sources(tmp_path / "plain.ecsv", Selection())
    chosen = select_sources(tmp_path / "plain.ecsv", Selection(balance=False, count=None))
    assert "classes" not in chosen.excluded
    assert len(chosen.sources) > 50
    cosmos = select_sources(tmp_path / "plain.ecsv", read_selection("cosmos"))
    assert {each.r90 for each in cosmos.sources} == {None}
    everything = select_sources(tmp_path / "plain.ecsv", read_selection("all"))
    assert len(everything.sources) == 400
