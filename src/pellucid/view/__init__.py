"""The page: restorations to look at, in a browser, without a server or a network."""

from pellucid.view.assemble import page, write_page
from pellucid.view.reduced_images import reduced
from pellucid.view.restored import (
    subject_of_file,
    subject_of_image,
    subject_of_result,
    with_given,
)
from pellucid.view.subject import COARSE, FINE, Subject, told

__all__ = [
    "COARSE",
    "FINE",
    "Subject",
    "page",
    "reduced",
    "subject_of_file",
    "subject_of_image",
    "subject_of_result",
    "told",
    "with_given",
    "write_page",
]
