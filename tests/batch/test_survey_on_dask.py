"""Many images on a cluster: the same files and the same table."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from cluster import dask_cluster, dask_worker

from pellucid.batch import schedule
from pellucid.batch.request import Request
from pellucid.batch.survey import Spread, restore_all
from pellucid.errors import TemporaryError


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
