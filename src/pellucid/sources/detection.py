"""Sources found in a plane by sep, SExtractor as a library: a catalogue and whose each pixel is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.sky.background import Background, robust_background
from pellucid.sky.inpaint import filled
from pellucid.sky.psf import FWHM_PER_SIGMA

#: A Gaussian source's share of light above the threshold is 1 + c₁r + c₂r² to 1 %, with r the
#: threshold times the area over the light found there (SExtractor's FLUX_ISOCOR).
_ISOPHOTE = (-0.196099, -0.751208)
#: What SExtractor smooths with unless it is told otherwise.
_KERNEL = np.outer([1.0, 2.0, 1.0], [1.0, 2.0, 1.0])
#: No source is brighter, in units of the threshold, and no number in any unit.
_BRIGHTEST, _LARGEST = 1e18, 1e36
#: Sub-objects that the deblending of one source may hold; sep's own 1024 is too few for noise.
_SUB_OBJECTS = 32768


@dataclass(frozen=True, eq=False)
class Sources:
    """The sources of one plane, one entry each, in sep's order.

    Parameters
    ----------
    x, y
        Barycentre in pixels, shape (source,); (0, 0) is the middle of the first pixel.
    flux
        In the plane's unit: the light above the threshold, completed by what a Gaussian source
        has below it.
    a, b
        Standard deviations along the major and the minor axis, in pixels.
    theta
        Of the major axis from x to y, radians in [−π/2, π/2].
    segments
        Shape (y, x); k + 1 on the pixels of source k, 0 on the sky.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    theta: NDArray[np.float64]
    segments: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.x)


def detect(
    flux: NDArray[np.floating],
    threshold: float,
    noise: float | NDArray[np.floating] = 1.0,
    min_area: int = 5,
    fwhm: float | None = 3.0,
    contrast: float = 0.005,
    clean: bool = True,
) -> Sources:
    """Connected pixels above one surface brightness, after a matched filter, with blends split.

    The plane is smoothed and cut at ``threshold``; a region falls into several sources where, at
    a higher level, branches of it each hold ``contrast`` of its flux.

    Parameters
    ----------
    flux
        Shape (y, x), above the sky, any unit. Where pixels are not finite, or beyond 10¹⁸ times
        the threshold, nothing is found.
    threshold
        Least flux of a pixel of the smoothed plane, in units of ``noise``.
    noise
        In the flux's unit, such as the standard deviation of a sky pixel of the smoothed plane; of
        each pixel where the threshold shall vary.
    min_area
        Least number of pixels above the threshold.
    fwhm
        Of a Gaussian filter, pixels: that of the narrowest source which counts. 0 does not
        smooth; None takes the mean over 3×3 pixels that is SExtractor's default.
    contrast
        Share of a blend's flux from which on a clump is a source of its own; 1 splits nothing.
        The default is SExtractor's.
    clean
        Drop what would not stand above the threshold without the wings of a brighter source.

    Raises
    ------
    InputError
        When the flux is no plane, or the threshold is so low that noise fills the plane.

    References
    ----------
    Bertin & Arnouts 1996, A&AS 117, 393, doi:10.1051/aas:1996164
    Barbary 2016, JOSS 1, 58, doi:10.21105/joss.00058
    """
    import sep

    check_plane(flux)
    cut = threshold * noise
    if not (np.isfinite(cut) & (np.asarray(cut) > 0)).all():
        raise InputError(f"a detection threshold of {np.min(cut)}; it must be positive")
    flux = np.ascontiguousarray(flux)  # as sep asks for it
    # Where sums of squares overflow, sep writes outside of its arrays.
    holes = ~(np.abs(flux) <= min(_BRIGHTEST * float(np.max(cut)), _LARGEST))
    flux = np.where(holes, np.nan, flux) if holes.any() else flux
    if fwhm is None:
        plane, kernel = np.where(holes, 0.0, flux).astype(np.float64), _KERNEL
    else:
        plane, kernel = smoothed(flux, fwhm), None
    # Buffers of the library as a whole: only ever enlarged.
    sep.set_extract_pixstack(max(sep.get_extract_pixstack(), plane.size))
    sep.set_sub_object_limit(max(sep.get_sub_object_limit(), _SUB_OBJECTS))
    try:
        found, segments = sep.extract(
            plane,
            threshold if np.ndim(noise) else cut,
            err=noise if np.ndim(noise) else None,
            mask=holes,
            minarea=min_area,
            filter_kernel=kernel,
            deblend_cont=contrast,
            clean=clean,
            segmentation_map=True,
        )
    except Exception as error:  # sep has no class of its own for a full buffer
        if "limit of" not in str(error):
            raise
        raise InputError(
            f"cut at {np.min(cut):.3g} it shows more sources than can be told apart ({error}); "
            "raise the threshold"
        ) from error
    light = found["cflux"]
    own = cut[found["ypeak"], found["xpeak"]] if isinstance(cut, np.ndarray) else cut
    share = np.clip(own * found["npix"] / light, 0.0, 1.0)
    light = light / (1.0 + _ISOPHOTE[0] * share + _ISOPHOTE[1] * share**2)
    return Sources(found["x"], found["y"], light, found["a"], found["b"], found["theta"], segments)


def smoothed(flux: NDArray[np.floating], fwhm: float) -> NDArray[np.float64]:
    """The plane (y, x) behind a Gaussian of ``fwhm`` pixels, its holes filled.

    It is above the sky: beyond the edge there is no light.
    """
    from scipy.ndimage import gaussian_filter

    plane = filled(flux[None])[0].astype(np.float64)
    return gaussian_filter(plane, fwhm / FWHM_PER_SIGMA, mode="constant")


def smoothed_sky(flux: NDArray[np.floating], fwhm: float) -> Background:
    """The level of the sky of a plane (y, x), and its noise behind `smoothed`'s filter.

    Neighbouring pixels may share noise.
    """
    level = robust_background(flux[None]).sky
    smooth = np.where(np.isfinite(flux), smoothed(flux - level[0], fwhm), np.nan)
    return Background(level, robust_background(smooth[None]).sigma)


def check_plane(flux: NDArray[np.floating]) -> None:
    """Refuse what is not one plane."""
    if flux.ndim != 2:
        raise InputError(
            f"sources are looked for in one plane (y, x), and this flux has shape {flux.shape}; "
            "choose a band or average them first"
        )
