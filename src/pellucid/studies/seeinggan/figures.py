"""The paper's figures 4 to 8 and its appendix, from a study's own galaxies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.data.pairs import Pairs
from pellucid.display import asinh_scale, to_pixels
from pellucid.evaluation.figures import Panel, draw_comparison
from pellucid.sky import background_of
from pellucid.sky.image import SkyImage
from pellucid.studies.seeinggan.comparison import (
    SEEINGGAN,
    SUBARU,
    Restore,
    cw_ssim_of,
    inner,
    network,
)
from pellucid.studies.seeinggan.preset import Preset
from pellucid.studies.seeinggan.sample import Sample
from pellucid.studies.seeinggan.scores import Scores
from pellucid.studies.seeinggan.tables import NAMES
from pellucid.studies.seeinggan.training import model_file

#: How many galaxies figures 4 and 5, 6, 8, the appendix and the comparison of methods show.
SAMPLES, LAYERED, EXAMPLES, APPENDIX, COMPARED = 9, 2, 8, 6, 5
#: Galaxies beside each other in figures 4 and 5, and in figure 8, where each has three pictures.
ACROSS, TRIOS = 3, 2
EMPTY = Panel(np.full((8, 8, 3), 255, dtype=np.uint8))


@dataclass(frozen=True)
class Atlas:
    """A study's tested galaxies, restored when a figure asks for them.

    Parameters
    ----------
    restorers
        From `deconvolutions` and `network`.
    """

    folder: Path
    preset: Preset
    sample: Sample
    store: Pairs
    scores: Scores
    restorers: dict[str, Restore]

    @property
    def margin(self) -> int:
        return self.preset.galaxies.margin_pixels()

    @cached_property
    def place(self) -> dict[str, int]:
        """Position in the store of each id."""
        return {name: k for k, name in enumerate(self.store.ids)}

    @cached_property
    def by_gain(self) -> list[str]:
        """The galaxies, those that gained most CW-SSIM first."""
        gain = {
            name: rows[SEEINGGAN]["cw_ssim"] - rows[SUBARU]["cw_ssim"]
            for name, rows in self.scores.items()
        }
        return sorted(gain, key=lambda name: (-np.nan_to_num(gain[name], nan=-np.inf), name))

    def spread(self, count: int) -> list[str]:
        """So many galaxies, from the largest to the smallest gain in equal steps: good and bad."""
        steps = np.linspace(0, len(self.by_gain) - 1, min(count, len(self.by_gain)))
        return [self.by_gain[k] for k in sorted({round(step) for step in steps})]

    def panels(self, name: str, restorers: Sequence[str], metrics: Sequence[str]) -> list[Panel]:
        """HST, Subaru and restorations of one galaxy, all in one stretch, with their scores."""
        pair = self.store.pair(self.place[name])
        sharp, blurred = pair.sharp, pair.blurred
        truth = inner(sharp, self.margin)
        images = [inner(self.restorers[each](blurred), self.margin) for each in restorers]
        notes = [_note(self.scores[name][each], metrics) for each in restorers]
        return [
            Panel(picture(each, truth), note)
            for each, note in zip([truth, *images], ["", *notes], strict=True)
        ]


def draw_figures(atlas: Atlas, output: Path) -> list[Path]:
    """Draw all of them; returns their paths."""
    shown = atlas.spread(SAMPLES)
    best, *others = atlas.spread(EXAMPLES + 1)
    rest = [name for name in atlas.by_gain if name not in (best, *others)]
    all_scores = ("cw_ssim", "ssim", "psnr")
    drawn = [
        _draw_samples(atlas, shown, 0, "HST", output / "figure-4.png"),
        _draw_samples(atlas, shown, 1, "Subaru", output / "figure-5.png"),
        _draw_layers(atlas, output / "figure-6.png"),
        _draw_trios(atlas, [best], all_scores, output / "figure-7.png"),
        _draw_trios(atlas, others or [best], ("cw_ssim",), output / "figure-8.png"),
        _draw_methods(atlas, output / "methods.png"),
    ]
    if rest:
        drawn.append(_draw_trios(atlas, rest[:APPENDIX], all_scores, output / "appendix.png"))
    return drawn


def picture(image: SkyImage, truth: SkyImage) -> NDArray[np.uint8]:
    """Grey levels, shape (y, x, 3), asinh in the noise of the truth, white at its brightest.

    All images of a galaxy are drawn with one scale, so that light can be compared.
    """
    sky = background_of(truth)
    noise = sky.sigma if sky.sigma > 0 else 1e-3 * float(np.nanmax(truth.flux))
    top = max(float(np.nanpercentile(truth.flux[0], 99.8)) / noise, 10.0)
    grey = to_pixels(asinh_scale(np.nan_to_num(image.flux[0]) / noise, top))
    return np.repeat(grey[..., None], 3, axis=-1)


def _draw_samples(atlas: Atlas, names: list[str], side: int, telescope: str, path: Path) -> Path:
    """Nine galaxies as one telescope saw them."""
    panels = [replace(atlas.panels(name, (SUBARU,), ())[side], note=name) for name in names]
    return _draw_grid(panels, [telescope] * min(ACROSS, len(panels)), path)


def _draw_trios(atlas: Atlas, names: list[str], metrics: Sequence[str], path: Path) -> Path:
    """HST, Subaru and SeeingGAN of each galaxy."""
    panels = []
    for name in names:
        first, *others = atlas.panels(name, (SUBARU, SEEINGGAN), metrics)
        panels += [replace(first, note=name), *others]
    headings = ["HST", "Subaru", "SeeingGAN"] * min(TRIOS, len(names))
    return _draw_grid(panels, headings, path)


def _draw_methods(atlas: Atlas, path: Path) -> Path:
    """The galaxies by every restorer."""
    methods = [name for name in NAMES if name in atlas.restorers]
    names = atlas.spread(COMPARED)
    rows = [atlas.panels(name, methods, ("cw_ssim",)) for name in names]
    headings = ["HST", *(NAMES[name] for name in methods)]
    return draw_comparison(rows, headings, names, path, overwrite=True)


def _draw_grid(panels: list[Panel], headings: list[str], path: Path) -> Path:
    """Panels that name their galaxies themselves, row after row, white where they end."""
    width = len(headings)
    rows = [panels[k : k + width] for k in range(0, len(panels), width)]
    rows[-1] = rows[-1] + [EMPTY] * (width - len(rows[-1]))
    return draw_comparison(rows, headings, [""] * len(rows), path, overwrite=True)


def _draw_layers(atlas: Atlas, path: Path) -> Path:
    """The same galaxies by networks whose perceptual loss was in other layers."""
    models = {layer: network(model_file(atlas.folder, layer)) for layer in atlas.preset.layers}
    rows = []
    names = atlas.by_gain[:LAYERED]
    for name in names:
        pair = atlas.store.pair(atlas.place[name])
        sharp, blurred = pair.sharp, pair.blurred
        truth = inner(sharp, atlas.margin)
        panels = atlas.panels(name, (SUBARU,), ("cw_ssim",))
        for restore in (*models.values(), atlas.restorers[SEEINGGAN]):
            image = inner(restore(blurred), atlas.margin)
            panels.append(
                Panel(
                    picture(image, truth),
                    _note({"cw_ssim": cw_ssim_of(truth, image)}, ("cw_ssim",)),
                )
            )
        rows.append(panels)
    return draw_comparison(
        rows, ["HST", "Subaru", *models, "the model"], names, path, overwrite=True
    )


def _note(scores: dict[str, float], metrics: Sequence[str]) -> str:
    form = {"cw_ssim": "CW-SSIM {:.3f}", "ssim": "SSIM {:.3f}", "psnr": "PSNR {:.1f} dB"}
    return "\n".join(form[metric].format(scores[metric]) for metric in metrics)
