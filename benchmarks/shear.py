"""Whether a weak shear of a galaxy comes through: its ellipticity's response, before and after.

    python benchmarks/shear.py STUDY --output FOLDER [--shear 0.03]

STUDY is a finished GalaxyGAN study. Each tested galaxy of its first fold is sheared by ± so much
along x, degraded with the same noise, and restored by the network of its cell and by Wiener's
filter. The response is half the difference of the two ellipticities over the shear, measured under
one window: where it is the original's, the shear is recovered. shear.md has the means.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from pellucid import load_restorer
from pellucid.data.made import MadePairs
from pellucid.data.pairs import open_made
from pellucid.evaluation.scores import Scoring, Untouched, score_pair
from pellucid.evaluation.tables import markdown_table, with_error
from pellucid.files import make_folder, write_content
from pellucid.metrics.source import find_source
from pellucid.restoration import Restorer
from pellucid.sky.background import robust_background
from pellucid.sources import ellipticity, half_light_radius
from pellucid.studies.folder import model_file
from pellucid.studies.galaxygan.jobs import Job, fold_for
from pellucid.studies.galaxygan.preset import Cell, Preset, degradation

ORIGINAL, DEGRADED, WIENER, GAN = "original", "degraded", "Wiener", "GAN"


@dataclass
class Sheared(MadePairs):
    """The objects of a store, sheared along x."""

    shear: float = 0.0

    def flux(self, index: int) -> NDArray[np.float32]:
        flux = MadePairs.flux(self, index)
        # Of the area 1: flux stays. What is seen at a place was at the place this leads to.
        matrix = np.diag([1.0 + self.shear, 1.0 - self.shear]) / np.sqrt(1.0 - self.shear**2)
        middle = 0.5 * (np.array(flux.shape[1:]) - 1.0)
        offset = middle - matrix @ middle
        planes = [affine_transform(each, matrix, offset, order=3, mode="nearest") for each in flux]
        return np.stack(planes).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--shear", type=float, default=0.03)
    options = parser.parse_args()
    preset = Preset.model_validate(json.loads((options.study / "study.json").read_text())["preset"])
    output, rows = make_folder(options.output), []
    for cell in sorted(preset.cells_of_gan(), key=lambda cell: cell[::-1]):
        model = model_file(options.study, Job("gan", *cell, preset.first_fold).name)
        if not model.exists():
            continue
        rows.append(row(options.study, preset, cell, model, options.shear))
        write_content(output / "shear.md", page(rows, options.shear), overwrite=True)


def row(study: Path, preset: Preset, cell: Cell, model: Path, shear: float) -> list[str]:
    """The responses at a cell: their means and standard errors, and how far from the original's."""
    restorers = {
        DEGRADED: Untouched(),
        WIENER: load_restorer(method="wiener"),
        GAN: load_restorer(model=model),
    }
    store = open_made(study / "sample.h5").through(degradation(cell))
    given = {each.name: getattr(store, each.name) for each in fields(store) if each.init}
    plus, minus = (Sheared(**given, shear=sign * shear) for sign in (1.0, -1.0))
    found = []
    for place in fold_for(store, preset, preset.first_fold).tested:
        both = [shapes(store, some, int(place), preset.seed, restorers) for some in (plus, minus)]
        found.append((both[0] - both[1]) / (2.0 * shear))
    responses = np.array(found)
    responses = responses[np.isfinite(responses).all(axis=1)]
    error = responses.std(axis=0, ddof=1) / np.sqrt(len(responses))
    means = [with_error(*both, 3) for both in zip(responses.mean(axis=0), error, strict=True)]
    rng = np.random.default_rng(0)
    drawn = responses[rng.integers(len(responses), size=(1000, len(responses)))].mean(axis=1)
    biases = 100.0 * (drawn[:, 1:] / drawn[:, :1] - 1.0)
    bias = [f"{b.mean():+.1f} ± {b.std():.1f} %" for b in biases.T]
    return [f"{cell[0]:g}″, {cell[1]:g} σ", *means, *bias, str(len(responses))]


def shapes(
    plain: MadePairs, some: Sheared, place: int, seed: int, restorers: dict[str, Restorer]
) -> NDArray[np.float64]:
    """Ellipticity along x: of the original, then by each restorer, under the plain one's window."""
    flux = plain.flux(place)
    source = find_source(flux)
    if source is None:
        return np.full(1 + len(restorers), np.nan)
    width = max(half_light_radius(above_sky(flux), source.center, source.radius), 1.5)
    scored = score_pair(some.ids[place], some.pair(place, seed), restorers, Scoring(metrics=[]))
    images = [scored.pair.sharp, *(scored.restored[name].image for name in restorers)]
    planes = [above_sky(image.flux) for image in images]
    window = source.center, source.radius, width
    return np.array([ellipticity(plane, *window).real for plane in planes])


def above_sky(flux: NDArray[np.floating]) -> NDArray[np.floating]:
    return (flux - robust_background(flux).sky[:, None, None]).mean(axis=0)


def page(rows: list[list[str]], shear: float) -> str:
    names = [ORIGINAL, DEGRADED, WIENER, GAN]
    biases = [f"{name}, less the original's" for name in names[1:]]
    told = f"Response of galaxies' ellipticity to a shear of ±{shear:g} along x, mean ± its error."
    return f"# Shear\n\n{told}\n\n{markdown_table(['cell', *names, *biases, 'galaxies'], rows)}\n"


if __name__ == "__main__":
    main()
