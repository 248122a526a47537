"""The structure of one galaxy, free of any model, and what a restoration makes of it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.metrics.comparison import Comparison, check_pair
from pellucid.optics import regrid
from pellucid.quiet import quiet
from pellucid.sky.background import robust_background
from pellucid.sky.image import SkyImage
from pellucid.sky.inpaint import filled
from pellucid.sources import check_plane, detect, smoothed, smoothed_sky

#: Surface brightness of a segment's outermost pixels in units of the noise, behind a Gaussian of
#: this FWHM in pixels; a neighbour holds more than this share of the light it has with the galaxy,
#: a knot of star formation less.
SIGMAS, FWHM, CONTRAST = 1.5, 3.0, 0.05
#: Arcsec per pixel in which shapes are measured at the finest: finer takes long and says no more.
FINEST_SCALE = 0.042

#: The numbers of `morphology`, each with the attribute of statmorph that it is.
STATISTICS = {
    "half_light_radius": "rhalf_ellip",
    "ellipticity": "ellipticity_asymmetry",
    "concentration": "concentration",
    "gini": "gini",
    "m20": "m20",
    "reach": "rmax_ellip",
}
#: What ``flag`` means; the first four are statmorph's own.
BAD, NOT_MEASURED, NO_SOURCE = 2, 4, 5
FLAGS = {0: "good", 1: "suspect", BAD: "bad", NOT_MEASURED: "nothing could be measured"}
FLAGS |= {NO_SOURCE: "no source at the centre"}
#: statmorph's number for what it could not measure.
_INVALID = -99.0


def measure_morphology(pair: Comparison) -> dict[str, float]:
    """`morphology_errors` of the galaxy at the centre, bands averaged."""
    return morphology_errors(_plane(pair.truth), _plane(pair.restored))


def central_segment(flux: NDArray[np.floating]) -> NDArray[np.int32] | None:
    """The pixels of the galaxy at the centre, and those of its neighbours.

    Parameters
    ----------
    flux
        Shape (y, x), any unit; it is taken above its own sky. A plane without noise is given a
        thousandth of its peak.

    Returns
    -------
    array or None
        Shape (y, x): 1 on the galaxy, 2 on its neighbours, 0 on the sky; None where nothing
        stands within `FWHM` of the centre.
    """
    check_plane(flux)
    sky = smoothed_sky(flux, FWHM)
    plane = flux - sky.sky[0]
    peak = float(smoothed(plane, FWHM).max())
    noise = sky.sigma or 1e-3 * peak
    if not peak > SIGMAS * noise > 0:
        return None
    found = detect(plane, SIGMAS, noise, fwhm=FWHM, contrast=CONTRAST).segments
    height, width = plane.shape
    y, x = np.ogrid[:height, :width]
    distance = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2)
    distance[found == 0] = np.inf
    if not distance.min() <= FWHM:
        return None
    chosen = found.flat[int(distance.argmin())]
    return np.where(found == chosen, 1, 2 * (found > 0)).astype(np.int32)


def morphology(
    flux: NDArray[np.floating],
    segment: NDArray[np.int32] | None = None,
    reach: float | None = None,
) -> dict[str, float]:
    """Size, shape and distribution of the light of the galaxy at the centre.

    Parameters
    ----------
    flux
        Shape (y, x), any unit; it is taken above its own sky, measured outside the segments.
        Pixels that are not finite take no part.
    segment
        Shape (y, x), as `central_segment`, which finds it where it is None.
    reach
        Semi-major axis of the ellipse that holds all of the galaxy's light, pixels; None takes
        the furthest pixel that stands 1 standard deviation above the sky.

    Returns
    -------
    dict
        ``half_light_radius`` (semi-major axis of the ellipse with half of the light within
        ``reach``, pixels), ``ellipticity`` (1 − b/a, from second moments over the segment),
        ``concentration`` (5 log₁₀ r₈₀/r₂₀), ``gini``, ``m20``, ``reach`` (pixels), and ``flag``,
        whose meaning is in `FLAGS`. What cannot be measured is NaN. It takes 0.1 to 1 second for
        images of 50 to 200 pixels a side, above 10 for 500.
        The numbers are statmorph's (see `STATISTICS`); the point spread function is in them.

    References
    ----------
    Rodriguez-Gomez et al. 2019, MNRAS 483, 4140, doi:10.1093/mnras/sty3345
    Lotz, Primack & Madau 2004, AJ 128, 163, doi:10.1086/421849
    """
    check_plane(flux)
    holes = ~np.isfinite(flux)
    plane = np.where(holes, np.nan, flux).astype(np.float64)
    if segment is None:
        segment = central_segment(plane)
    if segment is None or not (segment == 1).any():
        return _nothing(NO_SOURCE)
    plane -= robust_background(np.where(segment > 0, np.nan, plane)[None]).sky[0]
    source = _measured(filled(plane[None])[0].astype(np.float64), segment, holes, reach)
    if source is None:
        return _nothing(NOT_MEASURED)
    values = {name: float(getattr(source, theirs)) for name, theirs in STATISTICS.items()}
    values = {name: np.nan if value == _INVALID else value for name, value in values.items()}
    return {**values, "flag": source.measured_flag}


def morphology_errors(
    truth: NDArray[np.floating], restored: NDArray[np.floating]
) -> dict[str, float]:
    """What became of the structure of the galaxy at the centre.

    The truth's segments and its ``reach`` serve both images, so that one object is measured. A
    smooth restoration can be followed far out to where the truth is noise: with a reach of its own
    a perfect one would seem larger, by 10 % for a clear galaxy and 50 % for a faint one. What the
    truth's noise does to ``gini`` and ``m20`` stays in the differences: of clear galaxies some
    0.01 and 0.02.

    Parameters
    ----------
    truth, restored
        Shape (y, x), one unit and one grid. Pixels that are not finite in either take no part.

    Returns
    -------
    dict
        ``rhalf_ratio`` (half-light radius, restored over truth, 1 is right), and restored −
        truth of the others: ``ellipticity_difference``, ``concentration_difference``,
        ``gini_difference``, ``m20_difference``; ``morphology_flag`` is the graver of both flags,
        and where that is 2 or more the others are NaN: statmorph advises against their use.
    """
    check_pair(truth, restored)
    usable = np.isfinite(truth) & np.isfinite(restored)
    truth, restored = (np.where(usable, flux, np.nan) for flux in (truth, restored))
    segment = central_segment(truth)
    if segment is None:
        expected = found = _nothing(NO_SOURCE)
    else:
        expected = morphology(truth, segment)
        found = morphology(restored, segment, expected["reach"])
    flag = max(expected["flag"], found["flag"])
    if flag >= BAD:
        expected = found = _nothing(flag)
    size = expected["half_light_radius"]
    return {
        "rhalf_ratio": found["half_light_radius"] / size if size > 0 else float("nan"),
        **{
            f"{name}_difference": found[name] - expected[name]
            for name in ("ellipticity", "concentration", "gini", "m20")
        },
        "morphology_flag": flag,
    }


def _plane(image: SkyImage) -> NDArray[np.float32]:
    scale = image.pixel_scale
    coarse = regrid(image, FINEST_SCALE) if scale and scale < FINEST_SCALE else image
    return coarse.flux.mean(axis=0)


def _nothing(flag: float) -> dict[str, float]:
    return {**dict.fromkeys(STATISTICS, float("nan")), "flag": flag}


def _measured(
    plane: NDArray[np.float64],
    segment: NDArray[np.int32],
    holes: NDArray[np.bool_],
    reach: float | None,
) -> Any:
    """statmorph's object, None where it gives up."""
    # What it warns of is in its flag.
    with quiet(), np.errstate(all="ignore"):
        try:
            source = _statmorph()(plane, segment, holes, reach)
        except (AssertionError, ValueError, IndexError, RuntimeError, ZeroDivisionError):
            return None  # its checks of itself: the galaxy is none that it was made for
    return None if source.flag == NOT_MEASURED else source


@cache
def _statmorph() -> Any:
    import statmorph

    class Measured(statmorph.SourceMorphology):
        """statmorph without what is not asked for: its Sérsic fit takes most of its time."""

        def __init__(
            self,
            plane: NDArray[np.float64],
            segment: NDArray[np.int32],
            holes: NDArray[np.bool_],
            reach: float | None,
        ) -> None:
            self._reach = reach
            self.measured_flag = NOT_MEASURED
            # The gain serves the signal-to-noise ratio and the fit only. Outliers stay: a sharp
            # nucleus is one, and what a cosmic ray has hit belongs in the mask.
            super().__init__(plane, segment, 1, mask=holes, gain=1.0, n_sigma_outlier=0)

        def _calculate_morphology(self) -> None:
            if self._reach is not None:
                vars(self)["rmax_ellip"] = self._reach  # where a lazyproperty keeps its value
            for name in STATISTICS.values():
                getattr(self, name)
            # Before statmorph tests the sky's mean, a test that no noise-free image passes.
            self.measured_flag = self.flag

    return Measured
