"""A large image restored piece by piece, in memory and from file to file alike.

A piece is a core, restored in a window that holds all around it that the core is made from. Cores
and windows lie at fixed places of the image; so wherever its pixels are, the result has the same
bits. What is of the whole image (sky, noise, totals) is measured over it, and nothing of its size
is made in between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.restoration.change import with_change
from pellucid.restoration.field_sky import FieldSky, flattened, measured_sky
from pellucid.restoration.held_planes import HeldPlanes, Planes
from pellucid.restoration.places import Place, places
from pellucid.restoration.result import Restoration
from pellucid.restoration.varying import CONSTANT, varying
from pellucid.sky import PSF, SkyImage
from pellucid.sky.blocks import blocks
from pellucid.sky.field import Field, HeldField, middle_of
from pellucid.tiling import counted, listening

#: Pixels a band from which on an image is restored piece by piece.
LARGE = 4000 * 4000
#: What a restoration has beside its flux in the image's unit.
IN_FLUX = ("uncertainty", "range_95")
#: What a piece adds to what is known of the whole: sums and notes.
Told = tuple[Mapping[str, Any], Sequence[str]]
#: Rows of the image that are gone over at a time.
STRIP = 256


@dataclass(frozen=True, eq=False)
class Restored:
    """A window restored.

    Parameters
    ----------
    planes
        By name, (band, y, x) each.
    complete
        The window with its holes filled.
    sums
        Of its core, what is added up over all pieces.
    notes
        What to know.
    """

    planes: Mapping[str, NDArray[np.float32]]
    complete: NDArray[np.float32]
    sums: dict[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


class Pieces(Protocol):
    """How a restorer works on a large image.

    Parameters
    ----------
    core, halo
        Side of a core and what is seen around it, in pixels of the image.
    finer
        How many pixels of the result lie along one of the image.
    area
        Of the flux of a pixel of the image, what one of the result holds.
    names
        Planes beside the flux.
    undone
        FWHM in arcsec of the PSF that is undone, of each band or of all, where what is amiss with
        it is to be noted.
    """

    @property
    def core(self) -> int: ...
    @property
    def halo(self) -> int: ...
    @property
    def finer(self) -> int: ...
    @property
    def area(self) -> float: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def undone(self) -> Sequence[float] | None: ...

    def restore(self, window: SkyImage, place: Place) -> Restored:
        """A window whose sky and noise are those of `FieldSky.units`, restored."""
        ...

    def frame(self, image: SkyImage) -> SkyImage:
        """The result without its pixels, from the image without them."""
        ...

    def keeps_totals(self, sums: Mapping[str, Any]) -> bool:
        """Whether each band is to have the image's total, from the sums over all pieces."""
        ...

    def provenance(self, sums: Mapping[str, Any], bands: Sequence[str]) -> dict[str, Any]:
        """What is known of the result, from the same."""
        ...


