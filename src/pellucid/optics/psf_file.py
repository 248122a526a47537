"""Point spread functions from FITS, as pipelines write them, in an image's pixels and bands."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError, naming, refusal
from pellucid.fits import (
    FitsFile,
    band_names_of,
    card_value,
    open_fits,
    scale_card,
    text_card,
)
from pellucid.optics.psf_models import Model, Place, grid_places, on_grid, psfex, sdss
from pellucid.optics.psf_order import as_seen
from pellucid.optics.stamps import check_is_star, to_pixels
from pellucid.sky.band_names import short_name
from pellucid.sky.image import SkyImage, pixel_scale_of
from pellucid.sky.psf import PSF, pick_bands, stacked

if TYPE_CHECKING:
    from astropy.io.fits import Header

#: STPSF's (WebbPSF's) extensions, best first: as the detector sees it, then the finer ones.
_STPSF = ("DET_DIST", "DET_SAMP", "OVERDIST", "OVERSAMP")
#: Pixels of one size to this fraction are the same; a drizzled image has others than the detector.
_SAME = 0.05
#: Sizes of PSF pixels over the image's that can be meant.
_SENSIBLE = (0.02, 5.0)


class _Stamps(NamedTuple):
    """Stamps (band, y, x) of an HDU with what it says of them."""

    values: NDArray[np.float64]
    names: Sequence[str]
    scale: float | None  # arcsec per pixel
    source: str
    step: float | None = None  # pixels of the image; its response is in the stamps
    note: str = ""
    placed: bool = False  # of a model: at the place that was asked for
    sure: bool = True  # the file calls them PSFs
    in_turn: bool = False  # nothing says of which band each is


def read_psf(
    path: str | os.PathLike[str],
    image: SkyImage | float | None = None,
    kernel: bool = False,
    ours: bool = True,
    force: bool = False,
) -> PSF:
    """Read a PSF for an image: its bands, in its pixels, at its place, centred.

    The file is one of STPSF (WebbPSF), a PSFEx model, an SDSS psField, a grid of stamps (STPSF's,
    STDPSF), or holds stamps (y, x) or (band, y, x): the extensions with PSF in their name, or else
    the first image.

    Parameters
    ----------
    path
        FITS.
    image
        The image that it belongs to, or arcsec per pixel of it.
    kernel
        Whether it is a kernel of any form, not what a star looks like.
    ours
        Whether what this program wrote of restored pixels counts, before all else.
    force
        Whether a stamp that no file calls a PSF may have the profile of a galaxy.

    Returns
    -------
    PSF
        Its ``notes`` say what was assumed. Of a model that varies over the image it is that of the
        middle, and says what it is ``elsewhere``.
    """
    scale = image.pixel_scale if isinstance(image, SkyImage) else image
    wanted = image.bands if isinstance(image, SkyImage) else ()
    place = _place(image) if isinstance(image, SkyImage) else Place(0.0, 0.0, (0, 0))
    with open_fits(path) as file, naming(path):
        model = _model(file, wanted)
        found = model(place) if model else _stamps(file, scale, wanted, ours)
        notes = file.notes
    if isinstance(image, SkyImage) and any(_shows(stamps, image) for stamps in found):
        raise refusal(path, "is the image itself", "--psf stars takes the PSF of its stars")
    made = _Made(os.fspath(path), scale, wanted, kernel, force)
    psf = made.psf(found, notes)
    if any(stamps.in_turn for stamps in found):
        psf = as_seen(psf, image, [name for stamps in found for name in stamps.names])
    if model and isinstance(image, SkyImage) and all(stamps.placed for stamps in found):
        first = place.y - 0.5 * (image.shape[1] - 1), place.x - 0.5 * (image.shape[2] - 1)

        def elsewhere(y: float, x: float) -> PSF:
            there = Place(first[0] + y, first[1] + x, place.shape, True)
            with naming(path):
                return made.psf(model(there), ())

        psf = replace(psf, elsewhere=elsewhere)
    return psf


@dataclass(frozen=True)
class _Made:
    """How stamps of a file become the PSF of an image; see `read_psf`."""

    path: str
    scale: float | None
    wanted: Sequence[str]
    kernel: bool
    force: bool

    def psf(self, found: Sequence[_Stamps], notes: Sequence[str]) -> PSF:
        notes = [*notes, *(stamps.note for stamps in found if stamps.note)]
        with naming(self.path):
            planes, names = [], []
            for stamps in found:
                ratio = _ratio(stamps, self.scale, notes)
                for plane, name in zip(stamps.values, stamps.names, strict=True):
                    if not self.kernel:
                        notes += check_is_star(plane, stamps.sure or self.force)
                    planes.append(to_pixels(plane, ratio, stamps.step is not None))
                    names.append(name)
            source = found[0].source + ", ..." * (len(found) > 1)
            pixel_scale = self.scale or found[0].scale
            assert pixel_scale is not None  # refused by _ratio
            psf = PSF(
                stacked(planes),
                pixel_scale,
                bands=tuple(names) if all(names) else (),
                origin=f"{os.path.basename(self.path)}[{source}]",
                notes=tuple(dict.fromkeys(notes)),
            )
            return pick_bands(psf, self.wanted) if self.wanted else psf


def _place(image: SkyImage) -> Place:
    """The middle of an image, in the frame that it was cut from where its LTV cards say so."""
    _, height, width = image.shape
    cards = [] if image.header is None else [card_value(image.header, c) for c in ("LTV2", "LTV1")]
    shift = [float(value) for value in cards if isinstance(value, (int, float))]
    known = len(shift) == 2
    down, along = shift if known else (0.0, 0.0)
    return Place((height - 1) / 2 - down, (width - 1) / 2 - along, (height, width), known)


def _shows(stamps: _Stamps, image: SkyImage) -> bool:
    """Whether what is given as a PSF is the image."""
    values = stamps.values.astype(np.float32)
    return values.shape[1:] == image.shape[1:] and any(
        np.array_equal(plane, band, equal_nan=True) for plane in values for band in image.flux
    )


def _model(file: FitsFile, wanted: Sequence[str]) -> Callable[[Place], list[_Stamps]] | None:
    """What a model of a PSF that varies shows at a place; None where the file holds none."""
    tables: dict[str, Any] = {}
    for hdu in file.hdus:
        name = hdu.name or str(hdu.number)
        if hdu.is_plane_or_cube and len(hdu.shape) == 3 and grid_places(hdu.header) is not None:
            header, stamps = hdu.header, np.array(file.pixels(hdu))
            return lambda place: [_of_model(on_grid(header, stamps, place), "", name)]
        if hdu.kind != "table":
            continue
        columns = {str(hdu.header.get(f"TTYPE{k + 1}", "")).strip() for k in range(40)}
        if "PSF_MASK" in columns:
            mask = np.array(file.rows(hdu)["PSF_MASK"])[0]
            header, parts = hdu.header, np.atleast_3d(mask) if mask.ndim < 3 else mask
            return lambda place: [_of_model(psfex(header, parts, place), "", name)]
        if {"RROWS", "nrow_b"} <= columns and len(tables) < 5:
            tables["ugriz"[len(tables)]] = file.rows(hdu)
    if not tables:
        return None
    bands = [short_name(name) for name in wanted]
    if not bands or not set(bands) <= set("ugriz"):
        fault = f"holds PSFs of u, g, r, i and z, the image has {', '.join(wanted) or 'no names'}"
        raise file.refuse(fault, "name the image's bands with --bands")
    return lambda place: [
        _of_model(sdss(tables, band, place), name, band)
        for band, name in zip(bands, wanted, strict=True)
    ]


def _of_model(model: Model, name: str, source: str) -> _Stamps:
    stamp = model.stamp[None]
    return _Stamps(stamp, [name], model.scale, source, model.step, model.note, model.placed)


def _stamps(file: FitsFile, scale: float | None, wanted: Sequence[str], own: bool) -> list[_Stamps]:
    """The stamps in a file's image HDUs."""
    images = [hdu for hdu in file.hdus if hdu.is_plane_or_cube]
    if not images:
        raise file.refuse("holds no PSF stamp", "a PSF has (y, x) or (band, y, x)")
    ours = [hdu for hdu in images if is_ours(hdu.header)]
    if not own:
        images, ours = [hdu for hdu in images if hdu not in ours], []
    stpsf = [hdu for name in _STPSF for hdu in images if hdu.name == name]
    named = [hdu for hdu in images if "PSF" in hdu.name]
    if stpsf:
        fits = [hdu for hdu in stpsf if scale and _near(_scale(file, hdu), scale)]
        chosen = (fits or [hdu for hdu in stpsf if hdu.name.startswith("OVER")] or stpsf)[:1]
    else:
        chosen = ours or named or images[:1]
    # Of several PSF extensions those are one set that have one of a band each.
    if len(chosen) > 1 and len({_label(hdu) for hdu in chosen}) < len(chosen):
        chosen = chosen[:1]
    result = []
    for hdu in chosen:
        values = file.pixels(hdu).astype(np.float64).reshape(-1, *hdu.shape[-2:])
        source, in_turn = hdu.name or str(hdu.number), False
        names = band_names_of(hdu.header, len(values))
        if not names:
            names, in_turn = names_beside(file, hdu, len(values)), len(values) > 1
        sure = bool(stpsf) or hdu in ours or hdu in named
        said = _Stamps(values, names, _scale(file, hdu), source, sure=sure, in_turn=in_turn)
        result.append(said)
    return _of_bands(result, wanted)


