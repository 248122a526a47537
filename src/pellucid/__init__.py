"""pellucid restores galaxy images: what the atmosphere and the detector took.

>>> import pellucid
>>> image = pellucid.read_image("g.fits", "r.fits", "i.fits")
>>> result = pellucid.load_restorer("galaxygan-sdss")(image)
>>> pellucid.write_image(result, "restored.fits")
"""

from __future__ import annotations

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
    )

__all__ = [
    "PSF",
    "Degradation",
    "Restoration",
    "Restorer",
    "SkyImage",
    "__version__",
    "gaussian_psf",
    "load_restorer",
    "moffat_psf",
    "psf_from_stars",
    "read_image",
    "read_psf",
    "write_image",
]


def __getattr__(name: str) -> Any:
    # Loaded at first use: a submodule's import must not pay for all of the others.
    if name in __all__:
        from pellucid import api

        return getattr(api, name)
    raise AttributeError(f"module 'pellucid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
