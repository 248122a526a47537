"""What a restoration shows and what is doubted of it, as regions that DS9 and its like draw."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import UsageError
from pellucid.files import write_atomically
from pellucid.quiet import quiet
from pellucid.restoration.result import Restoration
from pellucid.sky.image import SkyImage
from pellucid.version import __version__

if TYPE_CHECKING:
    from pellucid.sources import Sources

#: Doubt from which on a place is outlined.
DOUBTED = 0.5
#: A source stands so many times above the noise of the sky, and above the uncertainty.
SIGMAS = 5.0
#: An ellipse is drawn at so many standard deviations of the source's light, by so many corners.
DRAWN, CORNERS = 2.5, 24
#: An outline of fewer pixels is a speck.
LEAST_AREA = 4.0
#: Of an outline, how far it may be from the pixels' own, in pixels.
ROUNDED = 0.3

#: Corners of a region, shape (corner, 2), in (x, y); (0, 0) is the middle of the first pixel.
Corners = NDArray[np.floating]


def write_regions(
    result: Restoration, path: str | os.PathLike[str], overwrite: bool = False
) -> Path:
    """Write the sources of a restoration and the places that are doubted as a region file of DS9.

    Sources stand, bands together, 5 times above the noise of the sky and above the uncertainty;
    each is an ellipse of 2.5 standard deviations of its light behind a filter of the PSF's width
    (of 3 pixels where that is not known), tagged ``source``, or ``doubted source`` and dashed where
    half of its light is doubted. Around doubt of 0.5 or more in any band is a dashed outline,
    tagged ``doubt``. All are polygons, in ICRS where the image has sky coordinates (so that they
    lie on any other image of this sky, mirrored or not), else in its pixels.

    Parameters
    ----------
    result
        Of any restorer; without a doubt its sources are written.
    path
        ``"regions.reg"``.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    UsageError
        When the file exists and ``overwrite`` is off.
    """
    check_region_name(path)
    frame, places = _places(result.image)
    lines = [
        "# Region file format: DS9 version 4.1",
        f"# pellucid {__version__}: of a restoration, not of a measurement",
        "global color=green width=1",
        frame,
    ]
    for corners, words in _regions(result):
        numbers = ",".join(f"{value:.7f}" for value in places(corners).ravel())
        lines.append(f"polygon({numbers}) # {words}")
    text = "\n".join([*lines, ""]).encode("ascii")
    return write_atomically(path, lambda stream: stream.write(text), overwrite)


def check_region_name(path: str | os.PathLike[str]) -> None:
    """Refuse a name by which no viewer would know a region file, with `UsageError`."""
    if Path(path).suffix.lower() != ".reg":
        raise UsageError(f"{path}: is no name of a region file; let it end with .reg")


def _regions(result: Restoration) -> Iterator[tuple[Corners, str]]:
    """Of each region its corners, and how it is drawn and called."""
    plane = result.image.flux.mean(axis=0)
    found = _sources(result, plane)
    doubt = np.zeros(plane.shape, np.float32)
    if result.doubt is not None:
        doubt = np.where(result.image.holes, 0.0, result.doubt).max(axis=0)
    light = np.where(np.isfinite(plane), np.maximum(plane, 0.0), 0.0)
    whose = found.segments.ravel()
    sums = [
        np.bincount(whose, weights=each.ravel(), minlength=len(found) + 1)
        for each in (light * (doubt >= DOUBTED), light)
    ]
    turn = np.linspace(0.0, 2.0 * np.pi, CORNERS, endpoint=False)
    for k in range(len(found)):
        along, across = (DRAWN * found.a[k] * np.cos(turn), DRAWN * found.b[k] * np.sin(turn))
        cosine, sine = np.cos(found.theta[k]), np.sin(found.theta[k])
        x, y = along * cosine - across * sine, along * sine + across * cosine
        corners = np.column_stack([found.x[k] + x, found.y[k] + y])
        doubted = 2.0 * sums[0][k + 1] > sums[1][k + 1]
        tag = "dash=1 tag={doubted source}" if doubted else "tag={source}"
        yield corners, f"text={{{k + 1}}} {tag}"
    for corners in _outlines(doubt):
        yield corners, "color=red dash=1 tag={doubt}"


def _sources(result: Restoration, plane: NDArray[np.floating]) -> Sources:
    """What stands above the sky's noise and, where it is known, above the uncertainty."""
    from pellucid.sources import detect, smoothed_sky

    psf, scale = result.image.psf, result.image.pixel_scale
    fwhm = psf.fwhm / scale if psf is not None and scale else 3.0
    sky = smoothed_sky(plane, fwhm)
    above = plane - sky.sky[0]
    # A sky that was restored to a constant has no noise.
    least = max(sky.sigma, 1e-4 * float(np.nanmax(above)), float(np.finfo(np.float32).tiny))
    if result.uncertainty is not None:
        # Of the sky, mostly; that of bright pixels is their own, and would cut them to pieces.
        least = max(least, float(np.nanmedian(result.uncertainty.mean(axis=0))))
    return detect(above, SIGMAS, least, fwhm=fwhm)


def _outlines(doubt: NDArray[np.floating]) -> Iterator[Corners]:
    """The borders between doubt (y, x) and none, but for specks."""
    from skimage.measure import approximate_polygon, find_contours

    for line in find_contours(np.pad(doubt, 1), DOUBTED):
        corners = approximate_polygon(line, ROUNDED)[:-1, ::-1] - 1.0
        x, y = corners.T
        area = 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
        if area >= LEAST_AREA:
            yield corners


def _places(image: SkyImage) -> tuple[str, Callable[[Corners], Corners]]:
    """DS9's name of a frame, and what brings pixels to it."""
    if image.wcs is not None and image.wcs.has_celestial:
        wcs = image.wcs.celestial

        def on_the_sky(corners: Corners) -> Corners:
            with quiet():
                sky = wcs.pixel_to_world(*corners.T).icrs
            return np.column_stack([sky.ra.deg, sky.dec.deg])

        return "icrs", on_the_sky
    return "image", lambda corners: corners + 1.0
