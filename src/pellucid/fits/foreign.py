"""Files that are no FITS: TIFF and XISF become it on reading, others are named with their tool."""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError, PellucidError, UsageError, one_line, refusal
from pellucid.fits.cards import with_lasting_cards
from pellucid.fits.packed import check_size
from pellucid.quiet import quiet

if TYPE_CHECKING:
    from astropy.io.fits import Header

_RAW = (".cr2", ".cr3", ".nef", ".nrw", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw")
_RAW += (".x3f", ".raw", ".crw", ".sr2", ".3fr", ".erf")
_AGAIN = "fetch it again"
#: How files begin that are not read: what they are, and what makes FITS of them.
_UNREAD: dict[bytes, tuple[str, str]] = {
    b"FUJIFILMCCD": ("a camera's raw file", "convert and debayer it in Siril or with dcraw -4 -T"),
    b"\x28\xb5\x2f\xfd": ("packed by zstd", "unpack it with unzstd"),
    b"\x1f\x9d": ("packed by compress", "unpack it with uncompress"),
    b"7z\xbc\xaf": ("a 7-Zip archive", "unpack it with 7z x"),
    b"Rar!": ("a RAR archive", "unpack it with unrar"),
    b"\x89HDF": ("HDF5", "write its array as FITS with h5py and astropy.io.fits"),
    b"#ASDF": ("ASDF", "write its array as FITS with the package asdf, or fetch the FITS product"),
    b"\x93NUMPY": ("a NumPy array", "write it with astropy.io.fits.writeto"),
    b"LUCAM-RECORDER": ("a SER video", "stack it in Siril and save FITS"),
    b"RIFF": ("a video or WebP", "stack it in Siril, or save PNG"),
    b"\x89PNG": ("a PNG picture", "end its name in .png"),
    b"\xff\xd8\xff": ("a JPEG picture", "end its name in .jpg"),
    b"GIF8": ("a GIF picture", "save it as PNG"),
    b"BM": ("a BMP picture", "save it as PNG"),
    b"8BPS": ("a Photoshop file", "save it as 16-bit TIFF"),
    b"v/1\x01": ("an OpenEXR picture", "save it as 32-bit TIFF"),
    b"i\0m\0h\0d": ("an IRAF image", "convert it with IRAF's wfits"),
    b"imhv2": ("an IRAF image", "convert it with IRAF's wfits"),
    b"%PDF": ("a PDF", "name the FITS file"),
    b"version https://git-lfs": ("a pointer of Git LFS, not the file", "run git lfs pull"),
    **dict.fromkeys(
        (b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML"), ("a web page, not the file", _AGAIN)
    ),
    b"<?xml": ("XML, perhaps an archive's answer", "name the FITS file that it speaks of"),
}
#: Endings of what is written. Without an ending, a name promises nothing else.
_WRITTEN = ("", ".fits", ".fit", ".fts", ".fz", ".gz", ".bz2", ".xz")


class Foreign(NamedTuple):
    """An image of another format: planes from the bottom up, the cards it had, what was guessed."""

    planes: NDArray[Any]  # (y, x) or (plane, y, x)
    header: Header
    notes: list[str]


def check_written_name(path: str | os.PathLike[str]) -> None:
    """Refuse a name that promises another format than FITS, with `UsageError`."""
    if Path(path).suffix.lower() not in _WRITTEN:
        names = ".fits, .fits.gz, .fits.bz2, .fits.xz, .fits.fz or .png"
        raise UsageError(f"{path}: is not written in this format; end its name in {names}")


def converted(path: Path, start: bytes) -> tuple[bytes, list[str]]:
    """A file that is no FITS as the bytes of a FITS file, and what was guessed for it.

    Parameters
    ----------
    start
        Its first bytes.
    """
    from astropy.io import fits

    raw = path.suffix.lower() in _RAW or start[4:11] == b"ftypcrx"
    reader = next((read for magic, read in _READERS.items() if start.startswith(magic)), None)
    if raw or reader is None:
        raise _unread(path, _UNREAD[b"FUJIFILMCCD"] if raw else None, start)
    try:
        with quiet():
            found = reader(path)
    except PellucidError:
        raise
    except Exception as error:
        # tifffile and xisf raise whatever they stumble over: each means a file they cannot read.
        fault = f"cannot be decoded ({one_line(error)})"
        raise refusal(path, fault, "save it as FITS, or without compression") from error
    if found.planes.ndim not in (2, 3):
        raise refusal(path, f"holds an array of {found.planes.ndim} axes", "an image has 2 or 3")
    planes = np.ascontiguousarray(found.planes[..., ::-1, :])
    with quiet():
        hdu: Any = fits.PrimaryHDU(planes)
        # Nothing of how the other format stores its pixels is said of these.
        hdu.header = with_lasting_cards(hdu.header.cards, found.header)
        if planes.dtype.kind == "u":
            hdu.header["BZERO"] = 2 ** (8 * planes.dtype.itemsize - 1)
        if "ROWORDER" in hdu.header:
            hdu.header["ROWORDER"] = "BOTTOM-UP"  # whatever it was there
        packed = io.BytesIO()
        fits.HDUList([hdu]).writeto(packed, output_verify="silentfix+ignore")
    return packed.getvalue(), found.notes


def _unread(path: Path, known: tuple[str, str] | None, start: bytes) -> InputError:
    if path.suffix.lower() == ".onnx":
        known = "a network", "restore --model takes it, and `pellucid models FILE` tells what it is"
    if path.suffix.lower() == ".tar":
        known = "a tar archive", "unpack it with tar xf"
    found = known or next((v for magic, v in _UNREAD.items() if start.startswith(magic)), None)
    if found is None:
        return refusal(path, "is not a FITS file", "FITS starts with SIMPLE = T")
    what, advice = found
    # It has that name, and stands where FITS is asked for.
    if path.suffix and advice.endswith(f" {path.suffix.lower()}"):
        advice = "FITS is needed here"
    return refusal(path, f"is not a FITS file but {what}", advice)


def _read_tiff(path: Path) -> Foreign:
    """The first image of a TIFF of 16 or 32 bits, as Siril, PixInsight and others write it."""
    import tifffile
    from astropy.io.fits import Header

    with tifffile.TiffFile(path) as opened:
        len(opened.pages)  # it follows the chain of pages, and breaks off one that is a ring
        series, page = opened.series[0], opened.pages.first
        check_size(path, "it", series.nbytes)
        if page.photometric == tifffile.PHOTOMETRIC.CFA:
            raise refusal(path, "is a camera's colour mosaic", "debayer it first, in Siril")
        if series.dtype is None or series.dtype.itemsize == 1:
            advice = "save the stack with 16 or 32 bits, or the picture as PNG"
            raise refusal(path, "has 8 bits a pixel, stretched for the screen", advice)
        planes, axes = np.squeeze(series.asarray()), series.axes
        notes = [f"a TIFF says nothing of its flux: its {series.dtype} were taken as linear"]
        if len(opened.series) > 1:
            notes.append(f"the first of its {len(opened.series)} images was read")
        colours = "S" in axes
        text = page.description.strip()
    if colours:
        planes = np.moveaxis(planes, axes.replace("Q", "").index("S"), 0)
        planes = planes[:3] if len(planes) > 2 else planes[0]  # without transparency
    header = Header.fromstring(text, sep="\n") if text.startswith("SIMPLE") else Header()
    if colours and planes.ndim == 3:
        header["CTYPE3"] = "RGB"
    if planes.dtype == np.float16:
        planes = planes.astype(np.float32)
    return Foreign(planes, header, notes)


def _read_xisf(path: Path) -> Foreign:
    """The first image of an XISF file, as PixInsight writes it, with its FITS keywords."""
    try:
        from xisf import XISF
    except ImportError:
        advice = "pip install 'pellucid[xisf]', or save it as FITS in PixInsight"
        raise refusal(path, "is XISF, which needs the package xisf", advice) from None
    from astropy.io.fits import Header

    with contextlib.redirect_stdout(io.StringIO()):  # it prints of what it does not know
        opened = XISF(str(path))
        images: list[dict[str, Any]] = opened.get_images_metadata() or []
        if not images:
            raise refusal(path, "holds no image", "name another file")
        found = images[0]
        check_size(path, "it", math.prod(found["geometry"]) * found["dtype"].itemsize)
        planes = opened.read_image(0, data_format="channels_first")
    header = Header()
    for name, entries in found["FITSKeywords"].items():
        for entry in entries:
            # What is no keyword of FITS, or holds what it forbids, is left out.
            with contextlib.suppress(ValueError, TypeError):
                header.append((name, _value(entry["value"]), entry["comment"]), end=True)
    colour = len(planes) == 3 and found.get("colorSpace") == "RGB"
    xml: Any = opened.get_metadata_xml()
    for pattern in xml.iter("{http://www.pixinsight.com/xisf}ColorFilterArray"):
        header["BAYERPAT"] = pattern.attrib.get("pattern", "")
    if colour:
        header["CTYPE3"] = "RGB"
    notes = [f"the first of its {len(images)} images was read"] if len(images) > 1 else []
    if found["dtype"].itemsize == 1:
        raise refusal(path, "has 8 bits a pixel", "save it with 16 or 32 bits")
    return Foreign(planes if len(planes) > 1 else planes[0], header, notes)


def _value(text: str) -> str | int | float | bool:
    """A keyword's value from its text, which has lost its quotes."""
    if text in ("T", "F"):
        return text == "T"
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


_READERS: dict[bytes, Callable[[Path], Foreign]] = {
    b"II*\0": _read_tiff,
    b"MM\0*": _read_tiff,
    b"II+\0": _read_tiff,
    b"MM\0+": _read_tiff,
    b"XISF0100": _read_xisf,
}
