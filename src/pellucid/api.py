"""What ``import pellucid`` offers: read, restore, write; `pellucid.batch` does so for many."""

from __future__ import annotations

from typing import Any

from pellucid.optics import Degradation
from pellucid.optics.psf_file import read_psf
from pellucid.restoration import Restoration, Restorer, load_restorer
from pellucid.restoration.files import read_image, write_image
from pellucid.restoration.regions import write_regions
from pellucid.sky import PSF, gaussian_psf, moffat_psf
from pellucid.sky.drawn import DRAWERS
from pellucid.sky.image import SkyImage
from pellucid.sources import psf_from_stars

__all__ = [
    "PSF",
    "Degradation",
    "Restoration",
    "Restorer",
    "SkyImage",
    "gaussian_psf",
    "load_restorer",
    "moffat_psf",
    "psf_from_stars",
    "read_image",
    "read_psf",
    "write_image",
    "write_regions",
]


def _notebook(value: Restoration | SkyImage) -> str:
    from pellucid.view.notebook import frame_of

    return frame_of(value)


def _figure(*values: Any) -> Any:
    from pellucid.view.figure import figure_of

    return figure_of(*values)


DRAWERS |= {"notebook": _notebook, "figure": _figure}
