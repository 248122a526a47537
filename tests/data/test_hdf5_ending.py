"""HDF5 calls back into Python, where no signal may end the process: it waits."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from pellucid.data.hdf5 import write_hdf5
from pellucid.ending import ending_cleanly

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_while_hdf5_writes_ends_after_the_write_and_leaves_the_old_file(tmp_path, name):
    path, done = tmp_path / "a.h5", []
    path.write_bytes(b"old")
    number = int(getattr(signal, name))

    def fill(file, raise_error) -> None:
        os.kill(os.getpid(), number)
        file["a"] = np.zeros(1000)  # the signal is there, and what is begun is done
        done.append("a")
        raise_error()
        done.append("b")

    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as end, ending_cleanly():
        write_hdf5(path, fill, overwrite=True)
    assert end.value.code == 128 + number
    assert done == ["a"]
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.h5"]
    assert signal.getsignal(number) == before


def test_a_signal_at_the_end_of_the_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"old")

    def fill(file, raise_error) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit), ending_cleanly():
        write_hdf5(path, fill, overwrite=True)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.h5"]
