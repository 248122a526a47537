"""The page of one value, for a notebook or a file."""

from __future__ import annotations

import html
import os
from pathlib import Path

from pellucid.restoration.result import Restoration
from pellucid.sky import SkyImage
from pellucid.view.assemble import page, write_page
from pellucid.view.restored import subject_of_image, subject_of_result, with_given, with_truth
from pellucid.view.subject import Subject, told

#: Of the frame in a notebook, pixels.
HEIGHT = 640


def frame_of(value: Restoration | SkyImage) -> str:
    """A page in a frame of its own, which what surrounds it cannot reach, nor it that."""
    subject = subject_of(value)
    text = html.escape(page([told(subject)], subject.name))
    return (
        f'<iframe srcdoc="{text}" sandbox="allow-scripts" title="{subject.name}" '
        f'style="width: 100%; height: {HEIGHT}px; border: 0"></iframe>'
    )


def subject_of(
    value: Restoration | SkyImage,
    given: SkyImage | None = None,
    truth: SkyImage | None = None,
) -> Subject:
    """What there is to see of a value, with what was restored and what it should be."""
    of_image = isinstance(value, SkyImage)
    subject = subject_of_image(value) if of_image else subject_of_result(value)
    if given is not None:
        subject = with_given(subject, given, None, None)
    return subject if truth is None else with_truth(subject, truth, "truth")


def write_view(
    value: Restoration | SkyImage,
    path: str | os.PathLike[str],
    given: SkyImage | None = None,
    truth: SkyImage | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a page to look at a restoration, as `pellucid view` does from files.

    Parameters
    ----------
    value
        A restoration, or an image.
    path
        The page, ``"page.html"``.
    given
        What was restored.
    truth
        What it should be; maybe in other pixels.
    overwrite
        Whether an existing file may be replaced.
    """
    subject = subject_of(value, given, truth)
    return write_page([told(subject)], Path(path).stem, path, overwrite)
