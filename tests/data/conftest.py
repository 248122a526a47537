"""The mosaics of two telescopes, a catalogue of what they show, and the verb that makes pairs."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from two_telescopes import (
    BLUR,
    GALAXIES,
    NOISE,
    ZERO_POINTS,
    field,
    header_of,
    place,
    sky_wcs,
)

from pellucid.cli import main


@pytest.fixture(scope="module")
def images() -> dict[str, tuple[np.ndarray, WCS]]:
    """The sharp telescope sees the sky turned by 20 degrees."""
    sharp, blurred = sky_wcs(960, 0.05, turn=20.0), sky_wcs(300, 0.2)
    factor = 10 ** (0.4 * (ZERO_POINTS[0] - ZERO_POINTS[1]))
    return {
        "sharp": (factor * field(sharp, 960, 0.05, 0.0, NOISE[0], 1), sharp),
        "blurred": (field(blurred, 300, 0.2, BLUR, NOISE[1], 2), blurred),
    }


@pytest.fixture
def mosaics(images, tmp_path) -> Callable[..., list[str]]:
    """Writes both mosaics and returns the words that name them.

    The sharp one has two tiles that overlap: one tile-compressed, one gzipped. Pixels that are
    named in ``gap`` (y, x) of the blurred one have no data.
    """

    def write(east: float = 0.0, gap: tuple[int, int] | None = None) -> list[str]:
        folder = tmp_path / "hst"
        folder.mkdir(exist_ok=True)
        flux, wcs = images["sharp"]
        flux = flux.astype("f4")
        cards = fits.Header({"MAGZERO": ZERO_POINTS[0], "BUNIT": "electron/s"})
        upper, lower = (header_of(wcs[part], cards) for part in (np.s_[400:, :], np.s_[:560, :]))
        packed = fits.CompImageHDU(flux[400:], upper, quantize_level=-0.002)
        fits.HDUList([fits.PrimaryHDU(), packed]).writeto(folder / "up.fits.fz", overwrite=True)
        plain = io.BytesIO()
        fits.PrimaryHDU(flux[:560], lower).writeto(plain)
        (folder / "low.fits.gz").write_bytes(gzip.compress(plain.getvalue(), 1))

        flux = images["blurred"][0].astype("f4")
        if gap is not None:
            flux[gap] = np.nan
        cards = fits.Header({"MAGZERO": ZERO_POINTS[1], "BUNIT": "adu"})
        header = header_of(sky_wcs(300, 0.2, east=east), cards)
        fits.PrimaryHDU(flux, header).writeto(tmp_path / "subaru.fits", overwrite=True)
        return ["--sharp", str(folder), "--blurred", str(tmp_path / "subaru.fits")]

    return write


@pytest.fixture
def catalogue(tmp_path) -> Callable[..., list[str]]:
    """Writes the galaxies and further rows (id, ra, dec) as a table; returns the words."""

    def write(*rows: tuple[str, float, float], names: tuple[str, ...] = ()) -> list[str]:
        galaxies = names or tuple(GALAXIES)
        rows = (*((name, *place(GALAXIES[name])) for name in galaxies), *rows)
        table = Table(rows=rows, names=("id", "ra", "dec"), dtype=(str, float, float))
        table["r90"] = 1.6
        path = tmp_path / "galaxies.ecsv"
        table.write(path, overwrite=True)
        selection = tmp_path / "mine.yaml"
        selection.write_text(
            "{max_redshift: null, min_log_stellar_mass: null, classes: null, balance: false}"
        )
        return ["--catalogue", str(path), "--selection", str(selection)]

    return write


@pytest.fixture
def pairs(tmp_path, capsys):
    """Runs the verb with a grid of 32 pixels; returns exit code, report and complaints."""

    def run(*words: object, output: str = "pairs.h5") -> tuple[int, dict, str]:
        capsys.readouterr()
        command = ["pairs-observed", *map(str, words), "--output", str(tmp_path / output), "--json"]
        code = main([*command, *([] if "--size" in words else ["--size", "32"])])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, json.loads(out) if out else {}, err

    return run
