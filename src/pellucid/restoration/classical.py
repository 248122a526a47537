"""Deconvolution as a restorer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.deconvolution import METHODS
from pellucid.deconvolution.settled import SETTLED
from pellucid.errors import InputError
from pellucid.optics import blur_of
from pellucid.restoration.change import with_change
from pellucid.restoration.field_sky import FieldSky
from pellucid.restoration.holes import with_restored
from pellucid.restoration.pieces import Pieces, is_large, restored_in_pieces
from pellucid.restoration.result import Restoration
from pellucid.restoration.varying import varying
from pellucid.sky import PSF, SkyImage
from pellucid.sky.field import Field, middle_image
from pellucid.sky.inpaint import whole
from pellucid.sky.psf import widths_of
from pellucid.sources.stated import ways_to_state

#: They do to the flux what they did when they were published.
AS_PUBLISHED = ("richardson-lucy-paper", "blind-paper")


@dataclass(frozen=True)
class ClassicalRestorer:
    """Deconvolution with a known (for ``blind``: a first guess of the) blur.

    Parameters
    ----------
    method
        A name in `pellucid.deconvolution.METHODS`.
    constant
        What the method is tuned by: the iterations of Richardson–Lucy, the noise over signal of
        Wiener. None lets the method choose from the image.
    """

    method: str
    constant: float | None = None

    @property
    def name(self) -> str:
        return self.method

    def __call__(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Restoration:
        """Restore ``image``, undoing its blur; see `Restorer`."""
        if is_large(image, blur, psf) and self.by_pieces(image):
            return restored_in_pieces(self, image, blur, psf, target)
        kernel = _known_kernel(image, blur, psf, target)
        complete = whole(image)
        flux = complete.flux
        # A border without data has no noise, which would count as the sky's.
        window = (slice(None), *_data_window(image))
        restored = flux.copy()
        stamps = kernel.for_bands(len(flux))
        restored[window] = METHODS[self.method](flux[window], stamps, self.constant)
        if not np.isfinite(restored).all():
            raise InputError(f"{self.method} makes values of it that are no numbers")
        if self.method not in AS_PUBLISHED:
            _keep_total(flux[window], restored[window])
        fwhm = kernel.fwhm
        provenance = {
            "method": self.method,
            "psf_fwhm": round(fwhm, 4),
            "notes": list(kernel.notes),
        }
        restored = with_restored(image, restored, complete)
        del flux, complete
        result = Restoration(restored, provenance=provenance)
        return with_change(image, result, widths_of(kernel))

    def by_pieces(self, image: SkyImage) -> bool:
        """Whether it works on a large image piece by piece; the others take it whole."""
        return self.method in SETTLED and self.constant is None

    def pieces(
        self,
        field: Field,
        sky: FieldSky,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Pieces:
        """How it works on a large image; see `Pieces`."""
        from pellucid.restoration.classical_pieces import classical_pieces

        middle, there = middle_image(field), varying(field.frame, blur, psf)

        def kernel(y: float, x: float) -> PSF:
            assert there is not None
            return _known_kernel(middle, None, there(y, x), target)

        first = _known_kernel(middle, blur, psf, target)
        return classical_pieces(self.method, field, sky, first, kernel if there else None)


def _known_kernel(
    image: SkyImage, blur: PSF | float | None, psf: PSF | float | None, target: PSF | float | None
) -> PSF:
    kernel = blur_of(image, blur, psf, target)
    if kernel is None:
        raise InputError(
            f"a classical method needs the PSF{ways_to_state(image)} (from Python psf=…, for pairs "
            "of two telescopes `pairs-observed --blurred-psf`)"
        )
    return kernel


def _keep_total(flux: NDArray[np.float32], restored: NDArray[np.float32]) -> None:
    """Give each band its total again: a lopsided PSF carries light over the edge of the frame."""
    for before, after in zip(flux, restored, strict=True):
        after += np.float32(before.mean(dtype=np.float64) - after.mean(dtype=np.float64))


def _data_window(image: SkyImage) -> tuple[slice, slice]:
    """The rows and the columns between the first and the last that hold data in any band."""
    data = ~image.holes.all(axis=0)
    rows, columns = (np.flatnonzero(np.any(data, axis=axis)) for axis in (1, 0))
    if not rows.size:
        return slice(None), slice(None)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
