"""What a restoration changed: the noise of the sky, the width of sources; and what is amiss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pellucid.optics import block_mean
from pellucid.restoration.result import Restoration
from pellucid.sky import SkyImage, noise_of, robust_background
from pellucid.sky.image import per_pixel
from pellucid.sky.psf import FWHM_PER_SIGMA

#: Bright sources that are looked at, their least height in σ, and half a side of what is one.
SOURCES, BRIGHT, REACH = 8, 20.0, 24
#: Pixels that the noise is measured on, at most.
SAMPLE = 2**18
#: The noise may rise by this factor, and a ring be so deep in σ, before it is said.
LOUD, DEEP = 2.0, 15.0
OF_A_FILTER = "a linear filter draws them even with the right PSF; richardson-lucy draws none"
#: Of a bright source's restored peak: how deep the rings are that a linear filter draws about it
#: with its own PSF; and the σ from which on a source rules what such a filter does.
RINGS, RULING = 0.12, 1000.0
#: A source that is wider than before by this factor did not become sharper.
BROADER = 1.02
#: Of a source this broad in pixels means are measured, which have less noise.
BROAD = 4.0
#: The noise of neighbours' differences, of what it is where the noise is white, that is smooth.
SMOOTH = 0.7
#: Of the PSF's FWHM: no source is narrower, but for what pixels and noise make of it.
NARROWEST = 0.8


@dataclass(frozen=True)
class Change:
    """One band before and after.

    Parameters
    ----------
    band
        Its name.
    noise
        Of the sky after, over that before.
    widths
        FWHM in pixels of the sharpest of the bright sources, before and after; None without one.
    brightest, peak, deepest
        Height of the brightest pixel before and after, and depth of the lowest after, where it is
        lower than any before, above and below the sky in σ of the noise before.
    roughness
        Of the noise before, from pixel to pixel: 1 where it is white.
    """

    band: str
    noise: float
    widths: tuple[float, float] | None
    brightest: float
    peak: float
    deepest: float
    roughness: float


def with_change(
    image: SkyImage, restoration: Restoration, undone: Sequence[float] | None = None
) -> Restoration:
    """The restoration with a sentence in its provenance (``change``) on what became of the image.

    Parameters
    ----------
    image
        What was restored. Of finer pixels the mean over one of its own counts; nothing is said of
        others.
    undone
        FWHM in arcsec of the PSF that was undone, of each band or one of all; what is amiss with
        it is noted.
    """
    restored = _in_its_pixels(restoration.image, image)
    if restored is None:
        return restoration
    changes, facts = _changes(image, restored), restoration.provenance
    rings = "the PSF is not quite theirs" if "model" in facts else OF_A_FILTER
    notes = []
    if undone is not None:
        each = list(undone) * (len(image.bands) // len(undone))
        fwhm = dict(zip(image.bands, each, strict=True))
        notes = _amiss(changes, image.pixel_scale, fwhm, rings)
    change = {
        "change": _sentence(changes, image.pixel_scale),
        "notes": [*facts.get("notes", []), *notes],
    }
    return replace(restoration, provenance={**facts, **change})


def _amiss(
    changes: list[Change], pixel_scale: float | None, fwhm: Mapping[str, float], rings: str
) -> list[str]:
    """What does not fit with PSFs of these FWHM, arcsec; ``rings`` says what draws shallow ones."""
    scale = pixel_scale or 1.0
    notes = []
    # Each band's sources beside its own PSF.
    narrow = [
        (change.widths[0] * scale / fwhm[change.band], change)
        for change in changes
        if change.widths
    ]
    ratio, narrowest = min(narrow, default=(np.inf, None), key=lambda pair: pair[0])
    if narrowest is not None and ratio < NARROWEST:
        of_band = f" of {narrowest.band}" if len(changes) > 1 else ""
        psf, source = fwhm[narrowest.band], ratio * fwhm[narrowest.band]
        notes.append(
            f'the PSF{of_band}, {psf:.2f}", is broader than sources of the image ({source:.2f}"): '
            "what it cannot have let through was taken for noise; state a narrower one"
        )
    # Noise that rose is deep, too, and no ring.
    ringed = max(changes, key=lambda change: change.deepest / max(change.noise, 1.0))
    if ringed.deepest > DEEP * max(ringed.noise, 1.0):
        cause = (
            "the PSF is broader than theirs, or has other wings, or they are saturated"
            if ringed.deepest > RINGS * ringed.peak
            else rings
        )
        depth = plain(ringed.deepest)
        notes.append(f"dark rings of up to {depth} sigma lie around bright sources: {cause}")
    loudest = max(changes, key=lambda change: change.noise)
    if loudest.noise > LOUD:
        where = f" in {loudest.band}" if len(changes) > 1 else ""
        notes.append(
            f"the noise of the sky rose to about {plain(loudest.noise)} times what it "
            f"was{where}: {_why_loud(loudest)}"
        )
    return notes


def _why_loud(change: Change) -> str:
    if change.brightest > RULING:
        return (
            f"a source of {plain(change.brightest)} sigma makes the method take nearly all of the "
            "image for signal, so that it hardly holds noise back; mask it, or cut it out"
        )
    if change.roughness < SMOOTH:
        return (
            "it is smooth, as where pixels were resampled, and counts as signal; restore the "
            "image in the pixels of its camera"
        )
    return "what is this sharp lies below it; state a --target, or a PSF that is less broad"


def plain(number: float) -> str:
    """A number to two digits, in no exponential form: 118 is 120, and 1.234 is 1.2."""
    return f"{float(f'{number:.2g}'):.15g}"


def _sentence(changes: list[Change], pixel_scale: float | None) -> str:
    noise = float(np.median([change.noise for change in changes]))
    text = f"the noise of the sky is {plain(noise)} times what it was"
    pairs = [change.widths for change in changes if change.widths]
    if not pairs:
        lone = max(change.brightest for change in changes) > BRIGHT
        what = "bright source is whole and alone" if lone else "source is bright"
        return f"{text}; no {what} enough to tell the resolution"
    before, after = np.median(pairs, axis=0) * (pixel_scale or 1.0)
    unit = '"' if pixel_scale else " pixels"
    text += (
        f"; the sharpest bright source has a FWHM of {after:.2f}{unit}, before {before:.2f}{unit}"
    )
    if after > BROADER * before:
        text += ": it became broader, not sharper"
    return text


def _in_its_pixels(restored: SkyImage, image: SkyImage) -> NDArray[np.float32] | None:
    """The restored flux in the image's pixels, shape (band, y, x); None where they do not fit."""
    if restored.shape == image.shape:
        return restored.flux
    times = restored.shape[1] // image.shape[1]
    if times < 2 or restored.shape[1:] != (times * image.shape[1], times * image.shape[2]):
        return None
    share = np.float32(times**2 if per_pixel(image.unit) else 1)
    return share * block_mean(restored.flux, times, times)


