"""`SkyImage`: the value that flows through the whole program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import InputError
from pellucid.sky.drawn import drawn
from pellucid.sky.psf import PSF

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.nddata import CCDData
    from astropy.units import UnitBase
    from astropy.wcs import WCS
    from numpy.typing import ArrayLike, NDArray


#: As they stand in a BUNIT.
SOLID_ANGLES = ("sr", "arcsec", "deg2", "deg^2", "deg**2", "deg-2", "beam")


#: Cards that say who took an image.
_WHOSE = ("ORIGIN", "SURVEY", "TELESCOP", "INSTRUME", "OBSERVAT")


@dataclass(frozen=True, eq=False)
class SkyImage:
    """A patch of sky in one or more bands, in linear flux.

    Parameters
    ----------
    flux
        Pixels, shape (band, y, x) or (y, x), float32, any linear unit. NaN marks no data.
    bands
        One name a band, e.g. ``("g", "r", "i")``.
    unit
        The unit as FITS writes it (BUNIT), or None where unknown.
    variance
        Same shape as ``flux``, in ``unit`` squared; float32, or float64 where that cannot hold it.
    mask
        Same shape as ``flux``; True marks a pixel that must not be used and stays as it is.
    wcs
        The celestial coordinates of the pixel grid.
    psf
        What a star looks like, in this image's pixels; None where it is not known.
    sky
        Level of the sky in each band, where it is known: 0 after a subtraction. Where it is None,
        who needs it measures it.
    header
        The FITS header of the image.
    pixel_scale
        Arcsec per pixel; taken from ``wcs`` when not given, None where unknown.
    layout
        How the file it was read from is built; `pellucid.write_image` follows it.
    notes
        What was guessed, mended or left aside when it was read, a sentence each.
    """

    flux: NDArray[np.float32]
    bands: tuple[str, ...] = ()
    unit: str | None = None
    variance: NDArray[np.floating] | None = None
    mask: NDArray[np.bool_] | None = None
    wcs: WCS | None = None
    psf: PSF | None = None
    sky: tuple[float, ...] | None = None
    header: Header | None = None
    pixel_scale: float | None = None
    layout: Any = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        flux = _as_cube(self.flux, np.float32, "flux")
        fill: dict[str, Any] = {"flux": flux}
        for name in ("variance", "mask"):
            value = getattr(self, name)
            if value is not None:
                dtype = np.bool_ if name == "mask" else variance_type(np.asarray(value))
                fill[name] = _as_cube(value, dtype, name)
                if fill[name].shape != flux.shape:
                    raise InputError(
                        f"{name} has shape {fill[name].shape}, the flux has {flux.shape}"
                    )
        fill["bands"] = tuple(self.bands) or tuple(f"band{k + 1}" for k in range(len(flux)))
        if len(fill["bands"]) != len(flux):
            raise InputError(
                f"{len(fill['bands'])} band names ({', '.join(fill['bands'])}) "
                f"for an image of {len(flux)} bands"
            )
        if self.sky is not None and len(self.sky) != len(flux):
            raise InputError(f"{len(self.sky)} sky levels for an image of {len(flux)} bands")
        if self.pixel_scale is None and self.wcs is not None and self.wcs.has_celestial:
            fill["pixel_scale"] = pixel_scale_of(self.wcs)
        for name, value in fill.items():
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(bands, height, width)."""
        bands, height, width = self.flux.shape
        return bands, height, width

    @property
    def holes(self) -> NDArray[np.bool_]:
        """Where there is nothing to use: no finite number, or masked; shape (band, y, x)."""
        holes = ~np.isfinite(self.flux)
        return holes if self.mask is None else holes | self.mask

    def _repr_html_(self) -> str:
        """In a notebook: a page to look at it, as `pellucid view` makes it."""
        return drawn("notebook", self)

    def with_flux(self, flux: ArrayLike, **changes: Any) -> SkyImage:
        """The same sky with other pixels of the same shape; ``changes`` replaces further fields."""
        cube = _as_cube(flux, np.float32, "flux")
        if cube.shape != self.flux.shape:
            raise InputError(f"new flux has shape {cube.shape}, the image has {self.flux.shape}")
        return replace(self, flux=cube, **changes)

    def of_bands(self, places: Sequence[int]) -> SkyImage:
        """The same sky in some of its bands, in this order."""
        chosen = list(places)
        psf = self.psf
        if psf is not None and len(psf.stamps) > 1:
            names = tuple(psf.bands[k] for k in chosen) if psf.bands else ()
            psf = replace(psf, stamps=psf.stamps[chosen], bands=names)
        return replace(
            self,
            flux=self.flux[chosen],
            bands=tuple(self.bands[k] for k in chosen),
            variance=None if self.variance is None else self.variance[chosen],
            mask=None if self.mask is None else self.mask[chosen],
            sky=None if self.sky is None else tuple(self.sky[k] for k in chosen),
            psf=psf,
            layout=None,
        )

    def cutout(self, y: int, x: int, height: int, width: int) -> SkyImage:
        """The window of ``height`` × ``width`` pixels whose first pixel is (``y``, ``x``).

        The WCS follows the window; the header's cards are kept as they are.
        """
        _, rows, columns = self.shape
        if not (0 <= y < y + height <= rows and 0 <= x < x + width <= columns):
            raise InputError(
                f"a window of {height}×{width} at ({y}, {x}) leaves the image of {rows}×{columns}"
            )
        window = (slice(None), slice(y, y + height), slice(x, x + width))
        return replace(
            self,
            flux=self.flux[window],
            variance=None if self.variance is None else self.variance[window],
            mask=None if self.mask is None else self.mask[window],
            wcs=None if self.wcs is None else self.wcs[window[1:]],
            layout=None,
        )

    def to_ccddata(self) -> list[CCDData]:
        """One `astropy.nddata.CCDData` a band."""
        from astropy import units
        from astropy.nddata import CCDData, VarianceUncertainty

        unit = _astropy_unit(self.unit) if self.unit else units.dimensionless_unscaled
        none = [None] * len(self.flux)
        masks = none if self.mask is None else self.mask
        variances = none if self.variance is None else map(VarianceUncertainty, self.variance)
        return [
            CCDData(plane, variance, mask, wcs=self.wcs, meta=self.header, unit=unit)
            for plane, mask, variance in zip(self.flux, masks, variances, strict=True)
        ]

    @classmethod
    def from_ccddata(cls, planes: list[CCDData], bands: tuple[str, ...] = ()) -> SkyImage:
        """Collect `astropy.nddata.CCDData` planes of equal shape into one image."""
        from astropy.nddata import VarianceUncertainty

        first = planes[0]
        unit = first.unit.to_string() if first.unit is not None else ""
        variances: list[Any] = [plane.uncertainty for plane in planes]
        masks: list[Any] = [plane.mask for plane in planes]
        return cls(
            np.stack([np.asarray(plane.data) for plane in planes]),
            bands=bands,
            unit=unit or None,
            variance=None
            if any(v is None for v in variances)
            else np.stack([v.represent_as(VarianceUncertainty).array for v in variances]),
            mask=None if any(m is None for m in masks) else np.stack(masks),
            wcs=first.wcs,
            header=first.header or None,
        )


