"""An open FITS file: its HDUs decoded one by one, its faults told in one line."""

from __future__ import annotations

import io
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError, TemporaryError, one_line, refusal
from pellucid.fits.cards import card_value, with_inherited, without_wcs
from pellucid.fits.coordinates import celestial_wcs, is_celestial
from pellucid.fits.foreign import converted
from pellucid.fits.hdu import HDU, check_counts, describe, printable
from pellucid.fits.packed import check_size, packing_of, unpack
from pellucid.quiet import quiet

if TYPE_CHECKING:
    from astropy.io.fits import HDUList, Header
    from astropy.wcs import WCS


@dataclass(frozen=True)
class FitsFile:
    """An open FITS file that holds what its headers promise.

    ``opened`` is astropy's list of HDUs, ``stream`` the file's bytes, unpacked where it is packed,
    ``notes`` what was guessed in reading it. With a ``window`` no other rows and columns are read.
    """

    path: Path
    stream: IO[bytes]
    opened: Any
    hdus: tuple[HDU, ...]
    notes: list[str] = field(default_factory=list)
    window: tuple[slice, slice] | None = None

    def at(self, rows: slice, columns: slice) -> FitsFile:
        """The same file in a window."""
        return replace(self, window=(rows, columns), notes=list(self.notes))

    def note(self, text: str) -> None:
        """Remember what was guessed, mended or left aside; each once."""
        line = f"{self.path.name}: {text}"
        if line not in self.notes:
            self.notes.append(line)

    def refuse(self, fault: str, advice: str) -> InputError:
        """The one-line error about this file."""
        return refusal(self.path, fault, advice)

    def pixels(self, hdu: HDU) -> NDArray[Any]:
        """The physical values of an image HDU; BSCALE, BZERO and BLANK are applied."""
        sides = hdu.shape
        if self.window is not None and len(sides) > 1:
            sides = (*sides[:-2], *(part.stop - part.start for part in self.window))
        check_size(self.path, f"HDU {hdu}", math.prod(sides) * abs(hdu.bitpix) // 8)
        try:
            with quiet():
                opened = self.opened[hdu.number]
                if self.window is None:
                    return np.asarray(opened.data).reshape(hdu.shape)
                part = (slice(None),) * (len(hdu.stored) - 2) + self.window
                return np.asarray(opened.section[part]).reshape(sides)
        except MemoryError:
            raise TemporaryError(
                f"{self.path}: HDU {hdu} does not fit in memory; cut out a part of it"
            ) from None
        except Exception as error:
            # The tile decoders raise whatever they stumble over: each means damaged data.
            raise self.refuse(
                f"HDU {hdu} cannot be decoded ({one_line(error)})", "fetch the file again"
            ) from error

    def rows(self, hdu: HDU) -> Any:
        """The rows of a table HDU, as astropy gives them."""
        try:
            with quiet():
                return self.opened[hdu.number].data
        except Exception as error:
            # As for pixels: whatever astropy stumbles over means damaged data.
            raise self.refuse(
                f"HDU {hdu} cannot be decoded ({one_line(error)})", "fetch the file again"
            ) from error

    def wcs(self, hdu: HDU) -> WCS | None:
        """The celestial WCS of an image HDU; None where its header has none."""
        header = self.header(hdu)
        if not is_celestial(header):
            return None
        try:
            wcs, mended = celestial_wcs(header, (hdu.shape[-2], hdu.shape[-1]), self.opened)
        except Exception as error:
            # wcslib's errors have no common base; each means that the cards contradict each other.
            raise self.refuse(
                f"the WCS of HDU {hdu} cannot be read ({one_line(error)})",
                "mend its CTYPE, CRVAL and CD cards",
            ) from error
        for what in mended:
            self.note(f"the WCS of HDU {hdu} was read as astropy does: {what}")
        return wcs

    def header(self, hdu: HDU) -> Header:
        """What an HDU's header says, with what it inherits of the primary header.

        INHERIT = T gives it all cards that it lacks, no INHERIT all but those of a WCS, and
        INHERIT = F none.
        """
        primary = self.hdus[0]
        inherits = card_value(hdu.header, "INHERIT")
        if hdu is primary or inherits is False:
            return hdu.header
        given = primary.header if inherits is True else without_wcs(primary.header)
        return with_inherited(hdu.header, given)

    def raw(self, hdu: HDU) -> bytes:
        """The HDU's bytes as they stand in the file, what is not printable in its header as ?."""
        size = hdu.end - hdu.start
        check_size(self.path, f"HDU {hdu}", size)
        self.stream.seek(hdu.start)
        header = printable(self.stream.read(hdu.data - hdu.start))
        return (header + self.stream.read(hdu.end - hdu.data)).ljust(size, b"\0")


@contextmanager
def open_fits(path: str | os.PathLike[str]) -> Iterator[FitsFile]:
    """Open a FITS file, plain or compressed, without reading its data; TIFF and XISF as such."""
    path = Path(path)
    with ExitStack() as stack:
        stream, notes = _unpacked(path, stack)
        hdus: list[HDU] = []
        try:
            with quiet():
                check_counts(stream)
                opened = _one_by_one(stream)
                # All of them now: later reads may move the stream. What follows the last is no HDU.
                while not hdus or stream.read(9) == b"XTENSION=":
                    if hdus:
                        stream.seek(hdus[-1].end)
                        check_counts(stream)
                    hdus.append(describe(len(hdus), opened[len(hdus)], stream))
                    stream.seek(hdus[-1].end)
        except Exception as error:  # astropy lets through whatever its parsers stumble over
            # Of an HDU that it drops with a warning there is nothing to say.
            words = "" if isinstance(error, IndexError) else f" ({one_line(error)})"
            fault = f"the header of HDU {len(hdus)} is broken or cut off{words}"
            raise refusal(path, fault, "fetch it again") from error
        last = hdus[-1]
        held = max(stream.seek(0, os.SEEK_END) - last.data, 0)
        if held < last.size:
            promise = f"HDU {last.number} promises {last.size} bytes of data, the file has {held}"
            raise refusal(path, f"truncated: {promise}", "fetch it again")
        file = FitsFile(path, stream, opened, tuple(hdus))
        for note in notes:
            file.note(note)
        for hdu in hdus:
            if hdu.mended:
                file.note(f"the header of HDU {hdu} holds what FITS forbids; it was mended")
        yield file


def _one_by_one(stream: IO[bytes]) -> HDUList:
    """The HDUs of a file, of which none is read before it is asked for.

    To warn of one that is broken astropy would read all of them, one of negative size for ever.
    """
    from astropy.io.fits import HDUList

    class OneByOne(HDUList):
        def readall(self) -> None:
            pass

    return OneByOne.fromfile(stream, "readonly", memmap=False, lazy_load_hdus=True, uint=False)


def _unpacked(path: Path, stack: ExitStack) -> tuple[IO[bytes], list[str]]:
    """The bytes of a file that is FITS, or becomes it, and what was guessed for that."""
    try:
        plain = stack.enter_context(path.open("rb"))
        start = plain.read(32)
    except FileNotFoundError:
        raise refusal(path, "not found", "check the path") from None
    except OSError as error:
        raise refusal(path, f"cannot be read ({error.strerror})", "name a readable file") from None
    if not start:
        raise refusal(path, "the file is empty", "fetch it again")
    stream: IO[bytes] = plain
    packing = packing_of(start)
    if packing is not None:
        plain.seek(0)
        stream = tempfile.SpooledTemporaryFile(max_size=2**28)  # noqa: SIM115
        stack.callback(stream.close)
        unpack(path, packing, plain, stream)
        stream.seek(0)
        start = stream.read(32)
    notes: list[str] = []
    if not start.startswith(b"SIMPLE  ="):
        content, notes = converted(path, start)
        stream = io.BytesIO(content)
    stream.seek(0)
    return stream, notes
