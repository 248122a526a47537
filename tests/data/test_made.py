"""Stores of pairs that are made by degrading sharp images."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from patches import galaxies

from pellucid.data.made import write_pairs
from pellucid.data.pairs import open_pairs
from pellucid.errors import InputError, UsageError
from pellucid.optics import Degradation
from pellucid.sky.image import SkyImage


@pytest.fixture
def store(tmp_path):
    write_pairs(tmp_path / "pairs.h5", galaxies(), [Degradation()])
    return open_pairs(tmp_path / "pairs.h5")


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
        for side in ("sharp", "blurred"):
            assert_array_equal(*(getattr(pair, side).flux for pair in pairs))
    assert not np.array_equal(store.pair(0, 3).blurred.flux, store.pair(0, 4).blurred.flux)


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