def variance_type(variance: NDArray[Any]) -> type[np.floating]:
    """float32, or float64 for a variance that leaves its range: of flux of 1e-20 it is 1e-40."""
    if variance.dtype != np.float64:
        return np.float32
    some = variance[..., ::8, ::8]
    sizes = some[np.isfinite(some) & (some > 0)]
    known = np.finfo(np.float32)
    fits = not sizes.size or known.tiny <= np.median(sizes) <= known.max
    return np.float32 if fits else np.float64


def is_nanomaggy(unit: str | None) -> bool:
    """Whether ``unit`` is the SDSS unit of flux, in one of its usual spellings."""
    return (unit or "").strip().lower() in ("nanomaggy", "nanomaggies", "nmgy", "nmaggy")


def per_pixel(unit: str | None) -> bool:
    """Whether flux in this unit is that of a pixel, and no surface brightness (per solid angle)."""
    text = (unit or "").lower().replace(" ", "")
    return not any(angle in text for angle in SOLID_ANGLES)


def in_sdss_nanomaggies(image: SkyImage) -> bool:
    """Whether an image in nanomaggies is of SDSS, whose depth GalaxyGAN's numbers belong to.

    Other surveys count in nanomaggies, too. An image without a header is a composite, or a pair's;
    these hold SDSS's.
    """
    if not is_nanomaggy(image.unit):
        return False
    if image.header is None:
        return True
    texts = " ".join(str(image.header.get(card, "")) for card in _WHOSE).upper()
    return "SDSS" in texts or "SLOAN" in texts or {"RUN", "CAMCOL"} <= set(image.header)


def pixel_scale_of(wcs: WCS) -> float:
    """Arcsec per pixel of a celestial WCS: the square root of a pixel's area."""
    from astropy.wcs.utils import proj_plane_pixel_area

    return float(np.sqrt(proj_plane_pixel_area(wcs.celestial)) * 3600.0)


@cache
def _astropy_unit(text: str) -> UnitBase:
    """The unit of a BUNIT, which is free text: what astropy does not know becomes a new unit."""
    from astropy import units

    try:
        return units.Unit(text)
    except ValueError:
        return units.def_unit(text)


def _as_cube(values: ArrayLike, dtype: Any, name: str) -> NDArray[Any]:
    """Shape (band, y, x) in native byte order and contiguous; a plane becomes one band."""
    cube = np.asarray(values)
    if cube.ndim == 2:
        cube = cube[None]
    if cube.ndim != 3:
        raise InputError(f"{name} has {cube.ndim} dimensions; an image has (y, x) or (band, y, x)")
    if 0 in cube.shape:
        raise InputError(f"{name} has a zero-length axis: shape {cube.shape}")
    if cube.dtype == dtype and cube.strides[-2:] == (0, 0):  # takes no memory
        return cube
    return np.ascontiguousarray(cube, dtype=dtype)
