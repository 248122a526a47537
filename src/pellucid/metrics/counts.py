"""Which sources a restoration shows: those of the truth, those it lost, those it invented."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.metrics.comparison import Comparison, check_pair
from pellucid.sky.background import background_of
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import FWHM_PER_SIGMA, PSF
from pellucid.sources import Sources, check_plane, detect, smoothed, smoothed_sky

#: FWHM in pixels of a point source in a truth whose PSF is unknown.
FWHM = 3.0
#: A point source counts from so many standard deviations in the blurred image.
SIGMAS = 5.0


def measure_sources(pair: Comparison) -> dict[str, float]:
    """What `compare_sources` counts down to the `source_limit` of the blurred image, bands
    averaged: ``sources_truth``, ``sources_ghosts`` …"""
    truth, restored = (image.flux.mean(axis=0) for image in (pair.truth, pair.restored))
    psf, scale = pair.truth.psf, pair.truth.pixel_scale
    fwhm = psf.fwhm / scale if isinstance(psf, PSF) and scale else FWHM
    limit = 0.0 if pair.blurred is None else source_limit(pair.blurred, pair.blurred_scale)
    counts = compare_sources(truth, restored, fwhm=fwhm, limit=limit)
    return {f"sources_{name}": value for name, value in counts.items()}


def compare_sources(
    truth: NDArray[np.floating],
    restored: NDArray[np.floating],
    fwhm: float = FWHM,
    sigmas: float = 5.0,
    limit: float = 0.0,
) -> dict[str, float]:
    """Count the truth's sources that a restoration shows, loses and adds.

    One surface brightness cuts both images: ``sigmas`` times the sky noise of the *truth* after
    the filter. Cut at its own noise instead, a smooth restoration would show its faintest ripple
    as a source, and a noisy one would be forgiven what its noise makes up.

    Only sources brighter than ``limit`` are counted, but a source may find its partner among all
    that are detected. So one that is slightly fainter in one of the images is no error, and none
    is expected to show what a blurred exposure cannot know (see `source_limit`).

    Parameters
    ----------
    truth, restored
        Shape (y, x), one unit and one grid; each is taken above its own sky. Pixels that are not
        finite in either take no part.
    fwhm
        Of the filter, pixels: that of a point source in the truth. A source finds its partner
        within it, for two that are nearer cannot be told apart.
    sigmas
        Detection threshold in standard deviations of the truth's smoothed sky. A truth without
        noise is given a thousandth of its smoothed peak.
    limit
        Least flux of a source that counts, in the images' unit; 0 counts all that are detected.

    Returns
    -------
    dict
        Numbers of sources: ``truth``, ``restored``, ``matched`` (of the truth's, those that have
        a partner), ``missed`` (truth − matched), ``ghosts`` (of the restoration's, those that
        have none); ``completeness`` = matched / truth, NaN for a truth without sources;
        ``purity`` = 1 − ghosts / restored, which is matched / restored where ``limit`` is 0, NaN
        for a restoration without sources.

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
        detect(plane - sky.sky[0], sigmas, noise, fwhm=fwhm)
        for plane, sky in zip(planes, skies, strict=True)
    )
    pairs = match_sources(expected, found, fwhm)
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


def source_limit(blurred: SkyImage, own_scale: float | None = None) -> float:
    """Flux of a point source at 5 σ in the blurred image's own pixels, k σ 2√π s.

    The image is on the truth's grid and in its unit, with its noise; where its PSF is unknown the
    limit is 0 and every source counts. ``own_scale`` is the camera's, in arcsec per pixel; None
    counts its noise as white on the grid.
    """
    if not isinstance(blurred.psf, PSF) or blurred.pixel_scale is None:
        return 0.0
    own = own_scale or blurred.pixel_scale
    noise = background_of(blurred).sigma * (own / blurred.pixel_scale) ** 2
    return SIGMAS * noise * 2.0 * np.sqrt(np.pi) * blurred.psf.fwhm / FWHM_PER_SIGMA / own


def match_sources(
    truth: Sources, restored: Sources, radius: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of sources within a radius r in pixels, each source in one pair at most.

    Of all assignments the one is taken in which Σ min(d², r²) over the pairs is least: two
    sources that coincide stay together even where parting them would make two loose pairs. The
    table of all distances is held in memory, so a few thousand sources are the most. Returned are
    the indices into ``truth`` and into ``restored``, shape (pair,) each.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    places = [np.column_stack([sources.y, sources.x]) for sources in (truth, restored)]
    distance2 = cdist(places[0], places[1], "sqeuclidean")
    first, second = linear_sum_assignment(np.minimum(distance2, radius**2))
    near = distance2[first, second] <= radius**2
    return first[near], second[near]


def _counted(sources: Sources, partnered: NDArray[np.intp], limit: float) -> tuple[int, int]:
    """How many sources are brighter than the limit, and how many of those have no partner."""
    bright = sources.flux >= limit
    alone = bright.copy()
    alone[partnered] = False
    return int(np.count_nonzero(bright)), int(np.count_nonzero(alone))
