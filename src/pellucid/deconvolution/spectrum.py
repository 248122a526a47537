"""An image and its PSF at each spatial frequency, a strip of frequencies at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.sky.blocks import blocks

#: Columns of a strip.
STRIP = 64


def check_shapes(flux: NDArray[np.floating], stamps: NDArray[np.floating]) -> None:
    """Refuse an image and a PSF that do not belong together."""
    if flux.ndim != 3 or stamps.ndim != 3 or len(flux) != len(stamps):
        raise InputError(
            f"flux of shape {flux.shape} and a PSF of shape {stamps.shape}; "
            "both must be (band, y, x) with one stamp a band"
        )
    if stamps.shape[1] % 2 == 0 or stamps.shape[2] % 2 == 0:
        raise InputError(f"the PSF stamp is {stamps.shape[1]}×{stamps.shape[2]}; sides must be odd")


@dataclass(frozen=True, eq=False)
class Strip:
    """Some columns of a half plane of frequencies, shape (row, column) each.

    Parameters
    ----------
    columns
        Which they are.
    y, x
        Cycles per pixel along both axes, shapes (row, 1) and (1, column).
    lowest
        The least frequency that is not zero, which stands for zero where a logarithm is taken.
    transfer
        The PSF's transfer function H.
    """

    columns: slice
    y: NDArray[np.float32]
    x: NDArray[np.float32]
    lowest: float
    transfer: NDArray[np.complex64]

    @property
    def logarithm(self) -> NDArray[np.float32]:
        """Of the frequency in cycles per pixel."""
        frequency = np.maximum(np.hypot(self.y, self.x), np.float32(self.lowest))
        return np.log(frequency)

    @property
    def ring(self) -> NDArray[np.intp]:
        """The frequency in units of the lowest, to the next whole number."""
        return np.rint(np.hypot(self.y, self.x) / np.float32(self.lowest)).astype(np.intp)

    @property
    def gain(self) -> NDArray[np.float32]:
        """|H|²."""
        return _squared(self.transfer)


#: x̂/ŷ on a strip.
Response = Callable[[Strip], NDArray]


class Spectrum:
    """Fourier transforms of one band and its PSF, without ever holding all of them.

    The rows are transformed once and kept; the columns are transformed when they are asked for.

    Parameters
    ----------
    plane
        Shape (y, x).
    stamp
        Odd sides, sum 1.
    boundary
        ``"reflect"`` doubles the image by its mirror image, which is periodic without a seam.
    """

    def __init__(
        self,
        plane: NDArray[np.float32],
        stamp: NDArray[np.floating],
        boundary: Literal["reflect", "wrap"] = "reflect",
    ) -> None:
        from scipy import fft

        self._fft = fft
        self._mirrored = boundary == "reflect"
        self.inner = plane.shape
        fold = 2 if self._mirrored else 1
        self.shape = fold * plane.shape[0], fold * plane.shape[1]
        self._stamp = np.asarray(stamp, dtype=np.float64)
        self._rows = np.empty((plane.shape[0], self.shape[1] // 2 + 1), dtype=np.complex64)
        for rows in blocks(plane.shape[0]):
            some = plane[rows]
            if self._mirrored:
                some = np.concatenate([some, some[:, ::-1]], axis=1)
            self._rows[rows] = np.asarray(fft.rfft(some, axis=1))

    def strips(self) -> Iterator[Strip]:
        """All frequencies of the half plane, in order."""
        y = np.fft.fftfreq(self.shape[0])[:, None].astype(np.float32)
        x = np.fft.rfftfreq(self.shape[1])[None, :].astype(np.float32)
        lowest = 1.0 / max(self.shape)
        for columns in blocks(self._rows.shape[1], STRIP):
            yield Strip(columns, y, x[:, columns], lowest, self._transfer(columns))

    def image(self, strip: Strip) -> NDArray[np.complex64]:
        """The image's transform on a strip."""
        rows = self._rows[:, strip.columns]
        if self._mirrored:
            rows = np.concatenate([rows, rows[::-1]], axis=0)
        return np.asarray(self._fft.fft(rows, axis=0))

    def power(self, strip: Strip) -> NDArray[np.float32]:
        """|ŷ|² of the image on a strip, divided so that white noise of variance 1 has 1."""
        return _squared(self.image(strip)) / np.float32(self.shape[0] * self.shape[1])

    def filtered(self, response: Response) -> NDArray[np.float32]:
        """The image behind a filter that passes zero frequency as it is; the spectrum is spent."""
        height, width = self.inner
        for strip in self.strips():
            passed = self.image(strip)
            mean = passed[0, 0]
            passed *= response(strip)
            if strip.columns.start == 0:
                passed[0, 0] = mean
            back = np.asarray(self._fft.ifft(passed, axis=0, overwrite_x=True))
            self._rows[:, strip.columns] = back[:height]
        result = np.empty(self.inner, dtype=np.float32)
        for rows in blocks(height):
            wide = np.asarray(self._fft.irfft(self._rows[rows], n=self.shape[1], axis=1))
            result[rows] = wide[:, :width]
        return result

    def _transfer(self, columns: slice) -> NDArray[np.complex64]:
        """The PSF's transform on some columns, its centre at the first pixel."""
        rows, across = (np.arange(side) - side // 2 for side in self._stamp.shape)
        turns = np.outer(across, np.arange(columns.start, columns.stop)) / self.shape[1]
        along = np.zeros((self.shape[0], turns.shape[1]), dtype=np.complex64)
        # What overhangs a small grid comes round.
        np.add.at(along, rows % self.shape[0], self._stamp @ np.exp(-2j * np.pi * turns))
        return np.asarray(self._fft.fft(along, axis=0, overwrite_x=True))


def _squared(values: NDArray[np.complex64]) -> NDArray[np.float32]:
    return np.square(values.real) + np.square(values.imag)
