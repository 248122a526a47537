"""How unlike the galaxies that a model was trained on an object is, by its form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.metrics.form import form_of

#: Objects more unlike than this fraction of ordinary galaxies are said to be so.
UNUSUAL = 0.99
UNUSUAL_FORM = "its form is unlike the galaxies that the model was trained on: look at it yourself"


def unlikeness(restored: NDArray[np.floating], forms: Mapping[str, Any]) -> float | None:
    """The fraction of ordinary galaxies that are less unlike those of the training than this one.

    Several directions in the space of forms lead from galaxies to what is none (rings, arcs,
    warps, clusters of stars, pictures of other things); the one counts along which it lies furthest
    out (outlier exposure; Hendrycks et al. 2019, arXiv:1812.04606).

    Parameters
    ----------
    restored
        Shape (band, y, x), above the sky, in units of the noise of the image that was restored.
    forms
        Of the model's card: ``mean`` and ``scale`` of each number of `form_of`, ``directions``,
        with the ``middle`` and ``width`` of ordinary galaxies along each, and their ``quantiles``
        of the furthest.

    Returns
    -------
    float
        None where the card knows no forms, or nothing is there.
    """
    if not forms:
        return None
    form = form_of(restored.mean(axis=0), 1.0 / float(np.sqrt(len(restored))))
    return None if form is None else rank_of(furthest(form[None], forms)[0], forms)


def furthest(values: NDArray[np.floating], forms: Mapping[str, Any]) -> NDArray[np.floating]:
    """Of forms, shape (object, number): how far out along the direction where it is furthest."""
    plain = (values - np.array(forms["mean"])) / np.array(forms["scale"])
    along = plain @ np.array(forms["directions"]).T
    return ((along - np.array(forms["middle"])) / np.array(forms["width"])).max(axis=1)


def rank_of(value: float, forms: Mapping[str, Any]) -> float:
    """Which fraction of ordinary galaxies is less far out."""
    quantiles = np.array(forms["quantiles"])
    return float(np.interp(value, quantiles, np.linspace(0.0, 1.0, len(quantiles))))
