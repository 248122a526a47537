"""A store of restored cutouts: HDF5 shards that hold what files an object would."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from cluster import dask_cluster, importing, wait_until
from field_of_galaxies import OBJECTS, RA, SIDE, place_of, write_mosaics, write_objects

import pellucid as package
from pellucid.batch.schedule import Part
from pellucid.batch.shards import USUAL
from pellucid.batch.survey import Outcome, Spread, restore_all
from pellucid.cli import main
from pellucid.errors import InputError, UsageError
from pellucid.fits import read_image

WIENER = package.Request(method="wiener", psf=1.2)


@pytest.fixture
def mosaics(tmp_path) -> list[Path]:
    (tmp_path / "sky").mkdir()
    return write_mosaics(tmp_path / "sky")


@pytest.fixture
def catalogue(tmp_path) -> Path:
    """Three objects that are there, four more, and two of which nothing can be made."""
    more = [(f"m{k}", *place_of(60 + 20 * k, 80)) for k in range(4)]
    more += [("../x", *place_of(90, 90)), ("far", RA + 3.0, -40.0)]
    return write_objects(tmp_path / "objects.ecsv", more)


def stored(catalogue: Path, mosaics: list[Path], to: Path, **given) -> Outcome:
    objects = package.Cutouts(catalogue, mosaics, SIDE, shard=given.pop("shard", 3))
    given.setdefault("spread", Spread(workers=1))
    return restore_all(objects, to, given.pop("request", WIENER), **given)


def shards_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.h5"))


def made_by(path: Path) -> tuple[str, str]:
    """What a file says of how its pixels were made."""
    with fits.open(path) as file:
        (header, *_) = (hdu.header for hdu in file if "PLCMODEL" in hdu.header)
        return header["PLCMODEL"], "".join(map(str, header["HISTORY"]))


def test_a_store_holds_what_files_would(mosaics, catalogue, tmp_path):
    outcome = stored(catalogue, mosaics, tmp_path / "s.h5")
    assert (outcome.images, outcome.done, outcome.failed) == (9, 7, 2)
    files = stored(catalogue, mosaics, tmp_path / "files", shard=0)
    assert files.failures == outcome.failures
    assert [name[-8:] for name in shards_of(tmp_path / "s.h5")] == [f"{k:05d}.h5" for k in range(3)]
    store = package.open_restored(tmp_path / "s.h5")
    assert list(store) == [*OBJECTS, "m0", "m1", "m2", "m3"]
    for name in store:
        found, file = store[name].image, read_image(tmp_path / "files" / f"{name}.fits")
        np.testing.assert_array_equal(found.flux, file.flux)
        np.testing.assert_array_equal(found.holes, file.holes)
        assert (found.bands, found.unit) == (file.bands, file.unit)
        corners = [[0, 0], [SIDE, 0], [SIDE, SIDE]]
        np.testing.assert_allclose(
            found.wcs.wcs_pix2world(corners, 0), file.wcs.wcs_pix2world(corners, 0), atol=1e-9
        )
        assert any("cut from field-g.fits[" in line for line in store[name].provenance["history"])
        # Written again, it says of itself what the file says.
        again = package.write_image(store[name], tmp_path / "again.fits", overwrite=True)
        made, first = map(made_by, (again, tmp_path / "files" / f"{name}.fits"))
        assert made[0] == first[0] == "wiener"
        assert f"--size {SIDE}" in made[1]
    rows = {row["id"]: row for row in Table.read(tmp_path / "s.h5" / "restored.ecsv")}
    assert rows["m0"]["output"] == shards_of(tmp_path / "s.h5")[1]
    assert rows["far"]["state"] == "failed"


def test_a_model_brings_its_uncertainty_and_its_doubt(mosaics, catalogue, tmp_path):
    request = package.Request(psf=1.2)
    table = Table.read(catalogue)[:2]
    table.write(catalogue, overwrite=True)
    stored(catalogue, mosaics, tmp_path / "s.h5", request=request)
    objects = package.Cutouts(catalogue, mosaics, SIDE)
    restore_all(objects, tmp_path / "files", request, spread=Spread(workers=1))
    store = package.open_restored(tmp_path / "s.h5")
    with fits.open(tmp_path / "files" / "a1.fits") as file:
        for plane, name in (("uncertainty", "UNCERT"), ("doubt", "DOUBT"), ("chi2", "CHI2")):
            planes = [hdu.data for hdu in file if name in hdu.name]
            np.testing.assert_array_equal(getattr(store["a1"], plane), np.concatenate(
                [np.atleast_3d(p.T).T for p in planes]))  # fmt: skip


def test_rows_are_joined_by_id(mosaics, catalogue, tmp_path):
    stored(catalogue, mosaics, tmp_path / "s.h5")
    store = pickle.loads(pickle.dumps(package.open_restored(tmp_path / "s.h5")))
    names = ["m3", "a1", "m0"]
    stack = store.stack(names)
    assert stack.shape == (3, 2, SIDE, SIDE)
    for name, flux in zip(names, stack, strict=True):
        np.testing.assert_array_equal(flux, store[name].image.flux)
    assert store.stack(names, "mask").dtype == bool
    assert ("a1" in store, "far" in store, len(store)) == (True, False, 7)
    with pytest.raises(KeyError, match=r"far: failed .*off the mosaic"):
        store["far"]
    with pytest.raises(KeyError, match="'nobody'"):
        store["nobody"]
    with pytest.raises(InputError, match="holds no doubt"):
        store.stack(names, "doubt")


def test_an_id_may_be_a_number(mosaics, catalogue, tmp_path):
    table = Table.read(catalogue)
    table["id"] = np.arange(len(table)) + 10**18
    table.write(catalogue, overwrite=True)
    stored(catalogue, mosaics, tmp_path / "s.h5")
    store = package.open_restored(tmp_path / "s.h5")
    there = [number for number in table["id"] if number in store]
    assert len(there) == len(store) > 0
    np.testing.assert_array_equal(store.stack(there), store.stack(list(map(str, there))))


def test_workers_and_members_of_an_array_make_one_store(mosaics, catalogue, tmp_path):
    one = stored(catalogue, mosaics, tmp_path / "one.h5")
    two = stored(catalogue, mosaics, tmp_path / "two.h5", spread=Spread(workers=2))
    assert two.digest == one.digest
    for member in ("1/2", "2/2"):
        last = stored(catalogue, mosaics, tmp_path / "a.h5", spread=Spread(1, shard=member))
    assert last.digest == one.digest
    names = shards_of(tmp_path / "a.h5")
    assert {name.rsplit("-", 2)[0] for name in names} == {"restored-1of2", "restored-2of2"}
    first, second = (package.open_restored(tmp_path / name) for name in ("one.h5", "a.h5"))
    assert set(first) == set(second)


def test_killed_and_resumed_it_is_as_if_undisturbed(mosaics, catalogue, tmp_path):
    code = (
        "import sys; from pathlib import Path; import test_restored_store as t\n"
        "table, out, *mosaics = map(Path, sys.argv[1:])\n"
        "t.stored(table, mosaics, out, shard=2)\n"
    )
    out = tmp_path / "s.h5"
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, (catalogue, out, *mosaics))],
        env=importing(Path(__file__).parent),
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_until(lambda: list(out.glob("*.h5")))
        process.kill()
    assert process.returncode == -signal.SIGKILL
    # What a process leaves that is killed after a shard, before its rows; and within a shard.
    (out / "restored-1a-00007.h5").write_bytes(b"of no row")
    (out / ".restored-1a-00008.h5.k2j4h5g6").write_bytes(b"half")
    before = {path: path.stat().st_mtime_ns for path in out.glob("*-00000.h5")}
    outcome = stored(catalogue, mosaics, out, shard=2, existing="resume")
    whole = stored(catalogue, mosaics, tmp_path / "whole.h5", shard=2)
    assert (outcome.done, outcome.digest) == (7, whole.digest)
    if outcome.before:
        assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not {"restored-1a-00007.h5", ".restored-1a-00008.h5.k2j4h5g6"} & {
        p.name for p in out.iterdir()
    }
    found, expected = package.open_restored(out), package.open_restored(tmp_path / "whole.h5")
    assert sorted(found) == sorted(expected)
    np.testing.assert_array_equal(found.stack(list(expected)), expected.stack(list(expected)))


def test_what_failed_or_moved_is_done_in_a_shard_of_its_own(mosaics, catalogue, tmp_path):
    out = tmp_path / "s.h5"
    stored(catalogue, mosaics, out)
    old = package.open_restored(out)["a1"].image.flux
    table = Table.read(catalogue)
    table["ra"][table["id"] == "far"], table["dec"][table["id"] == "far"] = place_of(80, 90)
    table["ra"][0], table["dec"][0] = place_of(65, 50)
    table.write(catalogue, overwrite=True)
    outcome = stored(catalogue, mosaics, out, existing="resume")
    assert (outcome.before, outcome.done, outcome.failed) == (6, 8, 1)
    assert len(shards_of(out)) == 4
    store = package.open_restored(out)
    assert "far" in store
    new = store["a1"].image
    assert not np.array_equal(new.flux, old)
    assert new.wcs.wcs_pix2world([[24, 24]], 0)[0] == pytest.approx(place_of(65, 50), abs=1e-9)


def test_a_store_is_no_folder_of_files_and_is_not_written_over(mosaics, catalogue, tmp_path):
    out = tmp_path / "s.h5"
    stored(catalogue, mosaics, out)
    with pytest.raises(UsageError, match="holds a run already"):
        stored(catalogue, mosaics, out)
    with pytest.raises(UsageError, match=r"begun with --output STORE\.h5"):
        stored(catalogue, mosaics, out, shard=0, existing="resume")
    before = shards_of(out)
    stored(catalogue, mosaics, out, shard=9, existing="overwrite")
    assert len(shards_of(out)) == 1
    assert not set(shards_of(out)) & set(before)
    other = tmp_path / "other.h5"
    other.mkdir()
    (other / "restored-1a-00000.h5").write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        stored(catalogue, mosaics, other)


def test_where_all_fail_there_is_no_shard(mosaics, catalogue, tmp_path):
    table = Table.read(catalogue)[-2:]
    table.write(catalogue, overwrite=True)
    assert stored(catalogue, mosaics, tmp_path / "s.h5").failed == 2
    assert shards_of(tmp_path / "s.h5") == []
    with pytest.raises(InputError, match="no folder of restored cutouts"):
        package.open_restored(tmp_path / "s.h5")


def test_damage_is_told_of_the_file(mosaics, catalogue, tmp_path):
    out = tmp_path / "s.h5"
    stored(catalogue, mosaics, out, shard=9)
    path = out / shards_of(out)[0]
    store = package.open_restored(out)
    with h5py.File(path) as file:
        place = file["images-0/restored"].id.get_chunk_info(1).byte_offset
    data = bytearray(path.read_bytes())
    data[place + 40] ^= 255
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"00000\.h5: b 2 is damaged"):
        store["b 2"]
    path.write_bytes(b"no HDF5")
    with pytest.raises(InputError, match=r"00000\.h5: is damaged"):
        package.open_restored(out)


def test_as_a_person_asks_for_it(mosaics, catalogue, tmp_path, capsys):
    images = [word for path in mosaics for word in ("--image", str(path))]
    words = ["restore", "--catalogue", str(catalogue), *images, "--size", "48", "--psf", "1.2"]
    out = str(tmp_path / "s.h5")
    assert main([*words, "--method", "wiener", "--workers", "1", "-o", out]) == 1
    assert "7 of 9 restored" in capsys.readouterr().err
    assert len(package.open_restored(out)) == 7
    assert len(shards_of(tmp_path / "s.h5")) == 1
    assert 1000 <= USUAL <= 4000


def test_a_cluster_is_given_a_shard_at_a_time(mosaics, catalogue, tmp_path):
    here = stored(catalogue, mosaics, tmp_path / "here.h5")
    (tmp_path / "cluster").mkdir()
    with dask_cluster(tmp_path / "cluster", workers=1) as (address, _):
        spread = Spread(scheduler=address)
        there = stored(catalogue, mosaics, tmp_path / "there.h5", spread=spread)
    assert (there.digest, there.failures) == (here.digest, here.failures)
    assert len(shards_of(tmp_path / "there.h5")) == 3


def test_a_cluster_takes_several_images_as_one_task():
    from pellucid.batch.cluster import MOST_TOGETHER, shares_of
    from pellucid.batch.item import Item

    items = [Item(str(k), (f"{k}.fits",)) for k in range(1000)]
    parts = shares_of(items)
    assert [item for part in parts for item in part.jobs] == items
    assert {len(part.jobs) for part in parts[:-1]} == {15}
    assert shares_of(items[:3]) == [Part(item.name, (item,)) for item in items[:3]]
    assert MOST_TOGETHER <= 4000
