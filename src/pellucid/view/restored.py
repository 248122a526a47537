"""From files to what a page shows: the restoration, its input where that is found, the truth."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.batch.request import Request
from pellucid.errors import InputError, UsageError
from pellucid.fits import restored_bands, restored_header
from pellucid.optics import known_psf
from pellucid.restoration.result import (
    Restoration,
    restoration_header,
    restoration_history,
)
from pellucid.sky import PSF, SkyImage, gaussian_psf
from pellucid.sources.stated import stated_psf
from pellucid.view.again import residual_of, undone
from pellucid.view.history import Made, command_of, found_files, history_lines
from pellucid.view.part import part_of
from pellucid.view.reduced_images import read_shown, reduced
from pellucid.view.subject import SAMPLE, Subject
from pellucid.view.words import commands_of, facts_of, notes_of, numbers_of, size_of


def subject_of_file(
    path: str | os.PathLike[str],
    places: Sequence[Path] = (),
    truth: Path | None = None,
    name: str | None = None,
    truth_hdu: int | str | None = None,
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
    truth_hdu
        Which extension of the truth's file.

    Raises
    ------
    InputError
        When a file is bad; the text names the file and the fault.
    """
    path = Path(path)
    read = read_shown(path, wanted=("UNCERT", "RANGE95", "DOUBT", SAMPLE))
    whole = read.image
    done = [k for k, there in enumerate(restored_bands(read.frame)) if there]
    name = name or path.name
    if not done:
        note = "this is no restoration of pellucid; its pixels are shown as they are"
        subject = subject_of_image(whole, name, read.factor)
        subject = replace(subject, facts=size_of(read.frame))
        return _with_truth(_noted(subject, note), truth, read.factor, truth_hdu)
    image, beside = whole, read.beside
    if len(done) < len(whole.bands):
        image = replace(whole.of_bands(done), header=restored_header(read.frame))
        beside = {key: cube[done] for key, cube in beside.items()}
    lines = history_lines(image.header)
    subject = Subject(
        name,
        image,
        beside=beside,
        facts=[*facts_of(image), *size_of(read.frame)],
        notes=notes_of(lines),
        numbers=numbers_of(image),
        psfs=_psfs(("A star after", image.psf)),
        reduced=read.factor,
    )
    made = command_of(lines)
    subject = _with_input(subject, path, made, places)
    subject = replace(subject, facts=[*subject.facts, *commands_of(lines)])
    return reduced(_with_truth(subject, truth, read.factor, truth_hdu))


def subject_of_result(
    result: Restoration, name: str = "restoration", history: Sequence[str] = ()
) -> Subject:
    """What there is to see of a restoration in memory; ``history`` are lines of its command."""
    from astropy.io.fits import Header

    lines = result.provenance.get("history") or [*history, *restoration_history(result)]
    # Of a store only the lines are left.
    stored = "history" in result.provenance
    cards = Header() if stored else restoration_header(result, history)
    image = replace(result.image, header=cards)
    beside = {"UNCERT": result.uncertainty, "RANGE95": result.range_95, "DOUBT": result.doubt}
    for number, sample in enumerate(() if result.samples is None else result.samples, 1):
        beside[f"{SAMPLE}{number}"] = sample
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


def subject_of_image(image: SkyImage, name: str = "image", factor: int = 1) -> Subject:
    """What there is to see of an image that is no restoration, maybe in means of pixels."""
    psfs = _psfs(("A star here", image.psf))
    facts = size_of(image)
    subject = Subject(name, image, False, facts=facts, notes=image.notes, psfs=psfs)
    return reduced(replace(subject, reduced=factor))


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
    part = part_of(given, image)
    if part is None:
        return _noted(subject, "the input is not shown: it shows another part of the sky")
    given = part
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
    read = read_shown(*files, asked=asked, factor=subject.reduced)
    given = read.image
    if read.factor > 1 or subject.reduced > 1:
        subject = replace(subject, given=given)
        return _noted(subject, "no residual: the image is shown reduced")
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
        When it has other bands, or is what was restored.
    """
    bands = subject.image.bands
    if set(bands) <= set(truth.bands):
        truth = truth.of_bands([truth.bands.index(band) for band in bands])
    elif len(truth.bands) not in (1, len(bands)):
        said = f"has the bands {', '.join(truth.bands)}; the image has {', '.join(bands)}"
        raise InputError(f"{name}: {said}; give a file with these, or with one")
    given = subject.given
    known = [each.shape[1:] for each in (subject.image, given) if each is not None]
    if truth.wcs is None and subject.image.wcs is not None and truth.shape[1:] not in known:
        sides, own = ("×".join(map(str, shape)) for shape in (truth.shape[1:], known[0]))
        said = f"its {sides} pixels are not the image's {own}, and no WCS says where they lie"
        raise InputError(f"{name}: {said}; --truth-hdu names another extension")
    if given is not None and np.array_equal(given.flux, truth.flux, equal_nan=True):
        said = "what is read of it is the input itself, no truth; --truth-hdu names its extension"
        raise InputError(f"{name}: {said}")
    return replace(subject, truth=truth, facts=[*subject.facts, ("Truth", Path(name).name)])


def _with_truth(
    subject: Subject, truth: Path | None, factor: int, hdu: int | str | None
) -> Subject:
    if truth is None:
        return subject
    image = read_shown(truth, asked=Request(hdu=hdu), factor=factor).image
    return with_truth(subject, image, str(truth) if hdu is None else f"{truth}[{hdu}]")


def _psfs(*known: tuple[str, PSF | None]) -> list[tuple[str, PSF]]:
    return [(label, psf) for label, psf in known if psf is not None]


def _noted(subject: Subject, note: str) -> Subject:
    return replace(subject, notes=[*subject.notes, note])
