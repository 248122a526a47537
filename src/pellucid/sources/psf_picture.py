"""A picture of a PSF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from pellucid.display import check_picture_name
from pellucid.files import write_atomically
from pellucid.sky.psf import PSF, stamp_fwhm

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What is drawn black, in shares of the peak; the scale from there is logarithmic.
DARK = 1e-4
#: Inches a band's picture, and right of them for the scale of grey.
PANEL, SCALE = 2.9, 0.7


def psf_figure(psf: PSF) -> Figure:
    """The PSF of each band beside each other, from 1e-4 of the peak up, on axes in arcsec.

    A circle as wide as its FWHM lies on each; the first row is at the bottom.
    """
    # The object interface: no window, no state shared with a caller's own pyplot.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle

    count, norm = len(psf.stamps), LogNorm(DARK, 1.0)
    names = psf.bands or tuple(f"band{k + 1}" for k in range(count))
    figure = Figure(figsize=(PANEL * count + SCALE, PANEL + 0.25), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, count, squeeze=False)[0]
    down, along = (0.5 * side * psf.pixel_scale for side in psf.stamps.shape[1:])
    for axis, name, stamp in zip(axes, names, psf.stamps, strict=True):
        shares = np.clip(stamp / stamp.max(), DARK, 1.0)
        axis.imshow(
            shares, norm=norm, cmap="gray", origin="lower", interpolation="nearest",
            extent=(-along, along, -down, down),
        )  # fmt: skip
        width = stamp_fwhm(stamp)
        fwhm = width * psf.pixel_scale
        axis.add_patch(Circle((0.0, 0.0), 0.5 * fwhm, fill=False, color="tab:red", lw=1.0))
        axis.set_title(f'{name}: FWHM {fwhm:.2f}", {width:.1f} pixels', fontsize=8, pad=4)
        axis.set_xlabel("arcsec", fontsize=7)
        axis.tick_params(labelsize=6)
    axes[0].set_ylabel("arcsec", fontsize=7)
    bar = figure.colorbar(ScalarMappable(norm, "gray"), ax=[*axes], fraction=0.046, pad=0.02)
    bar.set_label("share of its peak", fontsize=7)
    bar.ax.tick_params(labelsize=6)
    return figure


def draw_psf(psf: PSF, path: str | Path, overwrite: bool = False) -> Path:
    """Write `psf_figure` as PNG."""
    check_picture_name(path)
    figure = psf_figure(psf)

    def write(stream: BinaryIO) -> None:
        figure.savefig(stream, format="png", bbox_inches="tight", pad_inches=0.05)

    return write_atomically(path, write, overwrite)