def is_ours(header: Header) -> bool:
    """Whether this program says what a star looks like in the file's image."""
    return text_card(header, "PLCTYPE") == "PSF"


def _of_bands(found: list[_Stamps], wanted: Sequence[str]) -> list[_Stamps]:
    """Of several extensions those that are of the wanted bands; else all, or the first cube."""
    fitting: list[_Stamps] = []
    for key_of in (str.lower, short_name):
        keys = {key_of(name) for name in wanted}
        fits = [stamps for stamps in found if keys & {key_of(name) for name in stamps.names}]
        fitting = max(fitting, fits, key=len)
    if fitting:
        return fitting
    return found[:1] if len(found[0].values) > 1 else found


def _label(hdu: Any) -> str:
    """What a PSF extension's name or FILTER says of its band."""
    names = band_names_of(hdu.header, 1)
    return names[0] if names else hdu.name.replace("PSF", "").strip("_- ")


def names_beside(file: FitsFile, psf: Any, count: int) -> Sequence[str]:
    """Names of a PSF's bands: its own name, or the images that stand beside a cube."""
    start = psf.name.split("PSF")[0]
    beside = [
        hdu.name
        for hdu in file.hdus
        if len(hdu.shape) == 2 and "PSF" not in hdu.name and start and hdu.name.startswith(start)
    ]
    if len(beside) == count:
        return beside
    return [_label(psf)] if count == 1 else [""] * count


