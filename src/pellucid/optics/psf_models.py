"""PSFs that vary over the field, as pipelines store them, read at one place: PSFEx and SDSS."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError

#: SDSS's frames, (rows, columns), and their pixels in arcsec.
SDSS_FRAME, SDSS_SCALE = (1489, 2048), 0.396
#: SDSS's polynomials take thousands of pixels.
_SDSS_UNIT = 1e-3


class Place(NamedTuple):
    """Where in which image a PSF is wanted: the middle (y, x) of one of ``shape``, first pixel 0.

    ``known`` says that these are the pixels of the whole frame, not of an unnamed part of it.
    """

    y: float
    x: float
    shape: tuple[int, int]
    known: bool = False


class Model(NamedTuple):
    """A stamp (y, x), its pixels in pixels of the image or in arcsec, and what was assumed."""

    stamp: NDArray[np.float64]
    step: float | None
    scale: float | None
    note: str


def psfex(header: Any, components: NDArray[np.floating], place: Place) -> Model:
    """A PSFEx model, Σ xⁱ yʲ Pᵢⱼ, at a place.

    Parameters
    ----------
    header
        Of the table, with POLNAME, POLZERO, POLSCAL, POLDEG and PSF_SAMP.
    components
        PSF_MASK, shape (component, y, x).

    References
    ----------
    Bertin 2011, ASP Conf. Ser. 442, 435
    """
    step = float(header.get("PSF_SAMP", 1.0)) or 1.0
    count = int(header.get("POLNAXIS", 0))
    names = [str(header.get(f"POLNAME{k + 1}", "")).upper() for k in range(count)]
    zero = [float(header.get(f"POLZERO{k + 1}", 0.0)) for k in range(count)]
    scale = [float(header.get(f"POLSCAL{k + 1}", 1.0)) or 1.0 for k in range(count)]
    degree = int(header.get("POLDEG1", 0)) if count else 0
    if degree == 0 or len(components) == 1:
        return Model(components[0].astype(np.float64), step, None, "the PSFEx model is constant")
    positions = [_axis(name) for name in names]
    if positions != ["x", "y"] or len(components) != (degree + 1) * (degree + 2) // 2:
        said = ", ".join(names)
        return Model(
            components[0].astype(np.float64), step, None,
            f"the PSFEx model depends on {said}; its constant part was taken",
        )  # fmt: skip
    spanned = place.shape[1] > 0.5 * scale[0] or place.shape[0] > 0.5 * scale[1]
    x, y = (place.x + 1.0, place.y + 1.0) if place.known or spanned else (zero[0], zero[1])
    reduced = (x - zero[0]) / scale[0], (y - zero[1]) / scale[1]
    if max(map(abs, reduced)) > 1.0:
        raise InputError(
            f"its PSFEx model does not reach to x = {x:.0f}, y = {y:.0f}; it is about "
            f"x = {zero[0]:.0f}, y = {zero[1]:.0f}. Give the PSF of this frame"
        )
    terms = [
        reduced[0] ** i * reduced[1] ** j for j in range(degree + 1) for i in range(degree + 1 - j)
    ]
    stamp = np.tensordot(np.array(terms), components.astype(np.float64), axes=1)
    return Model(stamp, step, None, f"the PSFEx model was taken at x = {x:.0f}, y = {y:.0f}" + (
        "" if place.known or spanned else ", the middle of its frame"
    ))  # fmt: skip


def sdss(tables: dict[str, Any], band: str, place: Place) -> Model:
    """SDSS's PSF at a place: eigenimages E with polynomials for weights, Σ cᵢⱼ rowⁱ colʲ E.

    Parameters
    ----------
    tables
        The psField's by band, each with RROWS, nrow_b, ncol_b and c.
    band
        One of u, g, r, i, z.

    References
    ----------
    Lupton et al. 2001, ASP Conf. Ser. 238, 269
    """
    height, width = SDSS_FRAME
    whole = place.known or (place.shape[0] > 0.5 * height and place.shape[1] > 0.5 * width)
    row, column = (place.y, place.x) if whole else (0.5 * height, 0.5 * width)
    table = tables[band]
    rows = float(_SDSS_UNIT * row) ** np.arange(int(table["nrow_b"][0]))
    columns = float(_SDSS_UNIT * column) ** np.arange(int(table["ncol_b"][0]))
    stamp = np.zeros((int(table["RNROW"][0]), int(table["RNCOL"][0])))
    for image, coefficients in zip(table["RROWS"], table["c"], strict=True):
        weight = rows @ np.asarray(coefficients, float)[: len(rows), : len(columns)] @ columns
        stamp += weight * np.reshape(image, stamp.shape)
    where = f"row {row:.0f}, column {column:.0f}" + ("" if whole else ", the middle of the frame")
    return Model(stamp, None, SDSS_SCALE, f"SDSS's PSF of band {band} was taken at {where}")


def _axis(name: str) -> str:
    """Which pixel axis a parameter of SExtractor's is; empty for others."""
    return name[0].lower() if name[:1] in ("X", "Y") and "WORLD" not in name else ""
