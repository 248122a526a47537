"""How near each restoration of each galaxy comes to what HST saw."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.pairs import Pairs
from pellucid.errors import InputError
from pellucid.metrics import METRICS, measure
from pellucid.sky import gaussian_psf
from pellucid.sky.image import SkyImage
from pellucid.stretch import NoiseStretch
from pellucid.studies.seeinggan.comparison import Restore, inner

FILE = "scores.json"
#: FWHM of a point source in the sharp image where no PSF says so, arcsec.
SHARP_FWHM = 0.11

#: Galaxy to restorer to metric.
Scores = dict[str, dict[str, dict[str, float]]]


def score_galaxies(
    store: Pairs,
    places: Iterable[int],
    restorers: Mapping[str, Restore],
    margin: int,
    progress: Callable[[Iterable[Any], int], Iterable[Any]],
) -> Scores:
    """Score every restorer on each of a store's galaxies."""
    places = list(places)
    scores: Scores = {}
    for place in progress(places, len(places)):
        pair = store.pair(place)
        sharp, blurred = pair.sharp, pair.blurred
        truth = inner(sharp, margin)
        scores[store.ids[place]] = {
            name: score(truth, inner(restore(blurred), margin), blurred, store.blurred_scale)
            for name, restore in restorers.items()
        }
    return scores


def score(
    truth: SkyImage, restored: SkyImage, blurred: SkyImage, blurred_scale: float | None
) -> dict[str, float]:
    """Every metric of one galaxy, after a stretch in units of the truth's noise."""
    assert truth.pixel_scale is not None
    if truth.psf is None:
        truth = truth.with_flux(truth.flux, psf=gaussian_psf(SHARP_FWHM, truth.pixel_scale))
    return measure(restored, truth, blurred, NoiseStretch(), METRICS, blurred_scale)


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
