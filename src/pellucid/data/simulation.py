"""Pairs made from sharp galaxies: what two telescopes would have seen of them anywhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.observed import ObservedPair
from pellucid.errors import InputError
from pellucid.optics import Affine, convolve, matching_kernel, object_rng, resample, resampled_psf
from pellucid.sky import PSF, gaussian_psf

#: Pixels of scenery around what is kept, so that light from outside comes in.
MARGIN = 32


@dataclass(frozen=True, eq=False)
class Camera:
    """What a telescope makes of a scene.

    Parameters
    ----------
    psfs
        What point sources look like in its pixels, these included; one is drawn for each image.
    noise
        Smallest and largest standard deviation of a pixel, in counts of ``zero_point``.
    zero_point
        AB magnitude of one count.
    """

    psfs: tuple[PSF, ...]
    noise: tuple[float, float]
    zero_point: float


@dataclass(frozen=True)
class Scene:
    """What is drawn at random for each pair.

    Parameters
    ----------
    size
        Pixels a side.
    pixel_scale
        Arcsec.
    magnitude
        Of the galaxy, brightest and faintest.
    half_light_radius
        Of the galaxy before it is blurred, arcsec, smallest and largest wanted.
    enlarge
        A galaxy's image is shown at most so many times as large as it was, even where the wanted
        radius asks for more: its blur grows with it.
    neighbours
        Up to so many further galaxies in the window.
    stars
        How often there is a star, too.
    nuclei
        How often the galaxy has a point of light in its middle, as one with a quasar.
    resolution
        FWHM of the galaxies' own images, arcsec.
    """

    size: int = 128
    pixel_scale: float = 0.042
    magnitude: tuple[float, float] = (19.0, 24.0)
    half_light_radius: tuple[float, float] = (0.2, 1.1)
    enlarge: float = 1.2
    neighbours: int = 3
    stars: float = 0.3
    nuclei: float = 0.0
    resolution: float = 0.13


@dataclass(frozen=True, eq=False)
class Galaxy:
    """A sharp image to make pairs of: flux (y, x) of sum 1 in pixels of ``pixel_scale`` arcsec."""

    flux: NDArray[np.float32]
    pixel_scale: float
    half_light_radius: float


def as_galaxy(flux: NDArray[np.floating], pixel_scale: float) -> Galaxy:
    """A galaxy from an image of it alone, its sky masked to 0.

    Such a mask cuts the galaxy off where its light sinks into the noise. Beyond that edge it is
    continued as an exponential disc, so that no network learns to draw the mask.
    """
    flux = np.nan_to_num(np.asarray(flux, dtype=np.float64))
    total = flux.sum()
    if not total > 0:
        raise InputError("the galaxy's image holds no light")
    y, x = np.indices(flux.shape)
    centre = (y * flux).sum() / total, (x * flux).sum() / total
    radius = np.hypot(y - centre[0], x - centre[1]).ravel()
    order = np.argsort(radius)
    grown = np.cumsum(flux.ravel()[order])
    half = max(float(radius[order][np.searchsorted(grown, 0.5 * total)]), 0.5)
    whole = _continued(flux, half)
    return Galaxy((whole / whole.sum()).astype(np.float32), pixel_scale, half * pixel_scale)


def _continued(flux: NDArray[np.float64], half_light_radius: float) -> NDArray[np.float64]:
    from scipy import ndimage

    # An exponential disc's scale length is its half-light radius over 1.68; half of that suits
    # inclined discs, too.
    length = half_light_radius / 3.4
    flux = np.pad(flux, int(np.ceil(6.0 * length)) + 4)
    # Lone pixels of noise beyond the edge, and holes of noise within it, are none of the mask's.
    opened: Any = ndimage.binary_opening(flux > 0, np.ones((3, 3)))
    inside = np.asarray(ndimage.binary_fill_holes(opened))
    if not inside.any():
        return flux
    weight = ndimage.gaussian_filter(inside.astype(float), 1.5)
    smooth = ndimage.gaussian_filter(np.where(inside, flux, 0.0), 1.5) / np.maximum(weight, 1e-3)
    far: Any = ndimage.distance_transform_edt(~inside, return_indices=True)
    distance, nearest = far
    beyond = ndimage.gaussian_filter(smooth[tuple(nearest)], 2.5) * np.exp(-distance / length)
    return np.where(inside & (flux > 0.3 * beyond), flux, beyond)


def simulate_pairs(
    galaxies: Mapping[str, Galaxy],
    count: int,
    scene: Scene,
    sharp_psf: PSF,
    cameras: Sequence[Camera],
    seed: int,
) -> Iterator[ObservedPair]:
    """Pairs of each galaxy in turn, at random scale, angle, flux, place and seeing.

    The sharp image has no noise but the galaxy's own; the blurred one is sampled and made noisy
    in the camera's pixels and brought to the common grid, as an observed one is. A pair is a pure
    function of the seed and its id, ``<galaxy>-<number>``.

    Parameters
    ----------
    galaxies
        By id; neighbours are taken from these, too.
    count
        Pairs in all.
    scene
        What is drawn at random.
    sharp_psf
        The sharp telescope's.
    cameras
        Of the blurred one; each pair draws its own.
    seed
        Of everything random.
    """
    names = sorted(galaxies)
    point = _rounded(resampled_psf(sharp_psf, scene.pixel_scale))

    @cache
    def kernel(psf: PSF) -> NDArray[np.floating]:
        return matching_kernel(point, resampled_psf(psf, scene.pixel_scale)).stamps

    for number in range(count):
        owner = names[number % len(names)]
        name = f"{owner}-{number // len(names):04d}"
        rng = object_rng(seed, name)
        camera = cameras[int(rng.integers(len(cameras)))]
        psf = camera.psfs[int(rng.integers(len(camera.psfs)))]
        others = [galaxies[other] for other in names]
        sharp = _draw_scene(
            galaxies[owner], others, scene, (sharp_psf.fwhm, point), camera.zero_point, rng
        )
        noise = float(np.exp(rng.uniform(*np.log(camera.noise))))
        blurred = convolve(sharp[None], kernel(psf), "zero")[0]
        blurred = _observe(blurred, psf.pixel_scale / scene.pixel_scale, noise, rng)
        inner = slice(MARGIN, MARGIN + scene.size)
        area = (scene.pixel_scale / psf.pixel_scale) ** 2
        yield ObservedPair(
            name,
            sharp[None, inner, inner],
            blurred[None, inner, inner],
            scene.pixel_scale,
            (0.0, noise * area),
            psfs=(sharp_psf, psf),
        )


def _rounded(psf: PSF) -> PSF:
    """The PSF faded out at its stamp's edge, which would stand as a square around a bright star."""
    side = psf.stamps.shape[1]
    y, x = np.indices((side, side)) - side // 2
    fade = np.clip(5.0 * (1.0 - np.hypot(y, x) / (side // 2)), 0.0, 1.0)
    return PSF(psf.stamps * fade, psf.pixel_scale)


def _draw_scene(
    galaxy: Galaxy,
    others: Sequence[Galaxy],
    scene: Scene,
    sharp: tuple[float, PSF],
    zero_point: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """What the sharp telescope, of this FWHM and PSF, sees of galaxies and stars."""
    side = scene.size + 2 * MARGIN
    flux = np.zeros((side, side), dtype=np.float32)
    fwhm, point = sharp

    def add(
        stamp: NDArray[np.floating],
        matrix: NDArray[np.float64],
        place: NDArray[np.floating],
        magnitude: float,
    ) -> None:
        """Add a stamp, its middle at a place; the matrix leads from the scene's pixels to its."""
        middle = 0.5 * (np.array(stamp.shape) - 1.0)
        drawn = resample(stamp, Affine(matrix, middle - matrix @ place), (side, side))
        brightness = np.float32(10 ** (0.4 * (zero_point - magnitude)))
        np.add(flux, brightness * np.clip(np.nan_to_num(drawn), 0.0, None), out=flux)

    def add_galaxy(galaxy: Galaxy, place: NDArray[np.floating]) -> None:
        wanted = np.exp(rng.uniform(*np.log(scene.half_light_radius)))
        larger = min(wanted / galaxy.half_light_radius, scene.enlarge)
        magnitude = rng.uniform(*scene.magnitude)
        angle = rng.uniform(0.0, 2.0 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        if rng.random() < 0.5:
            turn = turn @ np.diag([1.0, -1.0])
        missing = fwhm**2 - (scene.resolution * larger) ** 2
        stamp = galaxy.flux
        if missing > 0.03**2:
            # Shrunk, it is sharper than the telescope: blurred in its own pixels to what that sees.
            blur = gaussian_psf(np.sqrt(missing) / larger, galaxy.pixel_scale)
            radius = blur.stamps.shape[1] // 2
            stamp = convolve(np.pad(stamp, radius)[None], blur.stamps, "zero")[0]
        add(stamp, turn * scene.pixel_scale / (galaxy.pixel_scale * larger), place, magnitude)

    middle = 0.5 * (side - 1) + rng.uniform(-6.0, 6.0, 2)
    add_galaxy(galaxy, middle)
    if scene.nuclei and rng.random() < scene.nuclei:
        add(point.stamps[0], np.eye(2), middle, rng.uniform(18.0, 24.0))
    for _ in range(rng.integers(scene.neighbours + 1)):
        other = others[int(rng.integers(len(others)))]
        add_galaxy(other, rng.uniform(0, side, 2))
    if rng.random() < scene.stars:
        magnitude = rng.uniform(18.0, 24.0)
        add(point.stamps[0], np.eye(2), rng.uniform(0, side, 2), magnitude)
    return flux


def _observe(
    flux: NDArray[np.float32], ratio: float, noise: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Sample a scene in a camera's pixels, ``ratio`` as wide, add noise, and bring it back."""
    from scipy import ndimage

    count = int(len(flux) / ratio)
    first: Any = rng.uniform(0.0, ratio, 2)
    # Point samples: the PSF includes the camera's pixels.
    pixels = ratio**2 * ndimage.affine_transform(
        flux.astype(np.float64), np.full(2, ratio), first, (count, count), order=3
    )
    pixels += noise * rng.standard_normal(pixels.shape)
    back = Affine(np.eye(2) / ratio, -first / ratio)
    return np.nan_to_num(resample(pixels, back, (len(flux), len(flux))))
