"""Some bands of an image; those that were not chosen are written again as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.fits.layout import Layout, Part
from pellucid.fits.reserved import stacked_planes
from pellucid.sky.image import SkyImage


def with_bands(image: SkyImage, places: Sequence[int], notes: Sequence[str] = ()) -> SkyImage:
    """The bands of an image that was read that stand at these places, in this order.

    ``notes`` say who chose them, if not ``--bands``.

    Raises
    ------
    InputError
        When one is named twice.
    """
    if len(set(places)) < len(places):
        twice = next(image.bands[k] for k in places if list(places).count(k) > 1)
        raise InputError(f"--bands names {twice} twice")
    layout = image.layout
    assert isinstance(layout, Layout)
    left = [k for k in range(len(image.bands)) if k not in places]
    order = [*places, *left]
    parts = _renumbered(layout, order)
    chosen = image.of_bands(places)
    rest = None
    if left:
        others = replace(layout, parts=_renumbered(layout, [*left, *places]))
        rest = replace(image.of_bands(left), layout=others)
    return replace(
        chosen,
        layout=replace(
            layout,
            parts=parts,
            shape=chosen.shape,
            variance=None if layout.variance is None else chosen.variance,
            mask=None if layout.mask is None else chosen.mask,
            beside=None if layout.beside is None else chosen.variance,
            rest=rest,
        ),
        notes=(*image.notes, *(notes or _notes(chosen, rest))),
    )


def all_bands(image: SkyImage) -> SkyImage:
    """The image with the bands that were not chosen, in the order of its file."""
    layout = image.layout
    if not isinstance(layout, Layout) or layout.rest is None:
        return image
    planes = np.concatenate([image.flux, layout.rest.flux])
    names = (*image.bands, *layout.rest.bands)
    order = [k for part in layout.parts if part.role == "bands" for k in part.planes]
    return replace(
        image,
        flux=planes[order],
        bands=tuple(names[k] for k in order),
        variance=None,
        mask=None,
        layout=None,
    )


def planes_of(part: Part, planes: NDArray[Any], rest: NDArray[Any] | None) -> NDArray[Any]:
    """The planes of a part, (y, x) or (band, y, x); ``rest`` are those that were not chosen."""
    found = [
        planes[k] if rest is None or k < len(planes) else rest[k - len(planes)] for k in part.planes
    ]
    return stacked_planes(found) if part.cube else found[0]


def _renumbered(layout: Layout, order: Sequence[int]) -> tuple[Part, ...]:
    """The parts of a file, of bands that stand in this order."""
    return tuple(
        replace(part, planes=tuple(order.index(k) for k in part.planes)) for part in layout.parts
    )


def _notes(chosen: SkyImage, rest: SkyImage | None) -> list[str]:
    if rest is None:
        return [f"--bands puts them in the order {', '.join(chosen.bands)}"]
    taken, left = (", ".join(each.bands) for each in (chosen, rest))
    return [f"--bands chose {taken}; not used: {left}"]
