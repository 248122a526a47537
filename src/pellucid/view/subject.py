"""What a page is told of an object, as JSON holds it: planes, where they lie, what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.sky import PSF, SkyImage, robust_background
from pellucid.sky.bands import by_wavelength
from pellucid.sky.image import per_pixel
from pellucid.sky.unit import factor_between
from pellucid.view.planes import coded
from pellucid.view.sky_places import same_places, sky_places

#: Steps of a code in the noise, where a page holds few images and where it holds many.
FINE, COARSE = 32.0, 4.0
#: Black, and white where nothing is brighter, in units of the noise above the sky.
BLACK, FAINTEST_WHITE = -1.0, 30.0
#: Planes beside the pixels that a page shows, in this order: key, extension, what it is called.
BESIDE = (
    ("uncertainty", "UNCERT", "Uncertainty"),
    ("range95", "RANGE95", "95 % range"),
    ("doubt", "DOUBT", "Doubt"),
)
#: Of them, those that a page of many objects has no room for; samples are, too.
OF_FEW = ("range95",)
#: Skies that may be, by what their extensions begin with; a page shows so many at most.
SAMPLE, SAMPLES = "SAMPLE", 4


@dataclass(frozen=True, eq=False)
class Subject:
    """One object to look at.

    Parameters
    ----------
    name
        As it is called; any text.
    image
        The restoration, or an image that is none.
    restored
        Whether it is one.
    beside
        What is known of its pixels, shape (band, y, x), by the names of FITS extensions.
    given, truth
        What was restored, and what it should be, where they are known; maybe on other pixels.
    residual
        In the pixels of ``given``, shape (band, y, x), in its unit.
    psfs
        What a star looks like, and of what it is said.
    facts
        What was done, term and text.
    notes
        What to know, a sentence each.
    numbers
        By which objects may be sorted: doubt, chi2 …
    reduced
        So many pixels a side became one.
    """

    name: str
    image: SkyImage
    restored: bool = True
    beside: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    given: SkyImage | None = None
    truth: SkyImage | None = None
    residual: NDArray[np.floating] | None = None
    psfs: Sequence[tuple[str, PSF]] = ()
    facts: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    reduced: int = 1


def told(subject: Subject, steps: float = FINE) -> dict[str, Any]:
    """A subject as JSON holds it; a code's step is 1/``steps`` of the noise."""
    image = subject.image
    _, height, width = image.shape
    area = 1.0 if subject.given is None else _area(subject.given, image)
    source = subject.given if subject.given is not None else image
    sky, sigma, white = _levels(source, area)
    if subject.given is not None:  # a star that was sharpened is brighter
        white = max(white, _levels(image, 1.0, sigma)[2])
    smooth = sigma
    if (uncertainty := subject.beside.get("UNCERT")) is not None:
        smooth = [_median(plane) or own for plane, own in zip(uncertainty, sigma, strict=True)]
        if subject.given is None:  # of what was smoothed its own scatter tells little
            sigma = smooth
            white = _levels(image, 1.0, sigma)[2]
    layers = []
    steps_of = [area * value / steps for value in sigma]
    levels = [area * value for value in sky]
    if subject.given is not None:
        layers.append(_layer("input", "Input", subject.given, image, levels, steps_of))
    label = "Restored" if subject.restored else "Image"
    layers.append(_layer("restored", label, image, image, sky, [each / steps for each in smooth]))
    if subject.truth is not None:
        layers.append(_truth(subject.truth, image, steps))
    if subject.residual is not None and subject.given is not None:
        # It is smoother than the residual, which the page makes of both.
        again = subject.given.with_flux(subject.given.flux - subject.residual)
        layers.append(_layer("again", "Blurred again", again, image, levels, steps_of))
    for key, name, label in BESIDE:
        cube = subject.beside.get(name)
        if cube is not None and (steps == FINE or key not in OF_FEW):
            layers.append(_beside(key, label, cube, image, steps))
    for name in [name for name in subject.beside if name.startswith(SAMPLE)][:SAMPLES]:
        if steps == FINE:
            drawn, fine = image.with_flux(subject.beside[name]), [each / steps for each in smooth]
            label = f"Sample {name.removeprefix(SAMPLE)}"
            layers.append(_layer(name.lower(), label, drawn, image, sky, fine))
    scale = image.pixel_scale
    place = None if image.wcs is None else sky_places(image.wcs, (height, width))
    return {
        "name": subject.name,
        "restored": subject.restored,
        "unit": image.unit or "",
        "bands": list(image.bands),
        "order": by_wavelength(image.bands),
        "shape": [height, width],
        "scale": scale,
        "sky": sky,
        "sigma": sigma,
        "white": white,
        "black": BLACK,
        "layers": layers,
        "wcs": place,
        "psfs": [_psf(label, psf) for label, psf in subject.psfs],
        "facts": [list(fact) for fact in subject.facts],
        "notes": list(subject.notes),
        "numbers": {key: value for key, value in subject.numbers.items() if np.isfinite(value)},
        "reduced": subject.reduced,
    }


def _area(layer: SkyImage, image: SkyImage) -> float:
    """What is in a pixel of a layer where 1 is in one of the image."""
    if not per_pixel(image.unit):
        return 1.0
    if layer.pixel_scale and image.pixel_scale and layer.wcs is not None:
        return (layer.pixel_scale / image.pixel_scale) ** 2
    return float(np.prod(image.shape[1:]) / np.prod(layer.shape[1:]))


