"""Point spread functions: one stamp a band, each summing to one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.errors import InputError
from pellucid.sky.band_names import find_bands

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
#: Samples of the spline along which a half maximum is looked for, a pixel.
FINER = 4
#: A half maximum lies where the stamp is above this share of its peak, or so many pixels beside.
CORE, BESIDE = 0.25, 16
#: Pixels that this may span at most.
WIDEST = 1001
#: FWHM of bands that differ by less than this factor are one.
ALIKE = 1.01


@dataclass(frozen=True, eq=False)
class PSF:
    """The image of a point source.

    Parameters
    ----------
    stamps
        Shape (band, y, x) or (y, x), odd sides, peak or centroid in the middle; normalised to
        sum 1. One band serves an image of any number of bands.
    pixel_scale
        Arcsec per pixel.
    bands
        Of which bands the stamps are, where that is known.
    origin
        Where it comes from, e.g. ``"SEEING card"``.
    notes
        What was guessed on the way.
    elsewhere
        Of one that varies over an image: what it is at another place (y, x), in pixels of that
        image, the first of which is 0. The stamps are those of the middle.

    Raises
    ------
    InputError
        When a stamp is not finite, negative beyond noise, empty, or off-centre.
    """

    stamps: NDArray[np.floating]
    pixel_scale: float
    bands: tuple[str, ...] = ()
    origin: str = ""
    notes: tuple[str, ...] = ()
    elsewhere: Callable[[float, float], PSF] | None = None

    def __post_init__(self) -> None:
        stamps = np.asarray(self.stamps, dtype=np.float64)
        if stamps.ndim == 2:
            stamps = stamps[None]
        if stamps.ndim != 3:
            raise InputError("a PSF stamp must have two axes")
        for stamp in stamps:
            _check_stamp(stamp)
        if not self.pixel_scale > 0:
            raise InputError(f"the PSF's pixel scale is {self.pixel_scale}; it must be positive")
        stamps = stamps / stamps.sum(axis=(1, 2), keepdims=True)
        object.__setattr__(self, "stamps", stamps.astype(np.float32))

    @cached_property
    def fwhm(self) -> float:
        """Full width at half maximum in arcsec, mean over bands."""
        return float(np.mean([stamp_fwhm(stamp) for stamp in self.stamps])) * self.pixel_scale

    def for_bands(self, count: int) -> NDArray[np.floating]:
        """Stamps for ``count`` bands, shape (count, y, x); a PSF of one band serves them all."""
        if len(self.stamps) not in (1, count):
            raise InputError(f"the PSF has {len(self.stamps)} bands, the image has {count}")
        return np.broadcast_to(self.stamps, (count, *self.stamps.shape[1:]))


def width_in_words(psf: PSF | float) -> str:
    """A FWHM in arcsec, and in which bands it is the least and the most where they differ."""
    if not isinstance(psf, PSF):
        return f'{psf:.2f}"'
    widths = widths_of(psf)
    least, most = (
        f'{widths[band]:.2f}" in {psf.bands[band] if psf.bands else f"band{band + 1}"}'
        for band in (int(np.argmin(widths)), int(np.argmax(widths)))
    )
    alike = max(widths) < ALIKE * min(widths)
    return f'{psf.fwhm:.2f}"' + ("" if alike else f" ({least} to {most})")


def stacked(planes: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """Stamps of odd sides as one cube, the smaller ones widened by zeros around them."""
    side = [max(plane.shape[axis] for plane in planes) for axis in (0, 1)]
    margins = [
        [(full - length) // 2 for full, length in zip(side, plane.shape, strict=True)]
        for plane in planes
    ]
    return np.stack(
        [
            np.pad(plane / plane.sum(), [(rows, rows), (columns, columns)])
            for plane, (rows, columns) in zip(planes, margins, strict=True)
        ]
    )


def pick_bands(psf: PSF, wanted: Sequence[str]) -> PSF:
    """The stamps of these bands, in their order; all of them where neither says which is which.

    Raises
    ------
    InputError
        When the PSF has other bands, or more than there are and no names.
    """
    count = len(psf.stamps)
    if count == 1 or psf.bands == tuple(wanted):
        return psf
    order = find_bands(wanted, psf.bands)
    if order is not None:
        return replace(psf, stamps=psf.stamps[order], bands=tuple(wanted))
    if count == len(wanted):
        if psf.bands and not all(name.lower().startswith("band") for name in wanted):
            note = f"PSFs of {', '.join(psf.bands)} were taken for {', '.join(wanted)}, in turn"
            return replace(psf, bands=tuple(wanted), notes=(*psf.notes, note))
        return psf
    said = f"of bands {', '.join(psf.bands)}" if psf.bands else "without names"
    raise InputError(
        f"it holds {count} PSFs {said}, the image has {', '.join(wanted)}; name the image's bands "
        "with --bands, or the PSF's with BAND1… cards"
    )


def gaussian_psf(fwhm: float, pixel_scale: float, truncate: float = 5.0) -> PSF:
    """A round Gaussian, sampled at pixel centres.

    Parameters
    ----------
    fwhm
        Arcsec.
    pixel_scale
        Arcsec per pixel.
    truncate
        Half-width of the stamp in standard deviations. MATLAB's ``imgaussfilt``, with which
        GalaxyGAN's authors blurred, cuts at 2.
    """
    _check_fwhm(fwhm)
    sigma = fwhm / pixel_scale / FWHM_PER_SIGMA
    offset = _offsets(int(np.ceil(truncate * sigma)))
    profile = np.exp(-0.5 * (offset / sigma) ** 2)
    return PSF(np.outer(profile, profile), pixel_scale)


def moffat_psf(fwhm: float, pixel_scale: float, beta: float = 3.0) -> PSF:
    """A round Moffat profile, (1 + r²/α²)^−β (Moffat 1969, A&A 3, 455), out to 6 FWHM.

    Parameters
    ----------
    fwhm
        Arcsec.
    pixel_scale
        Arcsec per pixel.
    beta
        Slope of the wings, above 1; atmospheric seeing has 2.5 to 4.8.
    """
    _check_fwhm(fwhm)
    if beta <= 1:
        raise InputError(
            f"a Moffat profile with beta {beta} has no finite flux; beta must exceed 1"
        )
    alpha = fwhm / pixel_scale / (2.0 * np.sqrt(2.0 ** (1.0 / beta) - 1.0))
    offset = _offsets(int(np.ceil(6.0 * fwhm / pixel_scale)))
    radius2 = offset[:, None] ** 2 + offset[None, :] ** 2
    return PSF((1.0 + radius2 / alpha**2) ** -beta, pixel_scale)


def stamp_fwhm(stamp: ArrayLike) -> float:
    """Full width at half maximum of one stamp, in pixels.

    The half-maximum contour's area A gives 2√(A/π): the FWHM of a round profile, the geometric
    mean of both widths of an elongated one.

    Raises
    ------
    InputError
        When nothing stands out.
    """
    from skimage.measure import find_contours

    stamp = np.asarray(stamp, dtype=np.float64)
    above = np.nonzero(stamp > CORE * stamp.max())
    if above[0].size:  # what lies further out has no say in where the half is
        around = (slice(max(at.min() - BESIDE, 0), at.max() + BESIDE + 1) for at in above)
        stamp = stamp[tuple(around)]
    if max(stamp.shape) > WIDEST:
        raise InputError(
            f"the PSF's core spans {max(stamp.shape)} pixels; is it a picture of the sky? A PSF "
            "shows one star"
        )
    padded = np.pad(stamp, 1)
    rows, columns = (_finer(side) for side in padded.shape)
    fine = rows @ padded @ columns.T
    contours = find_contours(fine, 0.5 * fine.max())
    if not contours:
        raise InputError("the PSF has no core that half of its peak surrounds")
    contour = max(contours, key=len)
    y, x = contour[:, 0], contour[:, 1]
    area = 0.5 * abs(np.dot(y[:-1], x[1:]) - np.dot(x[:-1], y[1:])) / FINER**2
    return float(2.0 * np.sqrt(area / np.pi))


def widths_of(psf: PSF) -> list[float]:
    """FWHM in arcsec of each band's stamp, or of the one of all."""
    return [stamp_fwhm(stamp) * psf.pixel_scale for stamp in psf.stamps]


