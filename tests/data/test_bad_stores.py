"""Stores that are HDF5 and no stores: one line that names the file, whatever is amiss."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

from pellucid.data.pairs import open_pairs
from pellucid.errors import InputError


def replaced(name, value):
    def change(file):
        if name in file:
            del file[name]
        file[name] = value

    return change


def attribute(name, value):
    def change(file):
        del file.attrs[name]
        if value is not None:
            file.attrs[name] = value

    return change


CHANGES = {
    "ids are numbers": replaced("id", np.arange(22)),
    "ids are no UTF-8": replaced("id", np.array([b"\xff\xfe"] * 22)),
    "ids are one": replaced("id", 3),
    "images are a text": replaced("sharp", "none"),
    "images lead to themselves": replaced("sharp", h5py.SoftLink("/sharp")),
    "images are the file": lambda file: (file.pop("sharp"), file.__setitem__("sharp", file["/"])),
    "bands are no list": attribute("bands", "3"),
    "bands are numbers": attribute("bands", "[1, 2, 3]"),
    "bands never end": attribute("bands", "[" * 100_000),
    "no pixels": attribute("pixel_scale", 0.0),
    "pixels are no number": attribute("pixel_scale", np.nan),
    "pixels are a text": attribute("pixel_scale", "x"),
    "no degradation": attribute("degradations", None),
    "degradations never end": attribute("degradations", "[" * 100_000),
    "degradations are none": attribute("degradations", "[]"),
    "a degradation is a number": attribute("degradations", "[1]"),
}


@pytest.mark.parametrize("what", list(CHANGES))
def test_a_store_that_is_none_is_refused_by_name(pair_store, tmp_path, what):
    path = tmp_path / "bad.h5"
    shutil.copy(pair_store, path)
    with h5py.File(path, "r+") as file:
        CHANGES[what](file)
    with pytest.raises(InputError, match=r"bad\.h5: ") as error:
        open_pairs(path).pair(0)
    assert "\n" not in str(error.value)
