"""What a restorer is, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pellucid.sky import PSF
from pellucid.sky.image import SkyImage


@dataclass(frozen=True)
class Restoration:
    """A restored image and what is known of it.

    Parameters
    ----------
    image
        Same unit, bands and sky as the input, and its pixels; or finer ones, where a model works in
        these and the input's could not hold what it restores.
    uncertainty
        Standard deviation of each pixel in the image's unit, or None where the restorer has none.
    doubt
        From 0 (sure) to 1 for each pixel, or None where the restorer has none.
    provenance
        What made it: method or model, checksum, PSF, version; ``notes`` lists what to know.
    """

    image: SkyImage
    uncertainty: NDArray[np.float32] | None = None
    doubt: NDArray[np.float32] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)


class Restorer(Protocol):
    """From a degraded image to a restored one.

    What is to be undone is the ``blur``, or follows from ``psf`` and ``target``; each is a kernel
    in the image's pixels or the FWHM of a Gaussian in arcsec, see `pellucid.optics.blur_of`.
    """

    @property
    def name(self) -> str: ...

    def __call__(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Restoration: ...


def bad_pixels(image: SkyImage) -> NDArray[np.bool_]:
    bad = ~np.isfinite(image.flux)
    return bad if image.mask is None else bad | image.mask


def with_restored(
    image: SkyImage, restored: NDArray[np.float32], bad: NDArray[np.bool_]
) -> SkyImage:
    """Masked pixels keep their input value, NaN stays NaN."""
    return image.with_flux(np.where(bad, image.flux, restored))
