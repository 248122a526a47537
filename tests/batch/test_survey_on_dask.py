"""Many images on a cluster: the same files and the same table."""

from __future__ import annotations

import os
import shutil

from cluster import dask_cluster

from pellucid.batch.request import Request
from pellucid.batch.survey import Spread, restore_all


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
