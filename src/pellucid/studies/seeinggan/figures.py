"""The paper's figures 4 to 8 and its appendix, from a study's own galaxies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pellucid.data.pairs import Pairs
from pellucid.evaluation.figures import Panel, draw_comparison
from pellucid.evaluation.scores import Metrics, Scored, inner, score_pair
from pellucid.restoration import Restorer
from pellucid.studies.seeinggan.jobs import SEEINGGAN, SUBARU, layer_restorers, scoring
from pellucid.studies.seeinggan.pictures import picture
from pellucid.studies.seeinggan.preset import Preset
from pellucid.studies.seeinggan.scores import Scores
from pellucid.studies.seeinggan.tables import LAYER_NAMES, NAMES

#: How many galaxies figures 4 and 5, 6, 8, the appendix and the comparison of methods show.
SAMPLES, LAYERED, EXAMPLES, APPENDIX, COMPARED = 9, 2, 8, 8, 5
#: Galaxies beside each other in figures 4 and 5, and in figure 8, where each has three pictures.
ACROSS, TRIOS = 3, 2
EMPTY = Panel(np.full((8, 8, 3), 255, dtype=np.uint8))


@dataclass(frozen=True)
class Gallery:
    """A study's tested galaxies, restored when a figure asks for them."""

    folder: Path
    preset: Preset
    store: Pairs
    scores: Scores
    restorers: Mapping[str, Restorer]

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

    def restored(self, name: str, restorers: Mapping[str, Restorer], *metrics: str) -> Scored:
        """One galaxy by some restorers, scored anew by some metrics."""
        pair = self.store.pair(self.store.ids.index(name))
        return score_pair(name, pair, restorers, scoring(self.preset, *metrics))

    def panels(self, name: str, restorers: Sequence[str], metrics: Sequence[str]) -> list[Panel]:
        """HST and restorations of one galaxy, all in one stretch, with the study's scores."""
        scored = self.restored(name, {who: self.restorers[who] for who in restorers})
        return self.drawn(scored, self.scores[name], metrics)

    def drawn(self, scored: Scored, scores: Metrics, metrics: Sequence[str]) -> list[Panel]:
        margin = self.preset.galaxies.margin_pixels()
        truth = inner(scored.pair.sharp, margin)
        panels = [Panel(picture(truth, truth))]
        for who, made in scored.restored.items():
            shown = picture(inner(made.image, margin), truth)
            panels.append(Panel(shown, _note(scores[who], metrics)))
        return panels


def draw_figures(gallery: Gallery, output: Path) -> list[Path]:
    """Draw all of them; returns their paths."""
    shown = gallery.spread(SAMPLES)
    best, *others = gallery.spread(EXAMPLES + 1)
    rest = [name for name in gallery.by_gain if name not in (best, *others)]
    all_scores = ("cw_ssim", "ssim", "psnr")
    pairs = [
        [replace(one, note=name) for one in gallery.panels(name, (SUBARU,), ())] for name in shown
    ]
    across = min(ACROSS, len(shown))
    drawn = [
        _draw_grid([hst for hst, _ in pairs], ["HST"] * across, output / "figure-4.png"),
        _draw_grid([seen for _, seen in pairs], ["Subaru"] * across, output / "figure-5.png"),
        _draw_layers(gallery, output / "figure-6.png"),
        _draw_trios(gallery, [best], all_scores, output / "figure-7.png"),
        _draw_trios(gallery, others or [best], ("cw_ssim",), output / "figure-8.png"),
        _draw_methods(gallery, output / "methods.png"),
    ]
    if rest:
        drawn.append(_draw_trios(gallery, rest[:APPENDIX], all_scores, output / "appendix.png"))
    return drawn


def _draw_trios(gallery: Gallery, names: list[str], metrics: Sequence[str], path: Path) -> Path:
    """HST, Subaru and SeeingGAN of each galaxy."""
    panels = []
    for name in names:
        first, *others = gallery.panels(name, (SUBARU, SEEINGGAN), metrics)
        panels += [replace(first, note=name), *others]
    headings = ["HST", "Subaru", "SeeingGAN"] * min(TRIOS, len(names))
    return _draw_grid(panels, headings, path)


def _draw_methods(gallery: Gallery, path: Path) -> Path:
    """The galaxies by every restorer."""
    methods = [name for name in NAMES if name in gallery.restorers]
    names = gallery.spread(COMPARED)
    rows = [gallery.panels(name, methods, ("cw_ssim",)) for name in names]
    headings = ["HST", *(NAMES[name] for name in methods)]
    return draw_comparison(rows, headings, names, path, overwrite=True)


def _draw_grid(panels: list[Panel], headings: list[str], path: Path) -> Path:
    """Panels that name their galaxies themselves, row after row, white where they end."""
    width = len(headings)
    rows = [panels[k : k + width] for k in range(0, len(panels), width)]
    rows[-1] = rows[-1] + [EMPTY] * (width - len(rows[-1]))
    return draw_comparison(rows, headings, [""] * len(rows), path, overwrite=True)


def _draw_layers(gallery: Gallery, path: Path) -> Path:
    """The same galaxies by networks whose perceptual loss was in other layers."""
    restorers = layer_restorers(gallery.preset, gallery.folder)
    names = gallery.by_gain[:LAYERED]
    rows = []
    for name in names:
        scored = gallery.restored(name, restorers, "cw_ssim")
        rows.append(gallery.drawn(scored, scored.metrics, ("cw_ssim",)))
    headings = ["HST", *(LAYER_NAMES.get(who, who) for who in restorers)]
    return draw_comparison(rows, headings, names, path, overwrite=True)


def _note(scores: Mapping[str, float], metrics: Sequence[str]) -> str:
    form = {"cw_ssim": "CW-SSIM {:.3f}", "ssim": "SSIM {:.3f}", "psnr": "{:.1f} dB"}
    first, *others = [form[metric].format(scores[metric]) for metric in metrics] or [""]
    return "\n".join(line for line in (first, ", ".join(others)) if line)
