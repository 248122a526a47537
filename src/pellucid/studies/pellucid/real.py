"""How near restorations of real skies come to what a sharper camera saw of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.data.splits import known_mask
from pellucid.evaluation.scores import UNTOUCHED, Scoring, Untouched, score_pair
from pellucid.evaluation.tables import finite, markdown_table
from pellucid.optics import convolve
from pellucid.restoration import NeuralRestorer, Restoration, Restorer, load_restorer
from pellucid.sky import PSF, SkyImage
from pellucid.stretch import NoiseStretch
from pellucid.studies.observed import Observed
from pellucid.studies.seeinggan.sample import DIRECTIONS

METHODS = ("wiener", "richardson-lucy")
#: Learned from such fields of HSC, and restores to HST's own psf.
OF_HSC = "seeinggan-hsc-hst"
METRICS = ("psnr", "ssim", "cw_ssim", "source", "morphology", "sources")
#: Metric to heading and digits; of a difference or an error the mean of its size counts.
COLUMNS = {
    "psnr": ("PSNR [dB]", 2),
    "ssim": ("SSIM", 3),
    "cw_ssim": ("CW-SSIM", 3),
    "flux_ratio": ("flux ratio", 3),
    "half_light_radius_ratio": ("radius ratio", 3),
    "ellipticity_error": ("|Δe|", 3),
    "concentration_difference": ("|ΔC|", 3),
    "gini_difference": ("|ΔGini|", 3),
    "m20_difference": ("|ΔM20|", 3),
    "sources_completeness": ("complete", 3),
    "sources_purity": ("pure", 3),
    "sources_ghosts": ("ghosts", 2),
}


@dataclass(frozen=True)
class AtTarget:
    """A restorer with a target of its own, whose result is blurred to the common one."""

    restorer: Restorer
    own: PSF

    @property
    def name(self) -> str:
        return self.restorer.name

    def __call__(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Restoration:
        """Restore ``image``; it knows its blur itself."""
        result = self.restorer(image)
        flux = convolve(result.image.flux, self.own.for_bands(len(image.flux)), "reflect")
        return replace(result, image=image.with_flux(flux))


def measure_real(
    observed: Iterable[Observed], model: Restorer, others: Sequence[Restorer] = ()
) -> list[dict[str, Any]]:
    """Numbers of each source and restorer: ``id``, ``kind``, ``restorer``, then `METRICS`.

    SeeingGAN takes part where it has not learned from the field, the ``others`` everywhere.
    """
    methods: dict[str, Restorer] = {name: load_restorer(method=name) for name in METHODS}
    methods |= {each.name: each for each in others}
    other = load_restorer(OF_HSC, force=True)
    assert isinstance(other, NeuralRestorer)
    learned = other.card.training.get("trained_ids", "")
    rows = []
    for each in observed:
        restorers: dict[str, Restorer] = {UNTOUCHED: Untouched(), **methods, model.name: model}
        field = each.id.rsplit("-", 2)[0]
        # It was tuned on windows of whole fields, which its card names.
        windows = [f"{field}-{number}" for number in range(len(DIRECTIONS))]
        if each.kind.startswith("HSC") and not known_mask(learned, windows).any():
            restorers[OF_HSC] = AtTarget(other, each.own)
        scoring = Scoring(METRICS, NoiseStretch(), margin=each.margin)
        scored = score_pair(each.id, each.pair, restorers, scoring, each.camera_scale)
        for name, numbers in scored.metrics.items():
            at = {"id": each.id, "kind": each.kind, "restorer": name}
            rows.append({**at, **finite(numbers)})
    return rows


def real_page(rows: list[dict[str, Any]]) -> str:
    """A table for each pair of cameras: the mean of each metric, by restorer."""
    parts = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        of_it = [row for row in rows if row["kind"] == kind]
        count = len({row["id"] for row in of_it})
        parts.append(f"### {kind}: {count} sources")
        lines = []
        for name in dict.fromkeys(row["restorer"] for row in of_it):
            own = [row for row in of_it if row["restorer"] == name]
            cells = [_mean(own, metric, digits) for metric, (_, digits) in COLUMNS.items()]
            lines.append([name, str(len(own)), *cells])
        headings = ["restorer", "sources", *(title for title, _ in COLUMNS.values())]
        parts.append(markdown_table(headings, lines))
    return "\n\n".join(parts)


def _mean(rows: list[dict[str, Any]], metric: str, digits: int) -> str:
    values = np.array([row.get(metric) for row in rows], dtype=float)
    values = values[np.isfinite(values)]
    values = np.abs(values) if metric.endswith("_difference") else values
    return f"{np.mean(values):.{digits}f}" if values.size else "–"
