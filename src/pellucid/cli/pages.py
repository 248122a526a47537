"""Where there is more to read: what each verb's help ends with, and the page of an error.

A page is a file of docs/, and the site's page of that name.
"""

from __future__ import annotations

from types import TracebackType

from pellucid.errors import PellucidError, TemporaryError

#: What each verb's help ends with: commands that run, and the page that says more.
EXAMPLES: dict[str, tuple[str, str, str]] = {
    "restore": (
        "pellucid restore g.fits r.fits i.fits --psf 1.3 --output restored.fits",
        "pellucid restore cutouts/ --psf stars --workers 8 --output restored/",
        "start.md",
    ),
    "info": (
        "pellucid info cutout.fits",
        "pellucid info g.fits r.fits i.fits --together --psf 1.3",
        "files.md",
    ),
    "view": (
        "pellucid view restored.fits --output page.html",
        "pellucid view restored/ --truth hst/ --output page.html",
        "view.md",
    ),
    "psf": (
        "pellucid psf r.fits --output PSF.fits --png psf.png",
        "pellucid psf g.fits r.fits i.fits --output PSF.fits --json",
        "psf.md",
    ),
    "degrade": (
        "pellucid degrade r.fits --fwhm 1.8 --noise 2 --output degraded.fits",
        "pellucid degrade hst.fits --fwhm 0.6 --noise 0 --output as_hsc.fits",
        "training.md",
    ),
    "pairs": (
        'pellucid pairs --sharp hst/ --degrade "fwhm=1.8 noise=2" --output pairs.h5',
        "pellucid pairs --sharp hst/ --degrade fwhm=1.4 --size 96 --output pairs.h5",
        "training.md",
    ),
    "pairs-observed": (
        "pellucid pairs-observed --sharp hst/ --blurred hsc/ --catalogue c.ecsv -o p.h5",
        "pellucid pairs-observed --sharp vis --blurred nisp --catalogue c.csv -o p.h5",
        "training.md",
    ),
    "train": (
        "pellucid train galaxygan-sdss --data pairs.h5 --output run",
        "pellucid train my-recipe.yaml --data pairs.h5 --output run --resume",
        "training.md",
    ),
    "evaluate": (
        "pellucid evaluate --truth hst.fits --restored restored.fits",
        "pellucid evaluate --data pairs.h5 --model run --method wiener --report r.html",
        "training.md",
    ),
    "models": ("pellucid models", "pellucid models --json", "models.md"),
    "demo": ("pellucid demo", "pellucid demo --output pictures", "start.md"),
    "study galaxygan": (
        "pellucid study galaxygan --preset quick --data DATA --output STUDY",
        "pellucid study galaxygan --preset quick --data DATA --output STUDY --resume",
        "studies.md",
    ),
    "study seeinggan": (
        "pellucid study seeinggan --preset smoke --data DATA --output STUDY",
        "pellucid study seeinggan --preset quick --data DATA --output STUDY --resume",
        "studies.md",
    ),
    "study pellucid": (
        "pellucid study pellucid --preset smoke --data DATA --output STUDY",
        "pellucid study pellucid --preset quick --data DATA --output STUDY --resume",
        "studies.md",
    ),
    "fetch sdss": (
        "pellucid fetch sdss --limit 10 --output galaxies/",
        "pellucid fetch sdss --z-max 0.015 --output galaxies/",
        "studies.md",
    ),
    "fetch cosmos": (
        "pellucid fetch cosmos --tiles 77,78 --output cosmos/",
        "pellucid fetch cosmos --region 150.1,2.2,0.1 --output cosmos/",
        "studies.md",
    ),
}

#: What is typed first; the end of the help that a call without words shows.
FIRST = (
    "pellucid info IMAGE.fits",
    "pellucid restore IMAGE.fits --psf 1.3 --output restored.fits --page page.html",
)

#: Which page an error is of, by the module that raised it or the package that holds it.
PAGES = {
    "pellucid.batch": "survey.md",
    "pellucid.data.catalogue": "survey.md",
    "pellucid.data": "training.md",
    "pellucid.training": "training.md",
    "pellucid.studies": "studies.md",
    "pellucid.archives": "studies.md",
    "pellucid.view": "view.md",
    "pellucid.display": "files.md",
    "pellucid.fits": "files.md",
    "pellucid.restoration.choice": "files.md#bands-and-models",
    "pellucid.restoration.suited": "models.md",
    "pellucid.optics": "psf.md",
    "pellucid.optics.degradation": "training.md",
    "pellucid.sources": "psf.md",
}


def help_end(verb: str) -> str:
    """The last lines of a verb's help."""
    *examples, page = EXAMPLES[verb]
    return "\n\n".join(["Examples:", *examples, f"More: docs/{page}"])


def group_end(group: str) -> str:
    """The last lines of the help of a group of verbs: the first example of each."""
    inside = [told for verb, told in EXAMPLES.items() if verb.startswith(f"{group} ")]
    return "\n\n".join(["Examples:", *(told[0] for told in inside), f"More: docs/{inside[0][-1]}"])


def first_words() -> str:
    """The last lines of the help of all."""
    return "\n\n".join(
        [
            "Begin with what would be read of an image, then restore it:",
            *FIRST,
            "pellucid VERB --help ends with examples, pellucid --install-completion makes Tab "
            "complete verbs and options.",
            "More: docs/start.md",
        ]
    )


def page_of(error: PellucidError) -> str | None:
    """The page about what went wrong, by the place that found it; None where there is none."""
    found: BaseException = error
    while isinstance(found.__cause__, PellucidError):
        found = found.__cause__
    # A disk that is full, an archive that is away, a name that was mistyped.
    if isinstance(found, TemporaryError) or isinstance(found.__context__, FileNotFoundError):
        return None
    module = _innermost(found.__traceback__)
    while module and module not in PAGES:
        module = module.rpartition(".")[0]
    return PAGES.get(module)


def _innermost(trace: TracebackType | None) -> str:
    """The module of the package in which an error was raised."""
    module = ""
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        module = name if name.startswith("pellucid.") else module
        trace = trace.tb_next
    return module