def _levels(
    image: SkyImage, area: float, noise: Sequence[float] | None = None
) -> tuple[list[float], list[float], float]:
    """Sky and noise of each band, and where white is in units of the noise."""
    sky, sigma, tops = [], [], []
    for k, plane in enumerate(image.flux):
        there = plane[np.isfinite(plane)]
        if not there.size:
            sky.append(0.0)
            sigma.append(1.0)
            continue
        known = robust_background(plane[None])
        level, width = float(known.sky[0]), float(known.sigma)
        if noise is not None:
            width = noise[k] * area
        if not (np.isfinite(width) and width > 0):
            width = float(np.ptp(there)) / 1000 or abs(level) / 1000 or 1.0
        sky.append(level / area)
        sigma.append(width / area)
        tops.append((float(np.percentile(there, 99.5)) - level) / width)
    return sky, sigma, max([FAINTEST_WHITE, *tops])


def _layer(
    key: str,
    label: str,
    layer: SkyImage,
    image: SkyImage,
    zero: Sequence[float],
    finest: Sequence[float],
) -> dict[str, Any]:
    planes = [coded(p, z, f) for p, z, f in zip(layer.flux, zero, finest, strict=True)]
    of = list(range(len(planes)))
    if len(planes) < len(image.bands):
        of = [0] * len(image.bands)
    return {
        "key": key,
        "label": label,
        "planes": planes,
        "of": of,
        "to": _to(layer, image),
        "sky": [zero[k] for k in of],
        "gain": [_area(layer, image)] * len(of),
        "unit": layer.unit or "",
    }


def _truth(truth: SkyImage, image: SkyImage, steps: float) -> dict[str, Any]:
    sky, sigma, _ = _levels(truth, 1.0)
    layer = _layer("truth", "Truth", truth, image, sky, [each / steps for each in sigma])
    factor = None
    if truth.unit and image.unit:
        factor = factor_between(truth.unit, image.unit)
    if factor is not None:
        return layer | {"gain": [gain / factor for gain in layer["gain"]]}
    # Of another unit it is known only what the page needs: how to draw it as bright.
    ours, theirs = _light(image), _light(truth)
    gains = [theirs[k] / own if own > 0 else 0.0 for k, own in zip(layer["of"], ours, strict=True)]
    return layer | {"gain": [gain if gain > 0 else 1.0 for gain in gains], "matched": True}


def _light(image: SkyImage) -> list[float]:
    """All flux above the sky, a band each."""
    sky = [robust_background(plane[None]).sky[0] for plane in image.flux]
    planes = zip(image.flux, sky, strict=True)
    return [float(np.nansum(plane - level, dtype=np.float64)) for plane, level in planes]


def _beside(
    key: str, label: str, cube: NDArray[np.floating], image: SkyImage, steps: float
) -> dict[str, Any]:
    """A plane a band, or one where they are alike."""
    alike = all(np.array_equal(cube[0], plane, equal_nan=True) for plane in cube[1:])
    planes = []
    for plane in cube[:1] if alike else cube:
        if key == "doubt":
            planes.append(coded(plane, 0.0, 1 / 100, 1e-4))
        else:
            share = 0.5 / steps
            planes.append(coded(plane, 0.0, share * (_median(plane) or 1.0) / 8, share))
    of = [0] * len(cube) if alike else list(range(len(cube)))
    unit = "" if key == "doubt" else image.unit or ""
    to = [1, 0, 0, 0, 1, 0]
    return {
        "key": key,
        "label": label,
        "planes": planes,
        "of": of,
        "to": to,
        "gain": [1] * len(of),
        "unit": unit,
    }


def _to(layer: SkyImage, image: SkyImage) -> list[float]:
    """From pixels (x, y) of the image, the first of which is 0, to a layer's: x' = ax + by + c …"""
    (rows, columns), (height, width) = layer.shape[1:], image.shape[1:]
    a, e = columns / width, rows / height
    plain = [a, 0.0, 0.5 * a - 0.5, 0.0, e, 0.5 * e - 0.5]
    if layer is image or layer.wcs is None or image.wcs is None:
        return plain
    x, y = 0.5 * (width - 1), 0.5 * (height - 1)
    corners = np.array([[x, y], [x + width / 2, y], [x, y + height / 2]])
    found = same_places(corners, image.wcs, layer.wcs)
    if found is None:
        return plain
    middle, right, above = found
    dx, dy = (right - middle) / (width / 2), (above - middle) / (height / 2)
    moved = [dx[0], dy[0], middle[0] - dx[0] * x - dy[0] * y]
    moved += [dx[1], dy[1], middle[1] - dx[1] * x - dy[1] * y]
    return [float(value) for value in moved]


def _psf(label: str, psf: PSF) -> dict[str, Any]:
    stamps = [coded(s, 0.0, float(s.max()) / 4096) for s in psf.stamps]
    return {"label": label, "fwhm": psf.fwhm, "scale": psf.pixel_scale, "planes": stamps}


def _median(plane: NDArray[np.floating]) -> float:
    there = plane[np.isfinite(plane) & (plane > 0)]
    return float(np.median(there)) if there.size else 0.0