def _changes(image: SkyImage, restored: NDArray[np.float32]) -> list[Change]:
    found = []
    for band, bad, *planes in zip(image.bands, image.holes, image.flux, restored, strict=True):
        if bad.all():
            continue
        if bad.any():
            planes = [np.where(bad, np.float32(np.nan), plane) for plane in planes]
        found.append(_change(band, *planes))
    return found


def _change(band: str, before: NDArray[np.float32], after: NDArray[np.float32]) -> Change:
    step = max(1, int(np.sqrt(before.size / SAMPLE)))
    skies = [robust_background(plane[None, ::step, ::step]) for plane in (before, after)]
    sigma = noise_of(before, skies[0].sigma)
    # Under a halo the scatter is none of noise, before and after.
    halo = sigma < skies[0].sigma
    if not sigma > 0:
        return Change(band, 1.0, None, 0.0, 0.0, 0.0, 1.0)
    levels = [float(sky.sky[0]) for sky in skies]
    brightest, peak = (
        (float(np.nanmax(plane)) - level) / sigma
        for plane, level in zip((before, after), levels, strict=True)
    )
    depths = [
        (level - float(np.nanmin(plane))) / sigma
        for level, plane in zip(levels, (before, after), strict=True)
    ]
    deepest = depths[1] if depths[1] > 2.0 * depths[0] else 0.0
    widths = _widths(before, after, levels, sigma)
    steps = before[::step, 1::step] - before[::step, :-1:step][:, : before[0, 1::step].size]
    roughness = robust_background(steps[None]).sigma / (np.sqrt(2.0) * sigma)
    left = noise_of(after, np.inf) if halo else skies[1].sigma
    return Change(band, left / sigma, widths, brightest, peak, deepest, float(roughness))


