"""Convolution with a PSF, and its exact adjoint."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

Boundary = Literal["reflect", "nearest", "wrap", "zero"]
_PadMode = Literal["symmetric", "edge", "wrap", "constant"]
PAD_MODE: dict[Boundary, _PadMode] = {
    "reflect": "symmetric",
    "nearest": "edge",
    "wrap": "wrap",
    "zero": "constant",
}


class Convolution:
    """The linear operator B that blurs an image of one shape with one PSF a band.

    ``blur(x)`` is B x and ``blur.adjoint(y)`` is Bᵀ y, so that ⟨B x, y⟩ = ⟨x, Bᵀ y⟩ to rounding
    for each boundary. The PSF's transform is made once, all bands go through one FFT.

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
        self._mode: _PadMode = PAD_MODE[boundary]
        radii = stamps.shape[-2] // 2, stamps.shape[-1] // 2
        # Which pixel stands at each place of the padded image.
        self._rows, self._columns = (
            np.pad(np.arange(side), radius, mode=self._mode)
            for side, radius in zip(shape, radii, strict=True)
        )
        self._grid = [
            cast(int, fft.next_fast_len(len(index), real=True))
            for index in (self._rows, self._columns)
        ]
        kernel = np.zeros((len(stamps), *self._grid), dtype=np.float32)
        kernel[:, : stamps.shape[-2], : stamps.shape[-1]] = stamps
        # Centre at the origin: output pixel (y, x) of the padded grid sits where its input sat.
        kernel = np.roll(kernel, (-radii[0], -radii[1]), axis=(1, 2))
        self._transfer = np.asarray(fft.rfft2(kernel))
        self._adjoint_transfer = self._transfer.conj()
        self._inner = tuple(
            slice(radius, radius + side) for side, radius in zip(shape, radii, strict=True)
        )
        self._margins = tuple(
            (radius, length - side - radius)
            for side, radius, length in zip(shape, radii, self._grid, strict=True)
        )

    def __call__(self, flux: NDArray[np.floating]) -> NDArray[np.float32]:
        """Blur ``flux``, shape (band, y, x)."""
        flux = np.asarray(flux, dtype=np.float32)
        blurred = np.empty_like(flux)
        # One band at a time: a plane and its spectrum stay in the processor's cache.
        for plane, transfer, result in zip(flux, self._transfer, blurred, strict=True):
            # What lies beyond a PSF's radius from the image touches no pixel that is kept.
            wide = np.pad(plane, self._margins, mode=self._mode)
            result[:] = self._filter(wide, transfer)[self._inner]
        return blurred

    def adjoint(self, flux: NDArray[np.floating]) -> NDArray[np.float32]:
        """Apply the transpose of the blur to ``flux``, shape (band, y, x)."""
        wide = np.zeros(self._grid, dtype=np.float32)
        padded = np.empty((len(flux), len(self._rows), len(self._columns)), dtype=np.float32)
        for plane, transfer, result in zip(flux, self._adjoint_transfer, padded, strict=True):
            wide[self._inner] = plane
            result[:] = self._filter(wide, transfer)[: len(self._rows), : len(self._columns)]
        return self._unpad(padded)

    def _filter(
        self, plane: NDArray[np.float32], transfer: NDArray[np.complexfloating]
    ) -> NDArray[np.float32]:
        spectrum = np.asarray(self._fft.rfft2(plane))
        spectrum *= transfer
        return np.asarray(self._fft.irfft2(spectrum, s=self._grid, overwrite_x=True))

    def _unpad(self, padded: NDArray[np.float32]) -> NDArray[np.float32]:
        """The transpose of padding: each padded pixel's value returns to where it came from."""
        inner_rows, inner_columns = self._inner
        if self._mode == "constant":
            return padded[:, inner_rows, inner_columns]
        rows = padded[:, inner_rows].copy()
        for target in _outside(inner_rows, len(self._rows)):
            rows[:, self._rows[target]] += padded[:, target]
        flux = rows[:, :, inner_columns].copy()
        for target in _outside(inner_columns, len(self._columns)):
            flux[:, :, self._columns[target]] += rows[:, :, target]
        return flux


def _outside(inner: slice, count: int) -> list[int]:
    """The indices below ``count`` that ``inner`` leaves out."""
    return [*range(inner.start), *range(inner.stop, count)]


def convolve(
    flux: NDArray[np.floating], stamps: NDArray[np.floating], boundary: Boundary = "reflect"
) -> NDArray[np.float32]:
    """Blur ``flux`` (band, y, x) once with ``stamps`` (band, y, x); see `Convolution`."""
    return Convolution(stamps, (flux.shape[-2], flux.shape[-1]), boundary)(flux)
