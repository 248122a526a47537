"""An open FITS file: its HDUs decoded one by one, its faults told in one line."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError, TemporaryError, one_line, refusal
from pellucid.fits.layout import is_celestial
from pellucid.fits.scan import BLOCK, HDU, MAX_DATA, Plain, Unpacked, quiet, walk

if TYPE_CHECKING:
    from astropy.wcs import WCS


@dataclass(frozen=True)
class FitsFile:
    """An open FITS file whose headers have been walked."""

    path: Path
    stream: BinaryIO
    hdus: tuple[HDU, ...]
    opened: Any

    def refuse(self, fault: str, advice: str) -> InputError:
        """The one-line error about this file."""
        return refusal(self.path, fault, advice)

    def pixels(self, hdu: HDU) -> NDArray[Any]:
        """The physical values of an image HDU; BSCALE, BZERO and BLANK are applied."""
        try:
            with quiet():
                return np.asarray(self.opened[hdu.number].data)
        except MemoryError:
            raise TemporaryError(
                f"{self.path}: HDU {hdu.label} does not fit in memory; cut out a part of it"
            ) from None
        except Exception as error:
            # The tile decoders raise whatever they stumble over: each means damaged data.
            raise self.refuse(
                f"HDU {hdu.label} cannot be decoded ({one_line(error)})", "fetch the file again"
            ) from error

    def wcs(self, hdu: HDU) -> WCS | None:
        """The celestial WCS of an image HDU; None where its header has none."""
        if not is_celestial(hdu.header):
            return None
        from astropy.wcs import WCS

        try:
            with quiet():
                # The open file is needed for distortions that are kept as tables (HST).
                wcs = WCS(hdu.header, fobj=self.opened, naxis=2)
                wcs.wcs.set()
        except Exception as error:
            # wcslib's errors have no common base; each means that the cards contradict each other.
            raise self.refuse(
                f"the WCS of HDU {hdu.label} cannot be read ({one_line(error)})",
                "mend its CTYPE, CRVAL and CD cards",
            ) from error
        return wcs if wcs.has_celestial else None

    def raw(self, hdu: HDU) -> bytes:
        """The HDU's bytes as they stand in the file, padded to whole blocks."""
        self.stream.seek(hdu.start)
        held = self.stream.read(hdu.end - hdu.start)
        return held + bytes(-len(held) % BLOCK)


@contextmanager
def open_fits(path: str | os.PathLike[str], limit: int | None = MAX_DATA) -> Iterator[FitsFile]:
    """Open a FITS file, plain or gzipped, after checking it against its own headers.

    ``limit`` is how many bytes of data these may promise; None lifts it for a plain file of which
    only windows are read.

    Raises
    ------
    InputError
        When it is missing, empty, no FITS file, cut off, or expands beyond its headers.
    """
    from astropy.io import fits

    path = Path(path)
    try:
        plain = path.open("rb")
    except FileNotFoundError:
        raise refusal(path, "not found", "check the path") from None
    except OSError as error:
        raise refusal(path, f"cannot be read ({error.strerror})", "name a readable file") from None
    with plain, tempfile.SpooledTemporaryFile(max_size=2**28) as unpacked:
        magic = plain.read(2)
        plain.seek(0)
        if not magic:
            raise refusal(path, "the file is empty", "fetch it again")
        stream: Any = plain
        if magic == b"\x1f\x8b":
            stream = unpacked
            with gzip.GzipFile(fileobj=plain) as packed:
                hdus = walk(path, Unpacked(path, packed, unpacked))
            stream.seek(0)
        else:
            hdus = walk(path, Plain(plain), limit)
        plain.seek(0)
        with quiet():
            opened = fits.open(stream, memmap=False, lazy_load_hdus=True, uint=False)
        try:
            with quiet():
                len(opened)  # finds every HDU now: later reads may move the stream
            yield FitsFile(path, stream, hdus, opened)
        finally:
            with quiet():
                opened.close(output_verify="ignore")
