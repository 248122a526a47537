"""PSFs that vary over the field, as pipelines store them, read at one place.

PSFEx's polynomials, SDSS's eigenimages, and stamps on a grid of places.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError

#: SDSS's frames, (rows, columns), and their pixels in arcsec.
SDSS_FRAME, SDSS_SCALE = (1489, 2048), 0.396
#: Samples a pixel of STDPSF's stamps.
_STDPSF_SAMPLES = 4
#: SDSS's polynomials take thousands of pixels.
_SDSS_UNIT = 1e-3
#: What a PSFEx model depends on, at most: only x and y are made anything of.
_MOST = 9


class Place(NamedTuple):
    """Where in which image a PSF is wanted: the middle (y, x) of one of ``shape``, first pixel 0.

    ``known`` says that these are the pixels of the whole frame, not of an unnamed part of it.
    """

    y: float
    x: float
    shape: tuple[int, int]
    known: bool = False


class Model(NamedTuple):
    """What a model shows at a place.

    Parameters
    ----------
    stamp
        Shape (y, x).
    step, scale
        Its pixels, in pixels of the image or in arcsec.
    note
        What was assumed.
    placed
        Whether it is known where in the model's frame the place lies.
    """

    stamp: NDArray[np.float64]
    step: float | None
    scale: float | None
    note: str
    placed: bool = False


def _number(header: Any, keyword: str, default: float) -> float:
    """A card that must hold a finite number where it is there."""
    value = header.get(keyword, default)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"its {keyword} is no number ({str(value)[:40]})")
    return number


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
    step = _number(header, "PSF_SAMP", 1.0) or 1.0
    count = min(int(_number(header, "POLNAXIS", 0.0)), _MOST)
    names = [str(header.get(f"POLNAME{k + 1}", "")).upper() for k in range(count)]
    zero = [_number(header, f"POLZERO{k + 1}", 0.0) for k in range(count)]
    scale = [_number(header, f"POLSCAL{k + 1}", 1.0) or 1.0 for k in range(count)]
    degree = int(_number(header, "POLDEG1", 0.0)) if count else 0
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
    ), place.known or spanned)  # fmt: skip


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
    return Model(stamp, None, SDSS_SCALE, f"SDSS's PSF of band {band} was taken at {where}", whole)


def on_grid(header: Any, stamps: NDArray[np.floating], place: Place) -> Model:
    """Stamps on a grid of places, between them interpolated linearly along both axes.

    Parameters
    ----------
    header
        With DET_YX0, DET_YX1, … (STPSF, photutils) or IPSFX01 and JPSFY01, … (STDPSF).
    stamps
        Shape (place, y, x), effective PSFs in fractions of a pixel.

    References
    ----------
    Anderson 2016, Instrument Science Report WFC3 2016-12
    """
    places = grid_places(header)
    assert places is not None
    rows, columns = (np.unique(places[:, axis]) for axis in (0, 1))
    if len(places) != len(stamps) or len(rows) * len(columns) != len(places):
        raise InputError(f"its {len(stamps)} PSFs stand at no grid of {len(places)} places")
    extent = (rows[-1] - rows[0], columns[-1] - columns[0])
    known = place.known or any(
        side > 0.5 * length for side, length in zip(place.shape, extent, strict=True)
    )
    middle = 0.5 * (rows[0] + rows[-1]), 0.5 * (columns[0] + columns[-1])
    y, x = (place.y, place.x) if known else middle
    total = np.zeros(stamps.shape[1:])
    for row, down in _between(y, rows):
        for column, along in _between(x, columns):
            here = np.flatnonzero((places[:, 0] == row) & (places[:, 1] == column))
            total += down * along * stamps[int(here[0])].astype(np.float64)
    samples = _number(header, "OVERSAMP", 0.0)
    told = f"the grid of PSFs was taken at x = {x:.0f}, y = {y:.0f}"
    told += "" if known else ", the middle of its frame"
    if not samples and "DET_YX0" in header:
        told += ", in the image's pixels (it has no OVERSAMP)"
        samples = 1.0
    return Model(total, 1.0 / (samples or _STDPSF_SAMPLES), None, told, known)


def grid_places(header: Any) -> NDArray[np.float64] | None:
    """Where the stamps of a grid stand, (y, x) from 0, shape (place, 2); None where none is."""
    found = []
    while (text := header.get(f"DET_YX{len(found)}")) is not None:
        numbers = re.findall(r"-?\d+(?:\.\d*)?", str(text))
        if len(numbers) != 2:
            return None
        found.append([float(number) for number in numbers])
    if found:
        return np.array(found)
    axes = [
        [
            _number(header, keyword, 0.0) - 1.0
            for keyword in (f"{stem}{k:02d}" for k in range(1, 100))
            if keyword in header
        ]
        for stem in ("JPSFY", "IPSFX")
    ]
    if not all(axes):
        return None
    return np.array([[y, x] for y in axes[0] for x in axes[1]])


def _between(value: float, nodes: NDArray[np.floating]) -> list[tuple[float, float]]:
    """The nodes on both sides of a value with their weights; beyond the last ones these alone."""
    value = float(np.clip(value, nodes[0], nodes[-1]))
    after = int(np.searchsorted(nodes, value))
    if nodes[after] == value:
        return [(float(nodes[after]), 1.0)]
    low, high = float(nodes[after - 1]), float(nodes[after])
    share = (value - low) / (high - low)
    return [(low, 1.0 - share), (high, share)]


def _axis(name: str) -> str:
    """Which pixel axis a parameter of SExtractor's is; empty for others."""
    return name[0].lower() if name[:1] in ("X", "Y") and "WORLD" not in name else ""
