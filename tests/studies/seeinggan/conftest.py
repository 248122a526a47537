"""What the tests of the SeeingGAN study share: fields, presets, and studies that were run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from two_skies import FIELDS, TINY, Light, render, write_euclid, write_field


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Training ends with the same bits only on one."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """Fields in both telescopes' form, and galaxies from elsewhere to simulate pairs from."""
    folder = tmp_path_factory.mktemp("sky") / "data"
    (folder / "hsc_hst_pairs").mkdir(parents=True)
    for name, (ra, dec, lights, zero_point) in FIELDS.items():
        write_field(folder / "hsc_hst_pairs" / f"{name}.fits", ra, dec, lights, zero_point)
    for number in (1, 2):
        write_euclid(folder / "euclid_q1_pairs" / f"{number}_field_nisp.fits", number)
    names = np.array([f"g{number:03d}" for number in range(1, 17)])
    rng = np.random.default_rng(3)
    planes = {}
    for name in names:
        axes = rng.uniform(0.15, 0.4, 2)
        light = Light(0.0, 0.0, 27.0, (axes[0], axes[1]), rng.uniform(0, 3))
        flux = render([light], 44, 44, 0.06, 0.05, 27.0)
        planes[name] = np.repeat(np.where(flux > 1e-4, flux, 0.0)[None], 3, axis=0)
    np.savez(
        folder / "hst_galaxies.npz",
        id=names,
        mag=np.full(len(names), 22.0),
        **planes,
    )
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """The tiny preset's file."""
    path = tmp_path_factory.mktemp("preset") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def few(data, tmp_path) -> Path:
    """Data to spoil: two fields of each part, and the galaxies from elsewhere."""
    folder = tmp_path / "data"
    (folder / "hsc_hst_pairs").mkdir(parents=True)
    for name in ("qso01", "qso02"):
        shutil.copy(data / "hsc_hst_pairs" / f"{name}.fits", folder / "hsc_hst_pairs")
    shutil.copy(data / "hst_galaxies.npz", folder)
    return folder
