"""Samples of held-back galaxies: their mean, their sharpness, and whether their spread is true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.truth import TruthStore
from pellucid.evaluation.tables import finite, markdown_table
from pellucid.metrics import measure
from pellucid.restoration import Restorer
from pellucid.stretch import NoiseStretch
from pellucid.studies.pellucid.views import PEAKS, PLACES, places, view

#: FWHM of the blur in pixels.
BLUR = 4.5
#: Spatial frequencies in cycles per pixel; beyond them a target of 2.25 pixels leaves a tenth.
RINGS = ((0.0, 0.09), (0.09, 0.18), (0.18, 0.27), (0.27, 0.36))


def measure_drawn(
    store: TruthStore, indices: Iterable[int], restorer: Restorer
) -> list[dict[str, Any]]:
    """Numbers of each galaxy and depth from a restorer that draws samples.

    Returns
    -------
    list of dict
        ``psnr_mean`` of the mean's network and ``psnr_samples`` of the mean of the samples, in dB;
        ``power_ratio_1`` … ``_4``, a sample's power over the truth's in each of `RINGS`;
        ``inside_sky`` … the fraction of true pixels between the lowest and the highest sample.
    """
    rows = []
    for index in indices:
        for peak in PEAKS:
            pair = view(store, index, peak, BLUR)
            result = restorer(pair.blurred, pair.blur)
            assert result.samples is not None
            truth = pair.sharp.flux
            row: dict[str, Any] = {"id": store.ids[index], "peak": peak}
            of_samples = replace(result.image, flux=result.samples.mean(axis=0))
            for name, image in (("mean", result.image), ("samples", of_samples)):
                scores = measure(image, pair.sharp, pair.blurred, NoiseStretch(), ("psnr",))
                row[f"psnr_{name}"] = scores["psnr"]
            true, drawn = (ring_powers(flux) for flux in (truth, result.samples[0]))
            row |= {f"power_ratio_{k + 1}": drawn[k] / true[k] for k in range(len(RINGS))}
            inside = (truth > result.samples.min(axis=0)) & (truth < result.samples.max(axis=0))
            for place, where in places(truth).items():
                row[f"inside_{place}"] = float(inside[where].mean()) if where.any() else None
            rows.append(finite(row))
    return rows


def ring_powers(flux: NDArray[np.floating]) -> NDArray[np.float64]:
    """Power in `RINGS` of the asinh of flux over noise, without what its edges make of it."""
    value = np.arcsinh(flux)
    value = value - value.mean(axis=(1, 2), keepdims=True)
    window = np.hanning(value.shape[1])[:, None] * np.hanning(value.shape[2])
    power = np.abs(np.fft.rfft2(value * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(value.shape[1])[:, None], np.fft.rfftfreq(value.shape[2]))
    return np.array(
        [power[:, (frequency > low) & (frequency <= high)].sum() for low, high in RINGS]
    )


def drawn_page(rows: list[dict[str, Any]], count: int) -> str:
    """Medians by depth; so many samples were drawn of each galaxy."""
    expected = (count - 1) / (count + 1)
    keys = [f"power_ratio_{k + 1}" for k in range(len(RINGS))]
    keys += [f"inside_{place}" for place in PLACES]
    lines = []
    for peak in PEAKS:
        own = [row for row in rows if row["peak"] == peak]
        gain = [row["psnr_samples"] - row["psnr_mean"] for row in own]
        middles = [_middle(row[key] for row in own) for key in keys]
        lines.append([f"{peak:g}", f"{np.mean(gain):+.2f}", *(f"{each:.2f}" for each in middles)])
    headings = ["peak S/N", "samples' mean − mean [dB]"]
    headings += [f"power {low:g}–{high:g}" for low, high in RINGS]
    headings += [f"{place}, {expected:.2f} is true" for place in PLACES]
    return markdown_table(headings, lines)


def _middle(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else float("nan")
