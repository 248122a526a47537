"""pellucid restores galaxy images: what the atmosphere and the detector took.

>>> import pellucid
>>> image = pellucid.read_image("g.fits", "r.fits", "i.fits")
>>> result = pellucid.load_restorer("galaxygan-sdss")(image)
>>> pellucid.write_image(result, "restored.fits")
>>> pellucid.write_view(result, "page.html", given=image)
>>> pellucid.restore_all(["cutouts/"], "restored/", pellucid.Request(method="wiener", psf=1.2))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pellucid.version import __version__

if TYPE_CHECKING:
    from pellucid.api import (
        PSF,
        Degradation,
        Restoration,
        Restorer,
        SkyImage,
        gaussian_psf,
        load_restorer,
        moffat_psf,
        psf_from_stars,
        read_image,
        read_psf,
        write_image,
        write_regions,
    )
    from pellucid.batch.catalogue import Cutouts
    from pellucid.batch.request import Request
    from pellucid.batch.store import RestoredStore, open_restored
    from pellucid.batch.survey import restore_all
    from pellucid.view.notebook import write_view

__all__ = [
    "PSF",
    "Cutouts",
    "Degradation",
    "Request",
    "Restoration",
    "RestoredStore",
    "Restorer",
    "SkyImage",
    "__version__",
    "gaussian_psf",
    "load_restorer",
    "moffat_psf",
    "open_restored",
    "psf_from_stars",
    "read_image",
    "read_psf",
    "restore_all",
    "write_image",
    "write_regions",
    "write_view",
]


#: Where what many images need lies, and what shows them; all else is in `pellucid.api`.
_ELSEWHERE = {
    "Cutouts": "pellucid.batch.catalogue",
    "Request": "pellucid.batch.request",
    "RestoredStore": "pellucid.batch.store",
    "open_restored": "pellucid.batch.store",
    "restore_all": "pellucid.batch.survey",
    "write_view": "pellucid.view.notebook",
}


def __getattr__(name: str) -> Any:
    # Loaded at first use: a submodule's import must not pay for all of the others.
    if name in __all__:
        return getattr(import_module(_ELSEWHERE.get(name, "pellucid.api")), name)
    raise AttributeError(f"module 'pellucid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
