"""Many images on a cluster: the same files and the same table."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from astropy.table import Table
from cluster import dask_cluster, dask_worker

from pellucid.batch import schedule, survey
from pellucid.batch.request import Request
from pellucid.batch.survey import Spread, restore_all
from pellucid.errors import TemporaryError, UsageError


def test_a_cluster_makes_what_this_machine_makes(galaxy_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for path in sorted(galaxy_folder.glob("*.fits"))[:3]:
        shutil.copy(path, "in")
    (tmp_path / "in/bad.fits").write_bytes(b"no FITS")
    request = Request(method="wiener", psf=1.2)
    here = restore_all(["in"], "here", request, spread=Spread(workers=1))
    (tmp_path / "cluster").mkdir()
    with dask_cluster(tmp_path / "cluster", workers=1) as (address, _):
        os.chdir("in")  # the workers began elsewhere
        there = restore_all(["."], "../there", request, spread=Spread(scheduler=address))
    assert (there.done, there.failed, there.digest) == (3, 1, here.digest)


def test_no_scheduler_leaves_no_run(galaxy_folder, tmp_path):
    pytest.importorskip("distributed")
    spread = Spread(scheduler="tcp://127.0.0.1:9")
    with pytest.raises(TemporaryError, match="no Dask scheduler answers"):
        restore_all([galaxy_folder], tmp_path / "out", Request(method="wiener"), spread=spread)
    assert not (tmp_path / "out").exists()


def test_that_no_worker_is_there_is_told(galaxy_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "LOOK_EVERY", 0.2)
    first = sorted(galaxy_folder.glob("*.fits"))[0]
    came, said = list[subprocess.Popen](), list[str]()

    def say(text: str) -> None:
        said.append(text)
        if "no worker" in text:
            came.append(dask_worker(tmp_path))

    with dask_cluster(tmp_path, workers=0) as (address, _):
        request, spread = Request(method="wiener", psf=1.2), Spread(scheduler=address)
        try:
            outcome = restore_all([first], tmp_path / "out", request, spread=spread, say=say)
        finally:
            for worker in came:
                worker.kill()
                worker.wait()
    assert outcome.done == len(came) == 1
    assert f"{address}: no worker is there; waits for one" in said


def test_a_worker_with_another_version_is_named_before_anything_is_written(
    galaxy_folder, tmp_path, monkeypatch
):
    distributed = pytest.importorskip("distributed")
    honest = distributed.Client.get_versions

    def older(client, **options):
        told = honest(client, **options)
        for known in told["workers"].values():
            known["packages"]["pellucid"] = "0.1.0"
        return told

    monkeypatch.setattr(distributed.Client, "get_versions", older)
    with dask_cluster(tmp_path, workers=1) as (address, _):
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(1)
        request, spread = Request(method="wiener", psf=1.2), Spread(scheduler=address)
        with pytest.raises(UsageError, match=r"tcp://.*: this worker has pellucid 0\.1\.0"):
            restore_all([galaxy_folder], tmp_path / "out", request, spread=spread)
    assert not (tmp_path / "out").exists()


def test_a_worker_without_the_model_ends_the_run(galaxy_folder, tiny_bundle, tmp_path, monkeypatch):
    """What the images are is not to blame: none of them fails by it."""
    model = shutil.copy(tiny_bundle, tmp_path / "mine.onnx")
    request, honest = Request(model=str(model), psf=1.2, force=True), survey.take_files

    def taken(*given):
        found = honest(*given)
        (tmp_path / "mine.onnx").unlink()  # here it was loaded already
        return found

    monkeypatch.setattr(survey, "take_files", taken)
    lacks = pytest.raises(TemporaryError, match=r"a worker there lacks .*mine\.onnx")
    with dask_cluster(tmp_path, workers=1) as (address, _), lacks:
        spread = Spread(scheduler=address)
        restore_all([galaxy_folder], tmp_path / "out", request, spread=spread)
    states = Table.read(tmp_path / "out" / "restored.ecsv")["state"]
    assert set(states) == {"skipped"}