@lru_cache(maxsize=64)
def _finer(side: int) -> NDArray[np.float64]:
    """The cubic spline between so many samples as a matrix: a narrow core is not a polygon."""
    from scipy.ndimage import zoom

    fine = [
        np.asarray(zoom(one, FINER, order=3, grid_mode=True, mode="grid-constant"))
        for one in np.eye(side)
    ]
    return np.stack(fine, axis=1)


def _check_stamp(stamp: NDArray[np.float64]) -> None:
    """Refuse a stamp with which no image can be made."""
    if not np.isfinite(stamp).all():
        raise InputError("the PSF has pixels that are not finite")
    height, width = stamp.shape
    if height % 2 == 0 or width % 2 == 0:
        raise InputError(f"the PSF stamp is {height}×{width}; odd sides are needed for a centre")
    peak = stamp.max()
    if peak <= 0 or stamp.sum() <= 0:
        raise InputError("the PSF holds no flux")
    # Measured PSFs carry noise around zero; a tenth of the peak is no noise.
    if stamp.min() < -0.1 * peak:
        raise InputError(f"the PSF is negative (down to {stamp.min() / peak:.0%} of its peak)")
    row, column = np.unravel_index(int(stamp.argmax()), stamp.shape)
    middle = np.array([height // 2, width // 2])
    # A broad kernel may peak anywhere in its core, and a double one beside its middle.
    light = np.maximum(stamp, 0.0)
    centroid = np.array(
        [light.sum(axis=1) @ np.arange(height), light.sum(axis=0) @ np.arange(width)]
    )
    centroid /= light.sum()
    if all(np.abs(place - middle).max() > 1 for place in ((row, column), centroid)):
        raise InputError(
            f"the PSF's peak is at pixel ({row}, {column}), off the centre "
            f"({height // 2}, {width // 2}) of its stamp"
        )


def _check_fwhm(fwhm: float) -> None:
    if not 0 < fwhm < np.inf:
        raise InputError(f"a FWHM of {fwhm} arcsec; it must be positive")


def _offsets(radius: int) -> NDArray[np.float64]:
    return np.arange(-radius, radius + 1, dtype=np.float64)
