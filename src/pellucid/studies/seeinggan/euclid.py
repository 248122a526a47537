"""A second experiment: galaxies that Euclid saw in VIS, and in NISP or from the ground.

SeeingGAN never saw these cameras, and undoes one blur only; so each image is brought to pixels in
which its psf is as wide as those that it learned from. What it makes of it is blurred to the target
that the image of VIS is brought to, and to which the deconvolutions undo the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.evaluation.figures import Panel, draw_comparison
from pellucid.evaluation.scores import Scoring, Untouched, inner, score_pair
from pellucid.evaluation.tables import finite
from pellucid.optics import convolve, matching_kernel, regrid, resampled_psf
from pellucid.restoration import ClassicalRestorer, NeuralRestorer, Restoration, Restorer
from pellucid.sky import PSF, Pair, SkyImage, gaussian_psf
from pellucid.sources import half_light_radius
from pellucid.stretch import NoiseStretch
from pellucid.studies.observed import Observed, euclid_sources
from pellucid.studies.seeinggan.pictures import picture

#: Pixels of VIS a side that are compared, and around them that restorers see.
WINDOW = 40, 12
#: Sources of a field at most, and the least signal over noise in VIS.
MOST, LEAST_SIGNAL = 99, 15.0
#: Half-light radius at the target over that of a point: what is smaller is a star or looks like it.
SMALLEST = 1.15
METRICS = ("psnr", "ssim", "cw_ssim", "source", "sources")
BLURRED, SEEINGGAN = "blurred", "seeinggan"
#: How many are drawn.
EXAMPLES = 8
#: What the deconvolutions are tuned by.
TUNED_BY = "cw_ssim"


@dataclass(frozen=True)
class AsLearned:
    """SeeingGAN on pixels of another size, in which the psf is as wide as it learned from."""

    network: NeuralRestorer
    own: PSF
    name: str = SEEINGGAN

    def __call__(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Restoration:
        """Restore ``image``, and blur what it makes by ``own`` to the target."""
        told = replace(image, pixel_scale=self.network.card.pixel_scale, psf=None, wcs=None)
        flux = self.network(told).image.flux
        return Restoration(image.with_flux(convolve(flux, self.own.for_bands(1), "reflect")))


@dataclass(frozen=True, eq=False)
class Galaxy:
    """A galaxy on its fine grid; arcsec, and signal over noise in VIS.

    Parameters
    ----------
    own
        From what SeeingGAN restores to, to the target.
    """

    id: str
    field: str
    kind: str
    pair: Pair
    margin: int
    own: PSF
    camera_scale: float
    signal: float
    radius: float


def euclid_galaxies(data: Path, work: Path, width: float, sharp: float) -> Iterator[Galaxy]:
    """Every galaxy of the fields, in the bluest of the blurred bands, where there are such fields.

    Parameters
    ----------
    width, sharp
        FWHM in pixels of the psf that SeeingGAN learned from, and of what it restores to.
    """
    for each in euclid_sources(data, work, MOST, LEAST_SIGNAL, WINDOW):
        galaxy = _on_fine_grid(each, width, sharp)
        if galaxy is not None:
            yield galaxy


def measure_euclid(
    galaxies: Sequence[Galaxy], network: NeuralRestorer, choices: Mapping[str, Sequence[float]]
) -> list[dict[str, Any]]:
    """Of each galaxy its ``id``, ``field``, ``kind``, ``signal``, ``radius`` and ``scores``.

    The constant of a deconvolution, of those in ``choices``, is the one that serves the galaxies of
    all other fields best.
    """
    tried = [_tried(galaxy, network, choices) for galaxy in galaxies]
    rows = []
    for galaxy, found in zip(galaxies, tried, strict=True):
        others = [
            scores
            for other, scores in zip(galaxies, tried, strict=True)
            if other.field != galaxy.field
        ]
        constants = {
            method: max(some, key=lambda each, method=method: _mean(others, (method, each)))
            for method, some in choices.items()
        }
        told = {name: getattr(galaxy, name) for name in ("id", "field", "kind", "signal", "radius")}
        scores = {name: found[name] for name in (BLURRED, SEEINGGAN)}
        scores |= {method: found[method, each] for method, each in constants.items()}
        rows.append({**told, "constants": constants, "scores": scores})
    return rows


def draw_examples(
    galaxies: Sequence[Galaxy],
    rows: Sequence[Mapping[str, Any]],
    network: NeuralRestorer,
    path: Path,
) -> Path:
    """Draw some galaxies, from the largest to the smallest gain in CW-SSIM in equal steps."""
    gains = [_gain(row["scores"]) for row in rows]
    order = np.argsort(gains)[::-1]
    steps = np.linspace(0, len(order) - 1, min(EXAMPLES, len(order)))
    panels, names = [], []
    for place in order[sorted({round(step) for step in steps})]:
        galaxy, row = galaxies[place], rows[place]
        restorers: dict[str, Restorer] = {
            BLURRED: Untouched(BLURRED),
            **{name: ClassicalRestorer(name, some) for name, some in row["constants"].items()},
            SEEINGGAN: AsLearned(network, galaxy.own),
        }
        blurred, blur = galaxy.pair.blurred, galaxy.pair.blur
        truth = inner(galaxy.pair.sharp, galaxy.margin)
        drawn = [Panel(picture(truth, truth))]
        for name, restorer in restorers.items():
            shown = picture(inner(restorer(blurred, blur).image, galaxy.margin), truth)
            drawn.append(Panel(shown, "CW-SSIM {cw_ssim:.3f}".format(**row["scores"][name])))
        panels.append(drawn)
        names.append(f"{galaxy.field} {'-'.join(galaxy.id.split('-')[-2:])}")
    methods = [name.title().replace("-", "–") for name in rows[0]["constants"]]
    headings = ["VIS", "blurred", *methods, "SeeingGAN"]
    return draw_comparison(panels, headings, names, path, overwrite=True)


def _gain(scores: Mapping[str, Mapping[str, Any]]) -> float:
    before, after = (scores[name]["cw_ssim"] for name in (BLURRED, SEEINGGAN))
    return -np.inf if before is None or after is None else after - before


def _tried(
    galaxy: Galaxy, network: NeuralRestorer, choices: Mapping[str, Sequence[float]]
) -> dict[Any, dict[str, Any]]:
    """The metrics of each restorer, of a deconvolution by its name and constant."""
    restorers: dict[Any, Restorer] = {
        BLURRED: Untouched(BLURRED),
        SEEINGGAN: AsLearned(network, galaxy.own),
        **{
            (method, constant): ClassicalRestorer(method, constant)
            for method, constants in choices.items()
            for constant in constants
        },
    }
    scoring = Scoring(METRICS, NoiseStretch(), galaxy.margin)
    scored = score_pair(galaxy.id, galaxy.pair, restorers, scoring, galaxy.camera_scale)
    return finite(scored.metrics)


def _mean(scores: Sequence[Mapping[Any, Mapping[str, Any]]], key: tuple[str, float]) -> float:
    """What galaxies are tuned by, of one deconvolution with one constant."""
    values = [some[key][TUNED_BY] for some in scores]
    good = [value for value in values if value is not None]
    return float(np.mean(good)) if good else -np.inf


def _on_fine_grid(each: Observed, width: float, sharp: float) -> Galaxy | None:
    """The source on the grid that SeeingGAN takes; None where it is a star."""
    blurred, truth = (
        replace(image.of_bands([0]), variance=None, mask=None, wcs=None)
        for image in (each.pair.blurred, each.pair.sharp)
    )
    assert isinstance(blurred.psf, PSF)
    assert isinstance(truth.psf, PSF)
    assert each.pair.blur is not None
    blur = PSF(each.pair.blur.for_bands(len(each.pair.blurred.bands))[:1], each.camera_scale)
    radius = _radius(truth)
    star = _radius(truth.with_flux(_star_like(truth)))
    if not radius >= SMALLEST * star:
        return None
    scale = blurred.psf.fwhm / width
    finer = [_filled(regrid(image, scale)) for image in (blurred, truth)]
    target = resampled_psf(truth.psf, scale)
    own = matching_kernel(gaussian_psf(sharp * scale, scale), target)
    pair = Pair(finer[0], finer[1], resampled_psf(blur, scale))
    margin = round(each.margin * each.camera_scale / scale)
    field = each.id.split("_")[0]  # of one sky, whichever camera saw it and whoever cut it out
    return Galaxy(
        *(each.id, field, each.kind, pair, margin, own, each.camera_scale, each.signal, radius)
    )


def _filled(image: SkyImage) -> SkyImage:
    """The last pixels of the margin, which may lie half outside the old grid, as those before."""
    good = np.isfinite(image.flux[0])
    rows, columns = (1 + int(np.flatnonzero(good.any(axis=axis))[-1]) for axis in (1, 0))
    beyond = [(0, side - some) for side, some in zip(good.shape, (rows, columns), strict=True)]
    return image.with_flux(np.pad(image.flux[:, :rows, :columns], ((0, 0), *beyond), "edge"))


def _radius(image: SkyImage) -> float:
    """Half-light radius in arcsec about the middle."""
    assert image.pixel_scale is not None
    plane = np.nan_to_num(image.flux[0] - np.nanmedian(image.flux[0]))
    middle = tuple(0.5 * (side - 1) for side in plane.shape)
    found = half_light_radius(plane, (middle[0], middle[1]), 0.5 * WINDOW[0])
    return float(image.pixel_scale * found)


def _star_like(image: SkyImage) -> NDArray[np.float32]:
    """A star in the middle of an image of that shape."""
    point = np.zeros_like(image.flux)
    point[:, point.shape[1] // 2, point.shape[2] // 2] = 1.0
    assert isinstance(image.psf, PSF)
    return convolve(point, image.psf.for_bands(1), "zero")
