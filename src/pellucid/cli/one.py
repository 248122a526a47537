"""`restore` into a file: one image in memory, or a large one piece by piece."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.cli import options
from pellucid.errors import naming
from pellucid.version import __version__

if TYPE_CHECKING:
    from pellucid.batch.request import Request
    from pellucid.restoration import Restoration
    from pellucid.sky import SkyImage


@dataclass(frozen=True)
class Results:
    """The files to write of one image."""

    output: Path
    png: Path | None
    page: Path | None
    regions: Path | None
    overwrite: bool

    def check(self, inputs: list[Path]) -> None:
        """Refuse what cannot be written before anything is read."""
        from pellucid.restoration.regions import check_region_name

        every = [self.output, self.png, self.page, self.regions]
        options.check_outputs(every, inputs, self.overwrite)
        options.check_pictures(self.output, self.png)
        if self.regions is not None:
            check_region_name(self.regions)


@dataclass
class Notes:
    """What is told of an image, each of it once."""

    said: list[str] = field(default_factory=list)

    def tell(self, *notes: str) -> None:
        options.say_notes(note for note in notes if note not in self.said)
        self.said += notes


def restore_one(
    inputs: list[Path],
    results: Results,
    request: Request,
    command: str,
    as_json: bool,
    resume: bool,
) -> None:
    """Restore one image and report it; ``resume`` continues a large one."""
    from pellucid.batch.large import is_large_file

    started = time.perf_counter()
    results.check(inputs)
    notes = Notes()
    large = is_large_file(inputs, request)
    done = _by_pieces(inputs, results, request, command, notes, resume) if large else None
    restored, image = done or _in_memory(inputs, results, request, command, notes)
    _report(restored, image, notes, results.output, started, as_json)


def _by_pieces(
    inputs: list[Path],
    results: Results,
    request: Request,
    command: str,
    notes: Notes,
    resume: bool,
) -> tuple[Restoration, SkyImage] | None:
    """From file to file; None where all of the image is needed at once."""
    from pellucid.batch.large import restore_large
    from pellucid.cli.progress import watched
    from pellucid.fits import Whole

    output, overwrite = results.output, results.overwrite
    try:
        if results.png is not None or results.regions is not None:
            raise Whole("--png and --regions show all of it")
        with watched("restoring"):
            done = restore_large(inputs, output, request, overwrite, [command], notes.tell, resume)
    except Whole as reason:
        lost = "; --resume keeps nothing of it" * resume
        notes.tell(f"a large image is restored whole, in memory: {reason}{lost}")
        return None
    if results.page is not None:
        from pellucid.cli.view import make_page

        make_page([output], results.page, inputs, overwrite=overwrite)
    return done


def _in_memory(
    inputs: list[Path], results: Results, request: Request, command: str, notes: Notes
) -> tuple[Restoration, SkyImage]:
    from pellucid.api import write_image
    from pellucid.batch.request import load, opened
    from pellucid.cli.progress import watched
    from pellucid.display import write_png
    from pellucid.restoration.regions import write_regions
    from pellucid.restoration.restorer import FittingRestorer

    output, overwrite = results.output, results.overwrite
    image, stated = opened(inputs, request)
    restorer = load(request)
    if isinstance(restorer, FittingRestorer):
        restorer = replace(restorer, tell=notes.tell)
    notes.tell(*image.notes)
    with naming(inputs[0]), watched("restoring"):
        result = restorer(image, *stated)
    write_image(result, output, overwrite, history=[command])
    if results.png is not None:
        write_png(result.image, results.png, overwrite, image)
    if results.regions is not None:
        write_regions(result, results.regions, overwrite)
    if results.page is not None:
        from pellucid.view import subject_of_result, told, with_given, write_page

        blur, psf, _ = stated
        subject = subject_of_result(result, output.name, [command])
        subject = with_given(subject, image, blur, psf)
        write_page([told(subject)], output.name, results.page, overwrite)
    return result, image


def _report(
    result: Restoration,
    image: SkyImage,
    notes: Notes,
    output: Path,
    started: float,
    as_json: bool,
) -> None:
    """Tell what is known of an image's restoration, but for what was told already."""
    found = result.provenance["notes"]
    told = [result.provenance.get(key) for key in ("change", "trust")]
    notes.tell(*found, *filter(None, told))
    report = {
        "output": str(output),
        **result.provenance,
        "notes": list(dict.fromkeys([*image.notes, *found])),
        "bands": list(image.bands),
        "shape": list(result.image.shape),
        "pellucid": __version__,
        "seconds": round(time.perf_counter() - started, 3),
    }
    by = result.provenance.get("model") or result.provenance.get("method")
    options.report_result(report, as_json, f"{output}: restored by {by}")