def _widths(
    before: NDArray[np.float32], after: NDArray[np.float32], levels: list[float], sigma: float
) -> tuple[float, float] | None:
    """FWHM before and after of the sharpest source but one, which may be a cosmic ray."""
    left = np.where(before > levels[0] + BRIGHT * sigma, before, np.float32(-np.inf))
    found = []
    for _ in range(SOURCES):
        y, x = (int(place) for place in np.unravel_index(int(left.argmax()), left.shape))
        if not np.isfinite(left[y, x]):
            break
        window = np.s_[max(y - REACH, 0) : y + REACH + 1, max(x - REACH, 0) : x + REACH + 1]
        left[window] = -np.inf
        here = min(y, REACH), min(x, REACH)
        widths = [
            _fwhm(plane[window], here, level)
            for plane, level in zip((before, after), levels, strict=True)
        ]
        widths = [
            _fwhm_of_means(plane[window], here, level) if width > BROAD else width
            for plane, level, width in zip((before, after), levels, widths, strict=True)
        ]
        if np.isfinite(widths).all():
            found.append((widths[0], widths[1]))
    found.sort()
    return found[min(1, len(found) - 1)] if found else None


def _fwhm(plane: NDArray[np.float32], peak: tuple[int, int], level: float) -> float:
    """Of the source near a place: of a disc as large as what lies above half of its height.

    Along the eight directions in which pixels lie, as noise moves each of them.
    """
    y, x = peak
    near = plane[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
    if not np.isfinite(near).all():
        return np.nan
    row, column = np.unravel_index(int(near.argmax()), near.shape)
    y, x = max(y - 2, 0) + int(row), max(x - 2, 0) + int(column)
    half = level + 0.5 * (float(plane[y, x]) - level)
    up, down, right, left = plane[y::-1], plane[y:], np.s_[x:], np.s_[x::-1]
    straight = up[:, x], down[:, x], plane[y, right], plane[y, left]
    slanting = (np.diagonal(part[:, side]) for part in (up, down) for side in (right, left))
    radii = [_reach(arm, half) for arm in straight]
    radii += [np.sqrt(2.0) * _reach(arm, half) for arm in slanting]
    return float(2.0 * np.sqrt(np.mean(np.square(radii))))


def _reach(arm: NDArray[np.float32], half: float) -> float:
    """Pixels from the first value to where it falls to half."""
    below = np.flatnonzero(~(arm > half))
    if not below.size:
        return np.nan
    k = int(below[0])
    return k - 1 + float((arm[k - 1] - half) / (arm[k - 1] - arm[k])) if k else 0.0


def _fwhm_of_means(plane: NDArray[np.float32], peak: tuple[int, int], level: float) -> float:
    """The same on means of 3 × 3 pixels, whose own width is taken off."""
    means = np.full_like(plane, np.nan)
    shifted = [plane[i : i - 2 or None, j : j - 2 or None] for i in range(3) for j in range(3)]
    means[1:-1, 1:-1] = np.mean(shifted, axis=0)
    return float(np.sqrt(max(_fwhm(means, peak, level) ** 2 - FWHM_PER_SIGMA**2 * 2.0 / 3.0, 0.0)))
