"""Which plane of a PSF is of which band, where no name says so: what the image's stars look like.

Cubes of PSFs in the wild stand in the order in which a program found its files, not in that of the
bands beside them; with another band's PSF a star is restored as a ring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pellucid.sky.background import robust_background
from pellucid.sky.field import MIDDLE
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import PSF, stamp_fwhm

#: A point's peak, in units of the noise, in its faintest band.
_BRIGHT = 20.0
#: The brightest peaks are looked at.
_PEAKS = 12
#: Root mean square misfit over signal of what is still a point behind its own PSF, on average.
_POINT = 0.1
#: In turn, the planes must fit worse by this factor, on average, before another order is believed.
_CLEAR = 1.2
#: Places of a star within its pixel, in pixels, at which a PSF is tried.
_WITHIN = (-0.5, -0.25, 0.0, 0.25, 0.5)


def as_seen(psf: PSF, image: SkyImage | float | None, names: Sequence[str]) -> PSF:
    """A PSF of which nothing says which plane is of which band, in the order that stars show.

    Parameters
    ----------
    psf
        With its planes in turn for the bands of the image, or for some of them.
    image
        Where it is none, or has fewer bands, they stay in turn.
    names
        Of all planes in its file, in turn; empty where nothing stands beside them.
    """
    said = f"{', '.join(names)} in turn" if all(names) else "they are taken in turn"
    if isinstance(image, SkyImage) and len(psf.stamps) == len(names) == len(image.bands):
        order = order_of_planes(image, list(psf.stamps))
        if order != sorted(order):
            psf = replace(psf, stamps=psf.stamps[order])
            planes = ", ".join(str(k + 1) for k in order)
            said = f"as stars show, planes {planes} are {', '.join(image.bands)}"
    note = f"nothing says of which band each PSF is: {said}"
    return replace(psf, notes=(note, *psf.notes))


def order_of_planes(image: SkyImage, stamps: Sequence[NDArray[np.floating]]) -> list[int]:
    """The plane of each band, by the sharpest bright source of the image; in turn where unclear.

    Each band of that source is fitted by each plane (its flux, the light below it and its place
    within a pixel are free); the order with the least product of misfits is taken where the source
    is a point and the planes in turn fit clearly worse.

    Parameters
    ----------
    image
        Its holes have no part in it.
    stamps
        As many as the image has bands, each (y, x) with its peak in the middle, in its pixels.
    """
    from scipy.optimize import linear_sum_assignment

    in_turn = list(range(len(stamps)))
    found = [table for table in _misfits(image, stamps) if np.isfinite(table).all()]
    if not found:
        return in_turn
    table = min(found, key=lambda each: each.min(axis=1).mean())
    logs = np.log(np.maximum(table, 1e-6))
    bands, planes = linear_sum_assignment(logs)
    gain = float(np.mean(np.diag(logs) - logs[bands, planes]))
    point = table[bands, planes].mean() <= _POINT
    return [int(plane) for plane in planes] if point and gain > np.log(_CLEAR) else in_turn


def _misfits(image: SkyImage, stamps: Sequence[NDArray[np.floating]]) -> list[NDArray[np.float64]]:
    """Of each bright peak, the misfit of each band (rows) by each plane (columns)."""
    reach = int(np.ceil(1.5 * max(stamp_fwhm(stamp) for stamp in stamps)))
    tries = [_within_a_pixel(stamp, reach) for stamp in stamps]
    flux = _middle(image)
    above = np.concatenate([_above_sky(flux[k : k + 1]) for k in range(len(flux))])
    tables = []
    for y, x in _peaks(above.sum(axis=0), reach + 1):
        table = np.full((len(above), len(stamps)), np.inf)
        for k, plane in enumerate(above):
            near = plane[y - 1 : y + 2, x - 1 : x + 2]
            if not np.isfinite(near).all() or near.max() < _BRIGHT:
                break
            down, along = np.unravel_index(near.argmax(), near.shape)
            top, left = y - 1 + int(down) - reach, x - 1 + int(along) - reach
            seen = plane[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
            if not np.isfinite(seen).all():
                break
            table[k] = [_misfit(seen.ravel(), each) for each in tries]
        tables.append(table)
    return tables


def _middle(image: SkyImage) -> NDArray[np.float64]:
    """The flux of the middle of an image, NaN in its holes."""
    corner = [max(0, (side - MIDDLE) // 2) for side in image.shape[1:]]
    some = (slice(None), *(slice(first, first + MIDDLE) for first in corner))
    flux = image.flux[some].astype(np.float64)
    return flux if image.mask is None else np.where(image.mask[some], np.nan, flux)


def _above_sky(flux: NDArray[np.float64]) -> NDArray[np.float64]:
    """One band, shape (1, y, x), above its sky in units of its noise."""
    background = robust_background(flux)
    return (flux - float(background.sky[0])) / max(background.sigma, np.finfo(np.float32).tiny)


def _peaks(light: NDArray[np.float64], margin: int) -> list[tuple[int, int]]:
    """The brightest peaks, at least so far from the edge and from a brighter pixel."""
    from scipy.ndimage import maximum_filter

    light = np.nan_to_num(light, nan=-np.inf)
    inside = np.zeros(light.shape, dtype=bool)
    inside[margin:-margin, margin:-margin] = True
    peaks = inside & np.isfinite(light) & (light == maximum_filter(light, size=2 * margin - 1))
    rows, columns = np.nonzero(peaks)
    brightest = np.argsort(-light[rows, columns], kind="stable")[:_PEAKS]
    return [(int(rows[k]), int(columns[k])) for k in brightest]


def _within_a_pixel(stamp: NDArray[np.floating], reach: int) -> NDArray[np.float64]:
    """A PSF at places within a pixel, about its peak, shape (place, pixel)."""
    from scipy.ndimage import shift

    wide = np.pad(np.asarray(stamp, dtype=np.float64), reach + 1)
    y, x = np.unravel_index(wide.argmax(), wide.shape)
    window = np.s_[y - reach : y + reach + 1, x - reach : x + reach + 1]
    return np.array([shift(wide, (dy, dx))[window].ravel() for dy in _WITHIN for dx in _WITHIN])


def _misfit(seen: NDArray[np.float64], tries: NDArray[np.float64]) -> float:
    """What is left of the light of a source, as a fraction of its root mean square."""
    seen = seen - seen.mean()
    tries = tries - tries.mean(axis=1, keepdims=True)
    power, signal = (tries * tries).sum(axis=1), float((seen * seen).sum())
    explained = np.maximum(tries @ seen, 0.0) ** 2 / np.maximum(power, 1e-30)
    return float(np.sqrt(max(1.0 - explained.max() / signal, 0.0)))
