"""CHECKSUM and DATASUM, against astropy's."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from pellucid.errors import InputError
from pellucid.fits import check_sums


def test_the_sums_are_those_of_astropy(tmp_path):
    rng = np.random.default_rng(1)
    odd = fits.ImageHDU(rng.integers(0, 255, (3, 5, 7), np.uint8), name="ODD")
    table = fits.BinTableHDU(
        Table({"x": rng.normal(size=11), "s": ["a", "bc", "def"] * 3 + ["", ""]})
    )
    packed = fits.CompImageHDU(rng.integers(0, 9, (40, 40), np.int16), compression_type="RICE_1")
    path = tmp_path / "a.fits"
    fits.HDUList([fits.PrimaryHDU(), odd, table, packed]).writeto(path, checksum=True)
    data = path.read_bytes()
    check_sums(path)
    path.write_bytes(gzip.compress(data))
    check_sums(path)
    for at in rng.integers(0, len(data), 120):
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        with pytest.raises(InputError):
            check_sums(path)
