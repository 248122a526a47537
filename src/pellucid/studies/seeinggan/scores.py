"""How near each restoration of each galaxy comes to what HST saw."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.pairs import PairStore
from pellucid.errors import InputError
from pellucid.metrics import CwSsimOptions, compare, cw_ssim, cw_ssim_printed
from pellucid.metrics.detection import compare_sources
from pellucid.metrics.morphology import morphology_errors
from pellucid.optics import regrid
from pellucid.sky import PSF, background_of
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import FWHM_PER_SIGMA
from pellucid.stretch import NoiseStretch
from pellucid.studies.seeinggan.comparison import Restore, inner

FILE = "scores.json"
#: Arcsec per pixel in which shapes are measured: finer takes long and says no more.
MORPHOLOGY_SCALE = 0.042
#: A point source counts from so many standard deviations in the blurred image.
SIGMAS = 5.0
#: FWHM of a point source in the sharp image where no PSF says so, arcsec.
SHARP_FWHM = 0.11

#: Galaxy to restorer to metric.
Scores = dict[str, dict[str, dict[str, float]]]


def score_galaxies(
    store: PairStore,
    places: Iterable[int],
    restorers: Mapping[str, Restore],
    margin: int,
    progress: Callable[[Iterable[Any], int], Iterable[Any]],
) -> Scores:
    """Score every restorer on each of a store's galaxies."""
    places = list(places)
    scores: Scores = {}
    for place in progress(places, len(places)):
        sharp, blurred = store.pair(place)
        truth = inner(sharp, margin)
        limit = source_limit(blurred, store.blurred_scale)
        scores[store.ids[place]] = {
            name: score(truth, inner(restore(blurred), margin), limit)
            for name, restore in restorers.items()
        }
    return scores


def score(truth: SkyImage, restored: SkyImage, limit: float) -> dict[str, float]:
    """All numbers of one galaxy, one band.

    Beside `compare`'s: CW-SSIM over all scales and as the paper prints it, what `compare_sources`
    counts down to ``limit``, and `morphology_errors`.
    """
    sky = background_of(truth)
    expected, found = (NoiseStretch().forward(each.flux, sky) for each in (truth, restored))
    sharp_fwhm = truth.psf.fwhm if isinstance(truth.psf, PSF) else SHARP_FWHM
    assert truth.pixel_scale is not None
    planes = [each.flux[0] for each in (truth, restored)]
    coarse = [regrid(each, MORPHOLOGY_SCALE).flux[0] for each in (truth, restored)]
    return {
        **compare(truth, restored, NoiseStretch()),
        "cw_ssim_all_scales": float(cw_ssim(expected, found, CwSsimOptions(scales="all"))[0]),
        "cw_ssim_printed": float(cw_ssim_printed(expected, found)[0]),
        **{
            f"sources_{name}": value
            for name, value in compare_sources(
                *planes, fwhm=sharp_fwhm / truth.pixel_scale, limit=limit
            ).items()
        },
        **morphology_errors(*coarse),
    }


def source_limit(blurred: SkyImage, own_scale: float | None) -> float:
    """Flux of a point source at 5 σ in the blurred image's own pixels, k σ 2√π s.

    Parameters
    ----------
    blurred
        On the common grid, with its noise and PSF.
    own_scale
        Arcsec per pixel of the camera; None counts its noise as white on the grid.

    Returns
    -------
    float
        0 where the PSF is unknown: then every source counts.
    """
    if not isinstance(blurred.psf, PSF) or blurred.pixel_scale is None:
        return 0.0
    own = own_scale or blurred.pixel_scale
    noise = background_of(blurred).sigma * (own / blurred.pixel_scale) ** 2
    return SIGMAS * noise * 2.0 * np.sqrt(np.pi) * blurred.psf.fwhm / FWHM_PER_SIGMA / own


def read_scores(folder: Path) -> tuple[Scores, dict[str, Any]]:
    """The scores of a finished study, and what was chosen for them.

    Raises
    ------
    InputError
        When the file is missing or damaged.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text())
        scores = {
            name: {
                restorer: {
                    key: float("nan") if value is None else value for key, value in row.items()
                }
                for restorer, row in rows.items()
            }
            for name, rows in content["scores"].items()
        }
        return scores, content["settings"]
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: is damaged ({error}); delete it, and --resume") from error


def to_json(scores: Scores, settings: Mapping[str, Any]) -> str:
    """The scores as `read_scores` takes them; what is not finite is null."""
    content = {
        name: {
            restorer: {key: value if np.isfinite(value) else None for key, value in row.items()}
            for restorer, row in rows.items()
        }
        for name, rows in scores.items()
    }
    return json.dumps({"settings": settings, "scores": content}, allow_nan=False)


def values(scores: Scores, restorer: str, metric: str) -> NDArray[np.float64]:
    """A metric of every galaxy, shape (galaxy,)."""
    return np.array([rows[restorer][metric] for rows in scores.values()])
