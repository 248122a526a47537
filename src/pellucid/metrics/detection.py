"""Which sources a restoration shows: those of the truth, those it lost, those it invented."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.metrics.psnr import check_pair
from pellucid.optics.inpaint import filled
from pellucid.sky.background import Background, robust_background
from pellucid.sky.psf import FWHM_PER_SIGMA

#: A Gaussian source's share of light above the threshold is 1 + c₁r + c₂r² to 1 %, with r the
#: threshold times the area over the light found there (SExtractor's FLUX_ISOCOR).
_ISOPHOTE = (-0.196099, -0.751208)
#: Sub-objects that the deblending of one source may hold; sep's own 1024 is too few for noise.
_SUB_OBJECTS = 32768


@dataclass(frozen=True, eq=False)
class Sources:
    """The sources of one plane, one entry each, brightest first.

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
    noise: float | None = None,
    min_area: int = 5,
    fwhm: float = 3.0,
    contrast: float = 0.005,
) -> Sources:
    """Connected pixels above one surface brightness, after a matched filter, with blends split.

    The plane is smoothed with a Gaussian and cut at ``threshold``; a region falls into several
    sources where, at a higher level, branches of it each hold ``contrast`` of its flux.

    Parameters
    ----------
    flux
        Shape (y, x), above the sky, any unit. Where pixels are not finite nothing is found.
    threshold
        Least flux of a pixel of the smoothed plane; in units of ``noise`` where that is given.
    noise
        Standard deviation of a sky pixel of the smoothed plane, in the flux's unit.
    min_area
        Least number of pixels above the threshold.
    fwhm
        Of the filter, pixels: that of the narrowest source which counts. 0 does not smooth.
    contrast
        Share of a blend's flux from which on a clump is a source of its own; 1 splits nothing.
        The default is SExtractor's.

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
    cut = threshold if noise is None else threshold * noise
    if not (np.isfinite(cut) and cut > 0):
        raise InputError(f"a detection threshold of {cut}; it must be positive")
    smooth = smoothed(flux, fwhm)
    # Buffers of the library as a whole: only ever enlarged.
    sep.set_extract_pixstack(max(sep.get_extract_pixstack(), smooth.size))
    sep.set_sub_object_limit(max(sep.get_sub_object_limit(), _SUB_OBJECTS))
    try:
        found, segments = sep.extract(
            smooth,
            cut,
            mask=np.ascontiguousarray(~np.isfinite(flux)),
            minarea=min_area,
            filter_kernel=None,
            deblend_cont=contrast,
            segmentation_map=True,
        )
    except Exception as error:  # sep has no class of its own for a full buffer
        if "limit of" not in str(error):
            raise
        raise InputError(
            f"a detection threshold of {cut:.3g} gives more sources than can be told apart "
            f"({error}); raise it"
        ) from error
    share = np.clip(cut * found["npix"] / found["flux"], 0.0, 1.0)
    total = found["flux"] / (1.0 + _ISOPHOTE[0] * share + _ISOPHOTE[1] * share**2)
    order = np.argsort(-total, kind="stable")
    rank = np.zeros(len(found) + 1, dtype=np.int32)
    rank[order + 1] = np.arange(1, len(found) + 1)
    x, y, a, b, theta = (found[name][order] for name in ("x", "y", "a", "b", "theta"))
    return Sources(x, y, total[order], a, b, theta, rank[segments])


def match_sources(
    truth: Sources, restored: Sources, radius: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of sources at one place, each source in one pair at most.

    Of all assignments the one is taken in which Σ min(d², r²) over the pairs is least: two
    sources that coincide stay together even where parting them would make two loose pairs.

    Parameters
    ----------
    truth, restored
        A few thousand sources at most; the table of all distances is held in memory.
    radius
        Largest distance r of a pair, pixels.

    Returns
    -------
    tuple
        Index into ``truth`` and index into ``restored``, shape (pair,) each.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    places = [np.column_stack([sources.y, sources.x]) for sources in (truth, restored)]
    distance2 = cdist(places[0], places[1], "sqeuclidean")
    first, second = linear_sum_assignment(np.minimum(distance2, radius**2))
    near = distance2[first, second] <= radius**2
    return first[near], second[near]


def compare_sources(
    truth: NDArray[np.floating],
    restored: NDArray[np.floating],
    fwhm: float = 3.0,
    sigmas: float = 5.0,
    limit: float = 0.0,
    radius: float | None = None,
    min_area: int = 5,
    contrast: float = 0.005,
) -> dict[str, float]:
    """Count the truth's sources that a restoration shows, loses and adds.

    One surface brightness cuts both images: ``sigmas`` times the sky noise of the *truth* after
    the filter. Cut at its own noise instead, a smooth restoration would show its faintest ripple
    as a source, and a noisy one would be forgiven what its noise makes up.

    Only sources brighter than ``limit`` are counted, but a source may find its partner among all
    that are detected. So one that is slightly fainter in one of the images is no error, and none
    is expected to show what a blurred exposure cannot know (see `point_source_limit`).

    Parameters
    ----------
    truth, restored
        Shape (y, x), one unit and one grid; each is taken above its own sky. Pixels that are not
        finite in either take no part.
    fwhm
        Of the filter, pixels: that of a point source in the truth.
    sigmas
        Detection threshold in standard deviations of the truth's smoothed sky. A truth without
        noise is given a thousandth of its smoothed peak.
    limit
        Least flux of a source that counts, in the images' unit; 0 counts all that are detected.
    radius
        Of a match, pixels; None takes ``fwhm``, within which two sources cannot be told apart.
    min_area, contrast
        As `detect`.

    Returns
    -------
    dict
        Numbers of sources: ``truth``, ``restored``, ``matched`` (of the truth's, those that have
        a partner), ``missed`` (truth − matched), ``ghosts`` (of the restoration's, those that
        have none); ``completeness`` = matched / truth, NaN for a truth without sources;
        ``purity`` = 1 − ghosts / restored, which is matched / restored where ``limit`` is 0, NaN
        for a restoration without sources.

    Raises
    ------
    InputError
        When shapes disagree, no pixel is finite in both, or as `detect`.
    """
    check_plane(truth)
    check_pair(truth, restored)
    holes = ~(np.isfinite(truth) & np.isfinite(restored))
    planes = [np.where(holes, np.nan, flux) for flux in (truth, restored)]
    skies = [smoothed_sky(plane, fwhm) for plane in planes]
    noise = skies[0].sigma or 1e-3 * float(np.max(smoothed(planes[0] - skies[0].sky[0], fwhm)))
    if not noise > 0:
        raise InputError(
            "the truth is constant: it has neither sources nor noise to detect them by"
        )
    expected, found = (
        detect(plane - sky.sky[0], sigmas, noise, min_area, fwhm, contrast)
        for plane, sky in zip(planes, skies, strict=True)
    )
    pairs = match_sources(expected, found, fwhm if radius is None else radius)
    truths, missed = _counted(expected, pairs[0], limit)
    sources, ghosts = _counted(found, pairs[1], limit)
    return {
        "truth": truths,
        "restored": sources,
        "matched": truths - missed,
        "missed": missed,
        "ghosts": ghosts,
        "completeness": (truths - missed) / truths if truths else float("nan"),
        "purity": (sources - ghosts) / sources if sources else float("nan"),
    }


def point_source_limit(flux: NDArray[np.floating], fwhm: float, sigmas: float = 5.0) -> float:
    """Flux of a point source that stands ``sigmas`` above the noise of a matched filter.

    F = k σ 4π s² for a Gaussian of s = fwhm / 2.355 in a plane whose smoothed sky has the
    standard deviation σ. Of a blurred exposure on the truth's grid and in its unit, this is the
    ``limit`` down to which its restoration can be asked for sources.

    Parameters
    ----------
    flux
        Shape (y, x), any unit.
    fwhm
        Of a point source in it, pixels.
    sigmas
        k, in standard deviations.

    Returns
    -------
    float
        In the plane's unit.
    """
    check_plane(flux)
    noise = smoothed_sky(flux, fwhm).sigma
    return float(sigmas * noise * 4.0 * np.pi * (fwhm / FWHM_PER_SIGMA) ** 2)


def smoothed(flux: NDArray[np.floating], fwhm: float) -> NDArray[np.float64]:
    """The plane behind a Gaussian, its holes filled; beyond the edge there is no light.

    Parameters
    ----------
    flux
        Shape (y, x), above the sky.
    fwhm
        Pixels.
    """
    from scipy.ndimage import gaussian_filter

    plane = filled(flux[None])[0].astype(np.float64)
    return gaussian_filter(plane, fwhm / FWHM_PER_SIGMA, mode="constant")


def smoothed_sky(flux: NDArray[np.floating], fwhm: float) -> Background:
    """The level of the sky, and its noise behind the filter: neighbouring pixels may share noise.

    Parameters
    ----------
    flux
        Shape (y, x).
    fwhm
        Pixels.
    """
    level = robust_background(flux[None]).sky
    smooth = np.where(np.isfinite(flux), smoothed(flux - level[0], fwhm), np.nan)
    return Background(level, robust_background(smooth[None]).sigma)


def check_plane(flux: NDArray[np.floating]) -> None:
    """Refuse what is not one plane.

    Raises
    ------
    InputError
        When the flux has not two axes.
    """
    if flux.ndim != 2:
        raise InputError(
            f"sources are looked for in one plane (y, x), and this flux has shape {flux.shape}; "
            "choose a band or average them first"
        )


def _counted(sources: Sources, partnered: NDArray[np.intp], limit: float) -> tuple[int, int]:
    """How many sources are brighter than the limit, and how many of those have no partner."""
    bright = sources.flux >= limit
    alone = bright.copy()
    alone[partnered] = False
    return int(np.count_nonzero(bright)), int(np.count_nonzero(alone))