def _scale(file: FitsFile, hdu: Any) -> float | None:
    """Arcsec per pixel that an HDU or the primary header states."""
    if (stated := scale_card(hdu.header)) is not None:
        return stated
    wcs = file.wcs(hdu)
    if wcs is not None:
        return pixel_scale_of(wcs)
    return scale_card(file.hdus[0].header)


def _near(first: float | None, second: float) -> bool:
    return first is not None and abs(first / second - 1.0) <= _SAME


def _ratio(stamps: _Stamps, scale: float | None, notes: list[str]) -> float:
    """The image's pixels in those of the stamps."""
    if stamps.step is not None:
        if scale is None:
            raise InputError("the PSF has no pixel scale; state --pixel-scale")
        return 1.0 / stamps.step
    own = stamps.scale
    if own is not None and scale is not None and not _SENSIBLE[0] < own / scale < _SENSIBLE[1]:
        notes.append(f"the PSF's pixels of {own:.4g}\" cannot be meant: the image's were taken")
        return 1.0
    if own is None:
        if scale is None:
            raise InputError(
                "the PSF has no pixel scale; state --pixel-scale, or add a PIXSCALE card"
            )
        notes.append(f"the PSF does not state its pixels: the image's {scale:.4g}\" were taken")
        return 1.0
    if scale is None or abs(own / scale - 1.0) < 0.002:
        return 1.0
    notes.append(f'the PSF was brought from pixels of {own:.4g}" to the image\'s {scale:.4g}"')
    return scale / own
