"""From files to what a page shows: the restoration, its input where that is found, the truth."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.batch.request import Request
from pellucid.errors import InputError, UsageError
from pellucid.fits import planes_beside, restored_bands
from pellucid.optics import known_psf
from pellucid.restoration.files import read_image
from pellucid.restoration.result import (
    Restoration,
    restoration_cards,
    restoration_history,
)
from pellucid.sky import PSF, SkyImage, gaussian_psf
from pellucid.sky.image import per_pixel
from pellucid.sources.stated import stated_psf
from pellucid.view.again import residual_of, undone
from pellucid.view.history import Made, command_of, found_files, history_lines
from pellucid.view.subject import Subject
from pellucid.view.words import commands_of, facts_of, notes_of, numbers_of, size_of

#: Values of all bands of an image that a page holds; of a larger one it shows means of pixels.
LARGEST = 2**22


def subject_of_file(
    path: str | os.PathLike[str],
    places: Sequence[Path] = (),
    truth: Path | None = None,
    name: str | None = None,
) -> Subject:
    """What there is to see of a restoration's file; of any other image, its pixels.

    Parameters
    ----------
    path
        FITS, or any other image that is read.
    places
        Files of which it was made, or folders in which they lie.
    truth
        An image of what it should be.
    name
        What it is called; without it, as the file.

    Raises
    ------
    InputError
        When a file is bad; the text names the file and the fault.
    """
    path = Path(path)
    whole = read_image(path)
    done = [k for k, there in enumerate(restored_bands(whole)) if there]
    name = name or path.name
    if not done:
        note = "this is no restoration of pellucid; its pixels are shown as they are"
        return _with_truth(_noted(subject_of_image(whole, name), note), truth)
    beside = planes_beside(whole, ("UNCERT", "DOUBT"))
    image = whole
    if len(done) < len(whole.bands):
        image = whole.of_bands(done)
        beside = {key: cube[done] for key, cube in beside.items()}
    lines = history_lines(image.header)
    subject = Subject(
        name,
        image,
        beside=beside,
        facts=[*facts_of(image), *size_of(image)],
        notes=notes_of(lines),
        numbers=numbers_of(image),
        psfs=_psfs(("A star after", image.psf)),
    )
    made = command_of(lines)
    subject = _with_input(subject, path, made, places)
    subject = replace(subject, facts=[*subject.facts, *commands_of(lines)])
    return reduced(_with_truth(subject, truth))


def subject_of_result(
    result: Restoration, name: str = "restoration", history: Sequence[str] = ()
) -> Subject:
    """What there is to see of a restoration in memory; ``history`` are lines of its command."""
    from astropy.io.fits import Header

    lines = result.provenance.get("history") or [*history, *restoration_history(result)]
    cards = Header()
    if "history" not in result.provenance:  # of a store only the lines are left
        for keyword, (value, comment) in restoration_cards(result).items():
            cards[keyword] = (value, comment)
    image = replace(result.image, header=cards)
    beside = {"UNCERT": result.uncertainty, "DOUBT": result.doubt}
    after = image.psf if "PLCTARG" in cards else None
    subject = Subject(
        name,
        image,
        beside={
            key: np.broadcast_to(cube, image.shape)
            for key, cube in beside.items()
            if cube is not None
        },
        facts=[*facts_of(image), *size_of(image), *commands_of(lines)],
        notes=notes_of(lines),
        numbers=numbers_of(image),
        psfs=_psfs(("A star after", after)),
    )
    return reduced(subject)


def subject_of_image(image: SkyImage, name: str = "image") -> Subject:
    """What there is to see of an image that is no restoration."""
    psfs = _psfs(("A star here", image.psf))
    facts = size_of(image)
    return reduced(Subject(name, image, False, facts=facts, notes=image.notes, psfs=psfs))


def with_given(
    subject: Subject, given: SkyImage, blur: PSF | float | None, psf: PSF | float | None
) -> Subject:
    """A subject with what was restored, and what that leaves."""
    image = subject.image
    if given.bands != image.bands:
        if set(image.bands) <= set(given.bands):
            given = given.of_bands([given.bands.index(band) for band in image.bands])
        elif len(given.bands) != len(image.bands):
            said = f"{', '.join(given.bands)}; the restoration has {', '.join(image.bands)}"
            return _noted(subject, f"the input is not shown: it has the bands {said}")
    if abs(np.log(_sides(given) / _sides(image))) > 0.1:
        return _noted(subject, "the input is not shown: it has another shape")
    before = psf if isinstance(psf, PSF) else known_psf(given) if psf is None else None
    if isinstance(psf, float | int) and given.pixel_scale:
        before = gaussian_psf(float(psf), given.pixel_scale)
    kernel, note = undone(given, image, blur, psf)
    left: NDArray[Any] | None = None
    if kernel is not None:
        left, why = residual_of(given, image, kernel)
        note = note or why
    subject = replace(
        subject,
        given=given,
        residual=left,
        psfs=[*_psfs(("A star before", before)), *subject.psfs],
    )
    return _noted(subject, note) if note else subject


def reduced(subject: Subject) -> Subject:
    """A subject in means of pixels, where it has more of them than a page holds."""
    factor = int(np.ceil(np.sqrt(subject.image.flux.size / LARGEST)))
    if factor == 1:
        return subject

    def image(sky: SkyImage) -> SkyImage:
        flux = _joined(sky.flux, factor) * (factor**2 if per_pixel(sky.unit) else 1)
        wcs = sky.wcs
        if wcs is not None:
            rows, columns = (side // factor * factor for side in sky.shape[1:])
            wcs = wcs.celestial[:rows:factor, :columns:factor]
        scale = sky.pixel_scale and sky.pixel_scale * factor
        return SkyImage(flux, bands=sky.bands, unit=sky.unit, wcs=wcs, pixel_scale=scale)

    area = factor**2 if per_pixel(subject.image.unit) else 1
    beside: Mapping[str, NDArray[np.floating]] = {
        key: _joined(cube, factor) * (1 if key == "DOUBT" else area)
        for key, cube in subject.beside.items()
    }
    shown = replace(
        subject,
        image=image(subject.image),
        beside=beside,
        given=subject.given and image(subject.given),
        truth=subject.truth and image(subject.truth),
        residual=None if subject.residual is None
        else _joined(subject.residual, factor) * area,
        reduced=factor,
    )  # fmt: skip
    return _noted(shown, f"shown reduced: {factor} × {factor} pixels are one here")


def _with_input(subject: Subject, path: Path, made: Made | None, places: Sequence[Path]) -> Subject:
    """A subject with its input, where that is found, else with a note of why it is not shown."""
    named = [place for place in places if place.is_file()]
    files = found_files(made.files, places, path) if made else None
    if files is None and named:
        files = named
    if files is None:
        seek = ", ".join(made.files) if made else "what it was made of"
        return _noted(subject, f"the input is not shown: {seek} was not found; --input names it")
    asked = made.request if made else Request()
    given = read_image(
        *files,
        hdu=asked.hdu,
        bands=asked.bands,
        pixel_scale=asked.pixel_scale,
        bad_bits=asked.bad_bits,
    )
    try:
        blur, psf = (
            stated_psf(value, given, option, force=True)
            for value, option in ((asked.blur, "--blur"), (asked.psf, "--psf"))
        )
    except (InputError, UsageError) as error:  # it may lie elsewhere now; the pixels are there
        blur = psf = None
        subject = _noted(subject, str(error))
    return with_given(subject, given, blur, psf)


def with_truth(subject: Subject, truth: SkyImage, name: str) -> Subject:
    """A subject with an image of what it should be, of its bands or of one that serves them all.

    Raises
    ------
    InputError
        When it has other bands.
    """
    bands = subject.image.bands
    if set(bands) <= set(truth.bands):
        truth = truth.of_bands([truth.bands.index(band) for band in bands])
    elif len(truth.bands) not in (1, len(bands)):
        said = f"has the bands {', '.join(truth.bands)}; the image has {', '.join(bands)}"
        raise InputError(f"{name}: {said}; give a file with these, or with one")
    return replace(subject, truth=truth, facts=[*subject.facts, ("Truth", Path(name).name)])


def _with_truth(subject: Subject, truth: Path | None) -> Subject:
    return subject if truth is None else with_truth(subject, read_image(truth), str(truth))


def _psfs(*known: tuple[str, PSF | None]) -> list[tuple[str, PSF]]:
    return [(label, psf) for label, psf in known if psf is not None]


def _noted(subject: Subject, note: str) -> Subject:
    return replace(subject, notes=[*subject.notes, note])


def _sides(image: SkyImage) -> float:
    return image.shape[1] / image.shape[2]


def _joined(cube: NDArray[np.floating], factor: int) -> NDArray[np.float32]:
    """Means of ``factor`` × ``factor`` pixels; what is left over at the far edges is not shown."""
    bands, rows, columns = cube.shape
    rows, columns = rows // factor, columns // factor
    cut = cube[:, : rows * factor, : columns * factor]
    parts = cut.reshape(bands, rows, factor, columns, factor)
    return parts.mean(axis=(2, 4), dtype=np.float32)