class PieceRestorer(Protocol):
    """A restorer that can, where ``by_pieces`` says so of an image or its frame."""

    def by_pieces(self, image: SkyImage) -> bool: ...

    def pieces(
        self,
        field: Field,
        sky: FieldSky,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Pieces: ...


def is_large(image: SkyImage, blur: PSF | float | None, psf: PSF | float | None) -> bool:
    """Whether an image is to be restored piece by piece: many pixels, or a PSF that varies."""
    varies = max(image.shape[1:]) > CONSTANT and varying(image, blur, psf) is not None
    return varies or has_many_pixels(image)


def has_many_pixels(image: SkyImage) -> bool:
    """Whether an image has too many pixels to be restored at once."""
    return image.shape[1] * image.shape[2] > LARGE


def fill(
    pieces: Pieces,
    field: Field,
    sky: FieldSky,
    planes: Planes,
    others: Sequence[str] = (),
    done: MutableMapping[str, Told] | None = None,
) -> dict[str, Any]:
    """Restore a field into ``planes``, and tell what is known of the result.

    Of the input go there, too, the ``others`` of its variance and its mask. What is ``done``
    is not done again; what is done now is told to it.

    Returns
    -------
    dict
        The provenance, as `Restoration` has it.

    Raises
    ------
    InputError
        When values come out that are no numbers.
    """
    _, height, width = field.frame.shape
    sums: dict[str, Any] = {}
    notes: dict[str, None] = {}
    done = {} if done is None else done
    if "totals begun" in done and "totals" not in done:
        done.clear()  # which of the pixels have their total, nobody knows
    there = list(enumerate(places((height, width), pieces.core, pieces.halo)))
    for number, place in counted([each for each in there if str(each[0]) not in done]):
        with listening(lambda done, total: None):
            found = _restore_piece(pieces, field, sky, planes, place, others)
        done[str(number)] = found.sums, [_of_any_piece(note) for note in found.notes]
    for number, _ in there:
        told = done[str(number)]
        for name, value in told[0].items():
            sums[name] = sums.get(name, 0.0) + np.asarray(value, np.float64)
        notes.update(dict.fromkeys(told[1]))
    if "totals" not in done:
        done["totals begun"] = {}, ()
        if pieces.keeps_totals(sums):
            _keep_totals(pieces, field, planes, sums["before"], sums["after"])
        done["totals"] = {}, ()
    facts = pieces.provenance(sums, field.frame.bands)
    facts["notes"] = [*facts["notes"], *notes]
    return _with_middle_change(pieces, field, planes, facts)


def _of_any_piece(note: str) -> str:
    """What is said of a window, without its count: others have the same pixels in their margin."""
    return re.sub(r"\b\d+ pixels", "some pixels", note)


def restored_in_pieces(
    restorer: PieceRestorer,
    image: SkyImage,
    blur: PSF | float | None = None,
    psf: PSF | float | None = None,
    target: PSF | float | None = None,
) -> Restoration:
    """Restore an image that is in memory; see `Restorer`."""
    held = HeldField(image)
    sky = measured_sky(held)
    pieces = restorer.pieces(held, sky, blur, psf, target)
    frame = pieces.frame(held.frame)
    arrays = {name: np.empty(frame.shape, np.float32) for name in ("flux", *pieces.names)}
    facts = fill(pieces, held, sky, HeldPlanes(arrays))
    flux = arrays.pop("flux")
    variance, mask = beside(pieces, image)
    result = replace(frame, flux=flux, variance=variance, mask=mask)
    return Restoration(result, provenance=facts, **arrays)


def beside(pieces: Pieces, window: SkyImage) -> tuple[NDArray | None, NDArray | None]:
    """The variance and the mask of a window of the input on the pixels of the result."""
    variance, mask = window.variance, window.mask
    if variance is not None:
        variance = _spread(variance, pieces.finer) * variance.dtype.type(pieces.area**2)
    return variance, None if mask is None else _spread(mask, pieces.finer)


def _restore_piece(
    pieces: Pieces,
    field: Field,
    sky: FieldSky,
    planes: Planes,
    place: Place,
    others: Sequence[str],
) -> Restored:
    """Restore a piece and put it where it belongs; its sums are those of what is put there."""
    window = field.window(*place.window)
    flat, level, sigma = flattened(window, sky, *place.window)
    found = pieces.restore(flat, place)
    inner, fine = ((slice(None), *place.inner(finer)) for finer in (1, pieces.finer))
    there = _spread_place(place.core, pieces.finer)
    holes, level, sigma, seen = (
        _spread(each[inner], pieces.finer) for each in (window.holes, level, sigma, window.flux)
    )
    area = np.float32(pieces.area)
    # Planes of what is a pixel's flux are so, where pixels are finer.
    flux = found.planes["flux"][fine] * sigma + area * level
    if not np.isfinite(flux[~holes]).all():
        raise InputError("the restoration of it has values that are no numbers")
    complete = area * (_spread(found.complete[inner], pieces.finer) * sigma + level)
    for name, plane in zip(("variance", "mask"), beside(pieces, window), strict=True):
        if name in others and plane is not None:
            planes.put(name, *there, plane[fine])
    found.sums["before"] = complete.sum(axis=(1, 2), dtype=np.float64)
    # What was guessed in a hole is in neither.
    found.sums["after"] = np.where(holes, complete, flux).sum(axis=(1, 2), dtype=np.float64)
    planes.put("flux", *there, np.where(holes, area * seen, flux))
    for name in pieces.names:
        plane = found.planes[name][fine]
        plane = plane * sigma if name in IN_FLUX else plane
        # Where there is no data nothing was restored: no deviation is of it, and all is doubted.
        nothing = np.float32(1.0 if name == "doubt" else np.nan)
        planes.put(name, *there, np.where(holes, nothing, plane))
        if name == "doubt":
            found.sums["doubted"] = np.float64(np.count_nonzero((plane > 0.5) & ~holes))
            found.sums["seen"] = np.float64(np.count_nonzero(~holes))
    return found


def _keep_totals(
    pieces: Pieces, field: Field, planes: Planes, before: NDArray, after: NDArray
) -> None:
    """Seeing moves light but makes none: each band is given its total again."""
    _, height, width = field.frame.shape
    size = height * width * pieces.finer**2
    change = ((before - after) / size).astype(np.float32)[:, None, None]
    for rows in blocks(height, STRIP):
        strip = rows, slice(0, width)
        there = _spread_place(strip, pieces.finer)
        holes, flux = _spread(field.window(*strip).holes, pieces.finer), planes.get("flux", *there)
        planes.put("flux", *there, np.where(holes, flux, flux + change))


def _with_middle_change(
    pieces: Pieces, field: Field, planes: Planes, facts: dict[str, Any]
) -> dict[str, Any]:
    """The provenance with what became of noise and resolution, as the middle shows it."""
    place = middle_of(field)
    image = field.window(*place)
    flux = planes.get("flux", *_spread_place(place, pieces.finer))
    restored = replace(image, flux=flux, variance=None, mask=None)
    facts = with_change(image, Restoration(restored, provenance=facts), pieces.undone).provenance
    if image.shape != field.frame.shape and "change" in facts:
        facts["change"] += f" (in the middle {image.shape[2]} × {image.shape[1]} pixels)"
    return facts


def _spread(plane: NDArray[Any], finer: int) -> NDArray[Any]:
    """A plane (band, y, x) on pixels of which ``finer`` are a side of one of its own."""
    return plane if finer == 1 else plane.repeat(finer, axis=1).repeat(finer, axis=2)


def _spread_place(place: tuple[slice, slice], finer: int) -> tuple[slice, slice]:
    rows, columns = (slice(finer * part.start, finer * part.stop) for part in place)
    return rows, columns
