"""What is asked of an image, whether it is one or one of many."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from os import PathLike
from typing import Any

from pellucid.errors import naming
from pellucid.restoration.engine import Engine, Precision
from pellucid.restoration.files import read_image
from pellucid.restoration.noise import noise_notes
from pellucid.restoration.restorer import Restorer, load_restorer
from pellucid.sky import PSF, SkyImage
from pellucid.sources.stated import check_stated, stated_psf, with_checked_psf

#: Blur, psf and target, as a restorer takes them.
Stated = tuple[PSF | float | None, PSF | float | None, PSF | float | None]


@dataclass(frozen=True)
class Request:
    """How images are read and restored: what `pellucid restore` takes, by the same names.

    Parameters
    ----------
    model, method, engine, precision, samples, force
        See `load_restorer`.
    psf, target, blur
        A FWHM in arcsec or the name of a FITS file; a psf may be ``"stars"``, too.
    pixel_scale, bands, hdu, bad_bits
        See `read_image`.
    """

    model: str | None = None
    method: str | None = None
    psf: str | float | None = None
    target: str | float | None = None
    blur: str | float | None = None
    pixel_scale: float | None = None
    bands: tuple[str, ...] | None = None
    hdu: int | str | None = None
    bad_bits: str | None = None
    samples: int = 0
    engine: Engine = "onnx"
    precision: Precision = "fp32"
    force: bool = False

    def words(self) -> dict[str, str]:
        """What was asked for beyond the usual, as it is typed: option to value."""
        asked = {
            f"--{field.name.replace('_', '-')}": getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        return {option: _typed(value) for option, value in asked.items()}

    def from_anywhere(self) -> Request:
        """The same request for processes that work in other folders: files by their whole path."""
        named = ("model", "psf", "target", "blur")
        said = {name: getattr(self, name) for name in named}
        files = {k: os.path.abspath(v) for k, v in said.items() if v and os.path.isfile(str(v))}
        return replace(self, **files)

    def check(self) -> None:
        """Refuse what no image can be restored by."""
        for said, option in ((self.blur, "--blur"), (self.psf, "--psf"), (self.target, "--target")):
            check_stated(said, option)
        restorer_of(self)


def _typed(value: Any) -> str:
    if value is True:
        return ""
    return ",".join(value) if isinstance(value, tuple) else str(value)


def load(request: Request) -> Restorer:
    """The restorer that was asked for."""
    asked = request
    return load_restorer(
        asked.model, asked.method, asked.engine, asked.precision, asked.samples, asked.force
    )


def restorer_of(request: Request) -> Restorer:
    """The restorer that was asked for, loaded once a process, and again where its file changed."""
    stamp = None
    if request.model is not None and os.path.exists(request.model):
        status = os.stat(request.model)
        stamp = status.st_mtime_ns, status.st_size
    return _kept(request, stamp)


@lru_cache(maxsize=1)
def _kept(request: Request, stamp: object) -> Restorer:
    return load(request)


def opened(files: Sequence[str | PathLike[str]], request: Request) -> tuple[SkyImage, Stated]:
    """The image in some files, with notes of what was guessed, and what is stated of its blur."""
    asked = request
    image = read_image(
        *files,
        hdu=asked.hdu,
        bands=asked.bands,
        pixel_scale=asked.pixel_scale,
        bad_bits=asked.bad_bits,
    )
    with naming(files[0]):
        return stated_of(image, request)


def stated_of(
    image: SkyImage, request: Request, frame: SkyImage | None = None
) -> tuple[SkyImage, Stated]:
    """An image with notes of what does not fit it, and what is stated of its blur.

    It may be the middle of a larger ``frame``.
    """
    said = ((request.blur, "--blur"), (request.psf, "--psf"), (request.target, "--target"))
    blur, psf, target = (
        stated_psf(value, image, option, frame, request.force) for value, option in said
    )
    image = with_checked_psf(image, psf, request.force)
    image = replace(image, notes=(*image.notes, *noise_notes(image)))
    return image, (blur, psf, target)
