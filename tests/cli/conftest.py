"""A person at the command line: commands that must succeed, and commands that must not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from typed import GOOD

from pellucid.cli import main
from pellucid.restoration import restorer
from pellucid.restoration.engine import load_network

_NETWORKS: dict[tuple[str, ...], object] = {}


@pytest.fixture(autouse=True)
def networks_loaded_once(monkeypatch):
    """One engine for all commands that restore with one bundle, as in a survey's run."""

    def load(bundle, engine="onnx", precision="fp32"):
        key = bundle.sha256, engine, precision
        if key not in _NETWORKS:
            _NETWORKS[key] = load_network(bundle, engine, precision)
        return _NETWORKS[key]

    monkeypatch.setattr(restorer, "load_network", load)


@pytest.fixture
def pellucid(capsys):
    """Runs a command that must succeed; returns what it printed."""

    def run(*words: object) -> str:
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return run


@pytest.fixture
def refused(tmp_path, files_in, capsys):
    """Runs a command that must fail; returns the one line it says."""

    def run(code: int, *words: object, naming: Path | str) -> str:
        before = files_in(tmp_path)
        capsys.readouterr()
        assert main([str(word) for word in words]) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("pellucid: ")
        assert err.count("\n") == 1
        assert str(naming) in err
        assert files_in(tmp_path) == before, "nothing new, nothing changed, nothing half done"
        return err

    return run


@pytest.fixture
def wiener(tmp_path):
    """The words of a restoration into ``out.fits``, which is not there yet."""
    return ["--method", "wiener", "--psf", "1.2", "--output", tmp_path / "out.fits"]


@pytest.fixture
def save(tmp_path, sky_header):
    def write(name: str, data: np.ndarray | None = GOOD, *more: object, **cards: object) -> Path:
        primary = fits.PrimaryHDU(data, sky_header(**cards) if data is not None else None)
        fits.HDUList([primary, *more]).writeto(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def restored(tmp_path, capsys):
    """Restores files by some words; returns the path of the result."""

    def run(*words, name="out.fits"):
        code = main(["restore", *map(str, words), "--overwrite", "--output", str(tmp_path / name)])
        assert code == 0, capsys.readouterr().err
        return tmp_path / name

    return run
