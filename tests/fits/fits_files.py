"""FITS files for one test each, and what is expected of those that were written."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from pellucid.errors import InputError
from pellucid.fits import read_image

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
GOOD = np.arange(20, dtype="f4").reshape(4, 5)


def sky_header(shift: float = 0.0, **cards) -> fits.Header:
    """A gnomonic WCS of 0.4 arcsec per pixel, moved by ``shift`` pixels."""
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = 150.0, 2.0
    header["CRPIX1"], header["CRPIX2"] = 5.0 + shift, 6.0
    header["CDELT1"], header["CDELT2"] = -0.4 / 3600, 0.4 / 3600
    header.update(cards)
    return header


def noise(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(3, 2, shape).astype("f4")


def save(path: Path, *hdus, **options) -> Path:
    first = hdus[0] if isinstance(hdus[0], fits.PrimaryHDU) else fits.PrimaryHDU()
    rest = hdus[1:] if first is hdus[0] else hdus
    fits.HDUList([first, *rest]).writeto(path, output_verify="ignore", **options)
    return path


def lasting(header: fits.Header) -> list[str]:
    """The cards a test expects to find again, verbatim, in order."""
    structure = {"SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "PCOUNT"}
    structure |= {"GCOUNT", "EXTEND", "BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM"}
    return [str(card) for card in header.cards if card.keyword not in structure]


def unpacked(archive: str, member: str, folder: Path) -> Path:
    """A real file from the tars that lie beside the repository."""
    if not (SHARED / archive).exists():
        pytest.skip("needs ../shared")
    with tarfile.open(SHARED / archive) as tar:
        names = [name for name in tar.getnames() if member in name and name.endswith(".fits")]
        tar.extract(names[0], folder, filter="data")
    return folder / names[0]


def checked(path: Path) -> None:
    """Every HDU carries sums, and they are right."""
    with fits.open(path, checksum=True, disable_image_compression=True) as hdus:
        for hdu in hdus:
            assert "CHECKSUM" in hdu.header
            assert "DATASUM" in hdu.header
            assert hdu.verify_checksum() == 1
            assert hdu.verify_datasum() == 1


def raw_header(**cards: object) -> bytes:
    """A primary header written by hand, so that it may lie."""

    lines = [f"{'SIMPLE':8}= {'T':>20}"]
    lines += [f"{key:8}= {value:>20}" for key, value in cards.items()]
    return "".join(line.ljust(80) for line in [*lines, "END"]).ljust(2880).encode()


def refused(*paths: Path, match: str, error: type[Exception] = InputError, **options) -> str:
    """The error's text, after checking that it is one line and names each file."""
    with pytest.raises(error, match=match) as caught:
        read_image(*paths, **options)
    text = str(caught.value)
    assert "\n" not in text
    for path in paths:
        assert str(path) in text
    assert ";" in text, "says what would work"
    assert getattr(caught.value, "exit_code", None) == 3
    return text
