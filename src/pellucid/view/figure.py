"""A figure for a paper: one band of a restoration, panel by panel, on the axes of its sky."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import UsageError
from pellucid.restoration.result import Restoration
from pellucid.sky import SkyImage, robust_background
from pellucid.sky.image import per_pixel
from pellucid.view.notebook import subject_of
from pellucid.view.subject import BLACK, FAINTEST_WHITE, Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Inches of a panel's side, and panels in a row.
SIDE, MOST = 2.3, 3
#: Of asinh: below so many times the noise it is linear.
SOFT = 3.0


def figure_of(
    value: Restoration,
    given: SkyImage | None = None,
    truth: SkyImage | None = None,
    band: str | None = None,
) -> Figure:
    """The figure that `Restoration.plot` returns.

    Flux is drawn in asinh above the sky, in units of the input's noise (the result's own where no
    input is given); all else in cividis, which all eyes see alike, dark to light (Nuñez, Anderton
    & Renslow 2018, PLoS ONE 13, e0199239).
    """
    from matplotlib.figure import Figure

    subject = subject_of(value, given, truth)
    k = _place(subject, band)
    panels = _panels(subject, k)
    columns = min(MOST, len(panels))
    rows = -(-len(panels) // columns)
    _, height, width = subject.image.shape
    figure = Figure(
        (SIDE * columns + 0.9, SIDE * rows * height / width + 0.7), layout="constrained"
    )
    for number, (label, image, plane, limits) in enumerate(panels):
        wcs = image.wcs.celestial if image.wcs is not None else None
        axes: Any = figure.add_subplot(rows, columns, number + 1, projection=wcs)
        sequential = limits is not None
        low, high = limits or (0.0, 1.0)
        drawing = axes.imshow(
            plane,
            origin="lower",
            cmap="cividis" if sequential else "gray",
            vmin=low,
            vmax=high,
            interpolation="nearest",
        )
        axes.set_title(label, fontsize=9)
        if sequential:
            bar = figure.colorbar(drawing, ax=axes, fraction=0.046, pad=0.03)
            bar.ax.tick_params(labelsize=7)
        _label(axes, wcs, number % columns == 0, number + columns >= len(panels))
    figure.suptitle(f"{subject.image.bands[k]}: restored, not measured", fontsize=9)
    return figure


def _place(subject: Subject, band: str | None) -> int:
    bands = subject.image.bands
    if band is None:
        return len(bands) // 2
    if band not in bands:
        raise UsageError(f"band {band!r}: the restoration has {', '.join(bands)}")
    return bands.index(band)


def _panels(
    subject: Subject, k: int
) -> list[tuple[str, SkyImage, NDArray[Any], tuple[float, float] | None]]:
    """Of each its label, the image whose pixels it is in, what is drawn, and limits if no flux."""
    image, given = subject.image, subject.given
    source = given if given is not None else image
    known = robust_background(source.flux[k][None])
    noise = float(known.sigma) or 1.0
    panels = []
    if given is not None:
        panels.append(("input", given, _stretched(given.flux[k], noise), None))
    area = image.shape[1] / source.shape[1]
    share = 1.0 if given is None or not per_pixel(image.unit) else area**2
    panels.append(("restored", image, _stretched(image.flux[k], noise / share), None))
    if subject.truth is not None:
        truth = subject.truth
        plane = truth.flux[min(k, len(truth.flux) - 1)]
        same = truth.unit == image.unit and truth.shape[1:] == image.shape[1:]
        own = noise / share if same else float(robust_background(plane[None]).sigma) or 1.0
        panels.append(("truth", truth, _stretched(plane, own), None))
    if subject.residual is not None and given is not None:
        panels.append(("residual / σ", given, subject.residual[k] / noise, (-5.0, 5.0)))
    for name, label, unit in (("UNCERT", "uncertainty / σ", noise / share), ("DOUBT", "doubt", 1)):
        if name in subject.beside:
            plane = subject.beside[name][k] / unit
            top = 1.0 if name == "DOUBT" else float(np.nanpercentile(plane, 99.5))
            panels.append((label, image, plane, (0.0, top)))
    return panels


def _stretched(plane: NDArray[Any], noise: float) -> NDArray[Any]:
    """From 0 (black) to 1 (white)."""
    above = (plane - robust_background(plane[None]).sky[0]) / noise
    there = above[np.isfinite(above)]
    white = max(FAINTEST_WHITE, float(np.percentile(there, 99.5)) if there.size else 0.0)
    low, high = np.arcsinh(BLACK / SOFT), np.arcsinh(white / SOFT)
    return (np.arcsinh(above / SOFT) - low) / (high - low)


def _label(axes: Any, wcs: Any, left: bool, bottom: bool) -> None:
    """Coordinates at the outer edges only."""
    if wcs is None:
        axes.tick_params(labelleft=left, labelbottom=bottom, labelsize=7)
        return
    for coordinate, shown in ((axes.coords[0], bottom), (axes.coords[1], left)):
        coordinate.set_ticklabel(size=6, exclude_overlapping=True)
        coordinate.set_ticks(number=3)
        coordinate.set_ticklabel_visible(shown)
    if bottom:
        axes.coords[0].set_axislabel("RA" if wcs.wcs.lngtyp.strip() == "RA" else "lon", fontsize=7)
    if left:
        axes.coords[1].set_axislabel("Dec" if wcs.wcs.lngtyp.strip() == "RA" else "lat", fontsize=7)
