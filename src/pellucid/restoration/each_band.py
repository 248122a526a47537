"""A restorer of one band, band after band."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pellucid.optics import known_psf
from pellucid.restoration.change import with_change
from pellucid.restoration.result import Restoration, Restorer
from pellucid.sky import PSF, SkyImage
from pellucid.sky.band_names import band_in_words
from pellucid.sky.psf import pick_bands
from pellucid.tiling import passes


def each_band(
    restorer: Restorer,
    image: SkyImage,
    blur: PSF | float | None = None,
    psf: PSF | float | None = None,
    target: PSF | float | None = None,
    learned: str = "one band",
) -> Restoration:
    """Restore each band of ``image`` by itself; see `Restorer`. A note says what was learned."""
    if blur is None and psf is None:
        psf = known_psf(image)  # while it is known which band's header says what
    results = [
        restorer(image.of_bands([k]), *(_of_band(each, image, k) for each in (blur, psf, target)))
        for k in passes(range(len(image.bands)))
    ]
    provenance = {**results[0].provenance, "notes": _notes(image.bands, results, learned)}
    provenance.pop("change", None)
    flux = _joined([result.image.flux for result in results])
    assert flux is not None
    if flux.shape == image.shape:
        restored = image.with_flux(flux)
        return with_change(image, Restoration(restored, provenance=provenance))
    there = results[0].image
    restored = replace(
        there,
        flux=flux,
        bands=image.bands,
        variance=_joined([result.image.variance for result in results]),
        mask=_joined([result.image.mask for result in results]),
        psf=None,
        # All bands of the file, in the pixels in which each was restored.
        layout=image.layout and replace(image.layout, shape=(0, 0, 0), ratio=_ratio(image, there)),
    )
    return Restoration(restored, provenance=provenance)


def _ratio(image: SkyImage, restored: SkyImage) -> float:
    """Side of a restored pixel in pixels of the image's file."""
    assert image.pixel_scale
    assert restored.pixel_scale
    return image.layout.ratio * restored.pixel_scale / image.pixel_scale


def _of_band(given: PSF | float | None, image: SkyImage, band: int) -> PSF | float | None:
    if not isinstance(given, PSF) or len(given.stamps) == 1:
        return given
    own = pick_bands(given, image.bands)
    return replace(own, stamps=own.stamps[[band]], bands=(image.bands[band],))


def _notes(bands: tuple[str, ...], results: list[Restoration], learned: str) -> list[str]:
    """What is said of all bands once, the rest of the band that it is said of."""
    said = [result.provenance.get("notes", []) for result in results]
    shared = [note for note in said[0] if all(note in notes for notes in said)]
    own = [
        f"{band_in_words(band)}: {note}"
        for band, notes in zip(bands, said, strict=True)
        for note in notes
        if note not in shared
    ]
    return [f"each band was restored by itself, by a network of {learned}", *shared, *own]


def _joined(planes: list[NDArray | None]) -> NDArray | None:
    found = [plane for plane in planes if plane is not None]
    return np.concatenate(found) if len(found) == len(planes) else None
