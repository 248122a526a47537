"""Convolution with a PSF, and its exact adjoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from pellucid.sky.blocks import blocks

Boundary = Literal["reflect", "nearest", "wrap", "zero"]
_PadMode = Literal["symmetric", "edge", "wrap"]
#: What `numpy.pad` calls all but ``zero``.
_PAD_MODE: dict[Boundary, _PadMode] = {
    "reflect": "symmetric",
    "nearest": "edge",
    "wrap": "wrap",
}


class Convolution:
    """The linear operator B that blurs an image of one shape with one PSF a band.

    ``blur(x)`` is B x and ``blur.adjoint(y)`` is Bᵀ y, so that ⟨B x, y⟩ = ⟨x, Bᵀ y⟩ to rounding
    for each boundary. Memory holds the PSF's transforms, and one spectrum of one band beside flux
    and result: rows are padded and cut a block at a time.

    Parameters
    ----------
    stamps
        Shape (band, y, x), odd sides, centred; ``PSF.for_bands`` gives them.
    shape
        The image's (height, width) in pixels.
    boundary
        What lies beyond the edge: the image mirrored, its edge pixel repeated, its other side,
        or nothing.
    """

    def __init__(
        self, stamps: NDArray[np.floating], shape: tuple[int, int], boundary: Boundary = "reflect"
    ) -> None:
        from scipy import fft

        self._fft = fft
        self.shape = shape
        self._radii = stamps.shape[-2] // 2, stamps.shape[-1] // 2
        # Which pixel stands at each place of the padded image; -1 where none does.
        self._rows, self._columns = (
            np.pad(np.arange(side), radius, constant_values=-1)
            if boundary == "zero"
            else np.pad(np.arange(side), radius, mode=_PAD_MODE[boundary])
            for side, radius in zip(shape, self._radii, strict=True)
        )
        self._grid = tuple(
            cast(int, fft.next_fast_len(len(index), real=True))
            for index in (self._rows, self._columns)
        )
        # Centre at the origin: output pixel (y, x) of the padded grid sits where its input sat.
        rows, columns = (
            np.arange(-radius, radius + 1) % length
            for radius, length in zip(self._radii, self._grid, strict=True)
        )
        self._window = np.ix_(rows, columns)
        transfers: list[NDArray[np.complexfloating]] = []
        for k, stamp in enumerate(stamps):
            if k and stamps.strides[0] == 0:  # one PSF for all bands
                transfers.append(transfers[-1])
                continue
            kernel = np.zeros(self._grid, dtype=np.float32)
            kernel[self._window] = stamp
            transfers.append(np.asarray(fft.rfft2(kernel)))
        self._transfers = transfers

    def __call__(self, flux: NDArray[np.floating]) -> NDArray[np.float32]:
        """Blur ``flux``, shape (band, y, x)."""
        blurred = np.empty(flux.shape, dtype=np.float32)
        # One band at a time: a plane and its spectrum stay in the processor's cache.
        for plane, transfer, result in zip(flux, self._transfers, blurred, strict=True):
            spectrum = self._forward(plane, self._rows, self._columns)
            spectrum *= transfer
            first = self._radii[0]
            for rows, wide in self._back(spectrum, first, first + self.shape[0]):
                result[rows] = wide[:, self._radii[1] : self._radii[1] + self.shape[1]]
        return blurred

    def adjoint(
        self, flux: NDArray[np.floating], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Apply the transpose of the blur to ``flux``, shape (band, y, x).

        The result may take the place of ``flux`` in memory, as ``out``.
        """
        result = np.empty(flux.shape, dtype=np.float32) if out is None else out
        for plane, transfer, folded in zip(flux, self._transfers, result, strict=True):
            spectrum = self._alone(plane)
            _times_conjugate(spectrum, transfer)
            folded[:] = 0.0
            # The transpose of padding: each padded pixel's value returns to where it came from.
            for rows, wide in self._back(spectrum, 0, len(self._rows)):
                narrow = _folded(wide[:, : len(self._columns)], self._columns, self._radii[1])
                _add_rows(folded, self._rows[rows], narrow)
        return result

    def in_psf(
        self, flux: NDArray[np.floating], weights: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """Σₙ weights[n] · flux[n − d] for each offset d of the stamp: the adjoint in the PSF.

        Parameters
        ----------
        flux, weights
            Shape (band, y, x).

        Returns
        -------
        NDArray
            Shape of the stamps.
        """
        found = []
        for plane, weight in zip(flux, weights, strict=True):
            spectrum = self._alone(weight)
            np.conjugate(spectrum, out=spectrum)
            spectrum *= self._forward(plane, self._rows, self._columns)
            rows, columns = self._window
            spectrum = np.asarray(self._fft.ifft(spectrum, axis=0, overwrite_x=True))[rows[:, 0]]
            image = np.asarray(self._fft.irfft(spectrum, n=self._grid[1], axis=1))
            found.append(image[::-1, columns[0, ::-1]])
        return np.stack(found)

    def _alone(self, plane: NDArray[np.floating]) -> NDArray[np.complex64]:
        """The spectrum of an image with nothing around it."""
        rows, columns = (
            np.pad(np.arange(side), radius, constant_values=-1)
            for side, radius in zip(self.shape, self._radii, strict=True)
        )
        return self._forward(plane, rows, columns)

    def _forward(
        self, plane: NDArray[np.floating], rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.complex64]:
        """The spectrum of the image that has these rows and columns of a plane."""
        height, width = self._grid
        spectrum = np.empty((height, width // 2 + 1), dtype=np.complex64)
        spectrum[len(rows) :] = 0.0
        for some in blocks(len(rows)):
            wide = np.take(plane[rows[some]], columns, axis=1).astype(np.float32, copy=False)
            wide[rows[some] < 0] = 0.0
            wide[:, columns < 0] = 0.0
            spectrum[some] = np.asarray(self._fft.rfft(wide, n=width, axis=1))
        return np.asarray(self._fft.fft(spectrum, axis=0, overwrite_x=True))

    def _back(
        self, spectrum: NDArray[np.complex64], first: int, last: int
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Rows ``first`` to ``last`` of the image, a block at a time, and which of them these are.

        The spectrum is spent.
        """
        spectrum = np.asarray(self._fft.ifft(spectrum, axis=0, overwrite_x=True))
        for rows in blocks(last - first):
            some = spectrum[first + rows.start : first + rows.stop]
            yield rows, np.asarray(self._fft.irfft(some, n=self._grid[1], axis=1))


def _times_conjugate(
    spectrum: NDArray[np.complex64], transfer: NDArray[np.complexfloating]
) -> None:
    for rows in blocks(len(spectrum)):
        spectrum[rows] *= transfer[rows].conj()


def _folded(
    wide: NDArray[np.float32], columns: NDArray[np.intp], radius: int
) -> NDArray[np.float32]:
    """The columns within, with each of those ``radius`` outside added to where it came from."""
    narrow = wide[:, radius : len(columns) - radius].copy()
    for side in (slice(0, radius), slice(len(columns) - radius, None)):
        places, values = columns[side], wide[:, side]
        if len(np.unique(places[places >= 0])) == len(places):
            narrow[:, places] += values
            continue
        for k in np.flatnonzero(places >= 0):  # several come to one place
            narrow[:, places[k]] += values[:, k]
    return narrow


def _add_rows(
    result: NDArray[np.float32], rows: NDArray[np.intp], values: NDArray[np.float32]
) -> None:
    """Add each row of the values to the row of the result that is named."""
    for row, value in zip(rows, values, strict=True):
        if row >= 0:
            result[row] += value


def convolve(
    flux: NDArray[np.floating], stamps: NDArray[np.floating], boundary: Boundary = "reflect"
) -> NDArray[np.float32]:
    """Blur ``flux`` (band, y, x) once with ``stamps`` (band, y, x); see `Convolution`.

    Flux of any size: a power of two brings it near 1 and back, which changes no digit.
    """
    power = int(np.frexp(max(float(flux.max()), -float(flux.min())))[1]) if flux.size else 0
    blur = Convolution(stamps, (flux.shape[-2], flux.shape[-1]), boundary)
    return np.ldexp(blur(np.ldexp(flux, -power)), power)
