"""Kernels that training never drew, and such as are told wrongly: what becomes of a galaxy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.truth import TruthStore
from pellucid.evaluation.tables import finite, markdown_table
from pellucid.metrics import measure
from pellucid.optics import convolve, object_rng
from pellucid.restoration import Restorer, load_restorer
from pellucid.sky import PSF, Pair, gaussian_psf
from pellucid.stretch import NoiseStretch
from pellucid.studies.pellucid.views import view

#: Width of the kernels in pixels, and signal over noise of the brightest pixel.
WIDTH, PEAK = 4.5, 100.0
METHOD = "richardson-lucy"


def _stretched(psf: PSF, ratio: float) -> NDArray[np.floating]:
    """A Gaussian of this ratio of axes and the area of the round one, at 30°."""
    radius = psf.stamps.shape[1] // 2 + 6
    y, x = np.indices((2 * radius + 1,) * 2, dtype=float) - radius
    turned = np.cos(0.5236) * x + np.sin(0.5236) * y, np.cos(0.5236) * y - np.sin(0.5236) * x
    u, v = turned[0] / np.sqrt(ratio), turned[1] * np.sqrt(ratio)
    return np.exp(-4.0 * np.log(2.0) * (u**2 + v**2) / WIDTH**2)


def _shifted_sum(psf: PSF, offsets: Iterable[float]) -> NDArray[np.floating]:
    """The mean of copies that are shifted along x, in pixels."""
    from scipy.ndimage import shift

    wide = np.pad(psf.stamps[0].astype(float), 16)
    return np.mean([shift(wide, (0.0, offset), order=3) for offset in offsets], axis=0)


#: Name to the kernel that blurs; what is told is the same, but for the last two.
KERNELS: dict[str, Callable[[PSF], NDArray[np.floating]]] = {
    "round": lambda psf: psf.stamps[0],
    "elongated 2 : 1": lambda psf: _stretched(psf, 2.0),
    "trailed by 3 FWHM": lambda psf: _shifted_sum(psf, np.linspace(-1.5, 1.5, 55) * WIDTH),
    "double, 1.5 FWHM apart": lambda psf: _shifted_sum(psf, (-0.75 * WIDTH, 0.75 * WIDTH)),
    "told 10 % too broad": lambda psf: psf.stamps[0],
    "told 10 % too narrow": lambda psf: psf.stamps[0],
}
_TOLD = {"told 10 % too broad": 1.1, "told 10 % too narrow": 0.9}


def measure_unseen(
    store: TruthStore, indices: Iterable[int], model: Restorer
) -> list[dict[str, Any]]:
    """Each galaxy through each kernel: PSNR, flux and what is doubted, by restorer."""
    restorers = {model.name: model, METHOD: load_restorer(method=METHOD)}
    rows = []
    for index in indices:
        scene = view(store, index, PEAK, WIDTH)
        rng = object_rng(1, store.ids[index])
        noise = rng.standard_normal(scene.sharp.shape, dtype=np.float32)
        for name, make in KERNELS.items():
            pair = seen_through(scene, make, _TOLD.get(name, 1.0), noise)
            for who, restorer in restorers.items():
                result = restorer(pair.blurred, pair.blur)
                scores = measure(
                    result.image, pair.sharp, pair.blurred, NoiseStretch(), ("psnr", "source")
                )
                row = {"id": store.ids[index], "kernel": name, "restorer": who}
                row |= finite({key: scores[key] for key in ("psnr", "flux_ratio")})
                chi2 = result.provenance.get("chi2")
                row["chi2"] = float(np.mean(chi2)) if chi2 else None
                row["doubted"] = result.provenance.get("doubted")
                rows.append(row)
    return rows


def seen_through(
    scene: Pair, make: Callable[[PSF], NDArray[np.floating]], told: float, noise: NDArray
) -> Pair:
    """A scene behind another kernel, of which a width ``told`` times as large is stated."""
    scale = scene.blurred.pixel_scale or 1.0
    kernel = PSF(make(gaussian_psf(WIDTH * scale, scale)), scale)
    stated = gaussian_psf(told * WIDTH * scale, scale) if told != 1.0 else kernel
    flux = convolve(scene.sharp.flux, kernel.for_bands(len(noise)), "reflect") + noise
    blurred = replace(scene.blurred, flux=flux, variance=np.ones_like(flux), mask=None)
    return Pair(blurred, scene.sharp, stated)


def unseen_page(rows: list[dict[str, Any]]) -> str:
    """Means over the galaxies, a line a kernel and restorer."""
    lines = []
    for kernel in dict.fromkeys(row["kernel"] for row in rows):
        for name in dict.fromkeys(row["restorer"] for row in rows):
            own = [row for row in rows if (row["kernel"], row["restorer"]) == (kernel, name)]
            psnr, flux, chi2, doubted = (
                _mean(row[key] for row in own) for key in ("psnr", "flux_ratio", "chi2", "doubted")
            )
            cells = [f"{psnr:.2f}", f"{flux:.4f}"]
            cells += ["–" if chi2 is None else f"{chi2:.2f}"]
            cells += ["–" if doubted is None else f"{100 * doubted:.1f} %"]
            lines.append([kernel, name, *cells])
    headings = ["kernel", "restorer", "PSNR [dB]", "flux ratio", "χ²", "doubted"]
    return markdown_table(headings, lines, left=2)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
