"""Forms of ordinary galaxies and of what is none, as a model restores them: what its card knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.scenes import ScenePairs, SceneRecipe
from pellucid.data.truth import TruthStore
from pellucid.evaluation.tables import markdown_table
from pellucid.metrics.form import form_of
from pellucid.optics import convolve
from pellucid.restoration import Restorer
from pellucid.restoration.unlike import UNUSUAL, furthest
from pellucid.sky import SkyImage, gaussian_psf

#: Pixels a side; FWHM in pixels of the blur, and signal over noise of the brightest pixel, from
#: smallest to largest.
SIDE, BLURS, PEAKS = 128, (2.5, 6.0), (20.0, 200.0)
#: Added to covariances, in units of each number's variance.
SHRINKAGE = 0.1
#: Steps of the quantiles.
STEPS = 400
#: Pictures of other things, of scikit-image; the cat is left for the test.
PICTURES = ("astronaut", "coffee", "rocket", "camera", "coins", "page", "clock", "text", "moon")


def learn_forms(
    truth: TruthStore, galaxies: Iterable[int], model: Restorer, each: int
) -> dict[str, Any]:
    """What `pellucid.restoration.unlike` takes: of ordinary galaxies, and ``each`` odd object."""
    rng = np.random.default_rng(0)
    ordinary = _forms(galaxy_views(truth, galaxies, rng), model)
    mean, scale = ordinary.mean(axis=0), ordinary.std(axis=0) + 1e-6
    plain = (ordinary - mean) / scale
    within = np.cov(plain.T)
    directions = []
    for draw in ODD.values():
        odd = (_forms(odd_views(draw, each, rng), model) - mean) / scale
        # Fisher's direction from galaxies to these.
        spread = within + 0.5 * np.cov(odd.T) + SHRINKAGE * np.eye(len(mean))
        directions.append(np.linalg.solve(spread, odd.mean(axis=0)))
    along = plain @ np.array(directions).T
    forms = {
        "mean": mean,
        "scale": scale,
        "directions": np.array(directions),
        "middle": along.mean(axis=0),
        "width": along.std(axis=0),
    }
    outermost = furthest(ordinary, forms)
    forms["quantiles"] = np.quantile(outermost, np.linspace(0.0, 1.0, STEPS + 1))
    return {name: np.round(value, 5).tolist() for name, value in forms.items()}


def measure_forms(
    truth: TruthStore,
    galaxies: Iterable[int],
    model: Restorer,
    forms: Mapping[str, Any],
    each: int,
) -> dict[str, float]:
    """Shares of objects above the 99th percentile: galaxies held back, and odd ones, by kind."""
    rng = np.random.default_rng(1)
    limit = float(np.quantile(forms["quantiles"], UNUSUAL))
    found = {"ordinary galaxies": _forms(galaxy_views(truth, galaxies, rng), model)}
    for name, draw in {**ODD, "cat": _cat}.items():
        found[name] = _forms(odd_views(draw, each, rng), model)
    return {name: float((furthest(some, forms) > limit).mean()) for name, some in found.items()}


def forms_page(shares: dict[str, float]) -> str:
    """The shares as a table."""
    lines = [[name, f"{100 * share:.1f} %"] for name, share in shares.items()]
    return markdown_table(["object", "above the 99th percentile"], lines)


def _forms(views: Iterator[tuple[SkyImage, float]], model: Restorer) -> NDArray[np.float64]:
    found = []
    for image, blur in views:
        restored = model(image, blur=gaussian_psf(blur, 1.0)).image.flux
        form = form_of(restored.mean(axis=0), 1.0)
        if form is not None:
            found.append(form)
    return np.array(found)


def galaxy_views(
    truth: TruthStore, galaxies: Iterable[int], rng: np.random.Generator
) -> Iterator[tuple[SkyImage, float]]:
    """One band of each galaxy in its own scene, and the FWHM of its blur in pixels."""
    for index in galaxies:
        blur = float(np.exp(rng.uniform(*np.log(BLURS))))
        recipe = SceneRecipe(
            size=SIDE, neighbours=1, stars=1, blur=(2.0, 2.0), damaged=0.0, dazzling=0.0, shared=0.0
        )
        sharp = ScenePairs(truth, recipe).draw(index, rng).sharp.flux.mean(axis=0)
        yield _seen(sharp, blur, rng), blur


def odd_views(
    draw: Callable[[np.random.Generator], NDArray[np.floating]],
    count: int,
    rng: np.random.Generator,
) -> Iterator[tuple[SkyImage, float]]:
    """So many odd objects, and the FWHM of their blur in pixels."""
    from scipy.ndimage import gaussian_filter

    for _ in range(count):
        blur = float(np.exp(rng.uniform(*np.log(BLURS))))
        yield _seen(gaussian_filter(draw(rng), 0.95), blur, rng), blur


def _seen(sharp: NDArray[np.floating], blur: float, rng: np.random.Generator) -> SkyImage:
    seen = convolve(sharp[None].astype(np.float32), gaussian_psf(blur, 1.0).stamps, "reflect")
    seen *= np.float32(np.exp(rng.uniform(*np.log(PEAKS))) / max(float(seen.max()), 1e-6))
    noisy = seen + rng.standard_normal(seen.shape, dtype=np.float32)
    known = np.ones_like(noisy)
    return SkyImage(noisy, ("band",), "adu", variance=known, sky=(0.0,), pixel_scale=1.0)


def _offsets() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.indices((SIDE, SIDE)) - 0.5 * (SIDE - 1)
    return y, x, np.hypot(y, x)


def _ring(rng: np.random.Generator) -> NDArray[np.float64]:
    _, _, radius = _offsets()
    ring = np.exp(-0.5 * ((radius - rng.uniform(16.0, 32.0)) / rng.uniform(1.5, 4.5)) ** 2)
    return ring + rng.uniform(0.0, 1.5) * np.exp(-radius / rng.uniform(1.5, 4.0))


def _arc(rng: np.random.Generator) -> NDArray[np.float64]:
    y, x, radius = _offsets()
    off = np.abs(np.angle(np.exp(1j * (np.arctan2(y, x) - rng.uniform(-np.pi, np.pi)))))
    inside = 1.0 / (1.0 + np.exp(8.0 * (off - rng.uniform(0.5, 1.3))))
    arc = np.exp(-0.5 * ((radius - rng.uniform(16.0, 30.0)) / rng.uniform(1.2, 2.5)) ** 2)
    return rng.uniform(0.25, 1.0) * arc * inside + np.exp(-radius / rng.uniform(3.0, 6.0))


def _warp(rng: np.random.Generator) -> NDArray[np.float64]:
    y, x, _ = _offsets()
    if rng.random() < 0.5:
        y, x = x, y
    bend = rng.uniform(0.2, 0.5) * np.sign(x) * np.maximum(np.abs(x) - 10.0, 0.0) ** 1.25
    disc = np.exp(-np.abs(x) / rng.uniform(11.0, 17.0))
    return disc * np.exp(-0.5 * ((y - bend) / rng.uniform(1.8, 3.2)) ** 2)


def _cluster(rng: np.random.Generator) -> NDArray[np.float64]:
    y, x, _ = _offsets()
    stars = np.zeros((SIDE, SIDE))
    for row, column in rng.normal(0.0, rng.uniform(10.0, 20.0), (int(rng.integers(20, 90)), 2)):
        stars += np.exp(rng.normal()) * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 2.6)
    return stars


def _picture(rng: np.random.Generator) -> NDArray[np.float64]:
    return _cut(PICTURES[int(rng.integers(len(PICTURES)))], rng)


def _cat(rng: np.random.Generator) -> NDArray[np.float64]:
    return _cut("cat", rng)


def _cut(name: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """A part of a picture that fades towards its edges."""
    import skimage.data
    from PIL import Image

    whole = getattr(skimage.data, name)()
    whole = np.asarray(whole if whole.ndim == 2 else whole.mean(axis=2), dtype=np.float32)
    side = int(rng.uniform(0.5, 1.0) * min(whole.shape))
    row, column = (int(rng.integers(full - side + 1)) for full in whole.shape)
    part = Image.fromarray(whole[row : row + side, column : column + side])
    small = np.asarray(part.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float64)
    _, _, radius = _offsets()
    return small * np.clip(1.2 - (radius / (0.45 * SIDE)) ** 4, 0.0, 1.0)


ODD: dict[str, Callable[[np.random.Generator], NDArray[np.floating]]] = {
    "ring": _ring,
    "arc": _arc,
    "warp": _warp,
    "cluster of stars": _cluster,
    "picture": _picture,
}
