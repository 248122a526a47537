"""study: a paper's experiment, end to end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid.cli import options
from pellucid.cli.pages import group_end, help_end
from pellucid.ending import ENDED
from pellucid.errors import UsageError

Folder = Annotated[Path, typer.Option("--output", "-o", help="Folder of the study.")]
OWN = "or a YAML file of your own."
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a study.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; by default one a core.")
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", help="Dask scheduler, e.g. tcp://HOST:8786.")
]

study = typer.Typer(
    no_args_is_help=True,
    help="Run a paper's experiment, end to end.",
    epilog=group_end("study"),
)


@study.command(epilog=help_end("study galaxygan"))
def galaxygan(
    data: Annotated[
        Path, typer.Option("--data", help="Folder of <id>/<id>-{g,r,i}.fits, or of composites.")
    ],
    output: Folder,
    preset: Annotated[
        str,
        typer.Option("--preset", help=f"smoke, quick, grid, letter, curve, trial or paper, {OWN}"),
    ] = "quick",
    catalogue: Annotated[
        Path | None,
        typer.Option("--catalogue", help="Table of ids and redshifts; by default DATA's own."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", help='Which of its rows; may be repeated. FITS: "z > 0.01", "z < 0.02".'
        ),
    ] = None,
    shrink: options.Shrink = 1,
    size: options.Size = None,
    pixel_scale: options.PixelScale = None,
    resume: Resume = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    shard: Annotated[
        str | None, typer.Option("--shard", help="Do the i-th of N shares of the jobs: i/N.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """GalaxyGAN against deconvolution over the grid of Schawinski et al. 2017."""
    _check_scheduler(scheduler, workers, shard)
    from pellucid.data.folder import Cut
    from pellucid.studies.folder import require_training

    require_training()  # before the recipe that a preset holds asks for torch
    from pellucid.studies.galaxygan.preset import read_preset
    from pellucid.studies.galaxygan.report import write_results
    from pellucid.studies.galaxygan.study import run_study
    from pellucid.studies.sample import SampleRecipe

    cut = Cut(("g", "r", "i"), pixel_scale, shrink, size)
    sample = SampleRecipe(data, catalogue, None if where is None else tuple(where), cut)
    chosen = read_preset(preset)
    with _resumable(output):
        outcome = run_study(
            chosen, sample, output, resume, workers, scheduler, shard, _progress, options.say
        )
    if outcome.sample.missing:
        options.say(f"{outcome.sample.missing} rows of the catalogue have no files in {data}")
    skipped = {rejection.id: rejection.reason for rejection in outcome.sample.skipped}
    options.say_first("skipped", skipped)
    failed = {failure.job: str(failure.error) for failure in outcome.failures}
    for job, reason in failed.items():
        options.say(f"{job}: {reason}")
    # Members of a job array would all draw the same figures.
    ready = outcome.complete or (shard is None and outcome.done > 0)
    written = write_results(output) if ready else None
    report = {
        "output": str(output),
        "objects": outcome.sample.objects,
        "skipped": skipped,
        "missing": outcome.sample.missing,
        "jobs_done": outcome.done,
        "jobs_planned": outcome.planned,
        "failed": failed,
        "report": None if written is None else str(written),
    }
    line = f"{written}: the tables and figures"
    if not outcome.complete:
        line = f"{outcome.done} of {outcome.planned} jobs done; --resume goes on"
    options.report_result(report, as_json, line)
    if failed or skipped:
        raise typer.Exit(1)


@study.command(epilog=help_end("study seeinggan"))
def seeinggan(
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            help="Folder with hsc_hst_pairs (or its tar) and hst_galaxies.npz, and "
            "euclid_q1_pairs if it is tested on those, too; or with the pairs.h5 that "
            "`pellucid pairs-observed` makes.",
        ),
    ],
    output: Folder,
    preset: Annotated[
        str, typer.Option("--preset", help=f"smoke, quick or paper, {OWN}")
    ] = "quick",
    resume: Resume = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    as_json: options.AsJson = False,
) -> None:
    """SeeingGAN: Subaru images made HST-like, on real galaxies (Gan, Bekki & Hashemizadeh)."""
    _check_scheduler(scheduler, workers)
    from pellucid.studies.folder import require_training

    require_training("sep", "statmorph")  # before the recipe that a preset holds asks for torch
    from pellucid.studies.seeinggan.preset import read_preset
    from pellucid.studies.seeinggan.study import run_study

    with _resumable(output):
        sample = run_study(
            read_preset(preset), data, output, resume, workers, scheduler, _progress, options.say
        )
    results = output / "results"
    report = {
        "output": str(output),
        "learned": len(sample.places("learned")),
        "tested": len(sample.places("tested")),
        "left_out": {rejection.id: rejection.reason for rejection in sample.left_out},
        "report": str(results),
    }
    options.report_result(report, as_json, f"{results}: the tables and figures")


@study.command(epilog=help_end("study pellucid"))
def pellucid(
    data: Annotated[
        Path,
        typer.Option("--data", help="Folder of archives of galaxies and PSFs."),
    ],
    output: Folder,
    preset: Annotated[str, typer.Option("--preset", help=f"smoke or quick, {OWN}")] = "quick",
    resume: Resume = False,
    as_json: options.AsJson = False,
) -> None:
    """pellucid's own model: told the blur, any bands; the mean and its spread, then samples."""
    from pellucid.studies.folder import require_training

    require_training()
    from pellucid.studies.pellucid.preset import read_preset
    from pellucid.studies.pellucid.study import run_study

    with _resumable(output):
        models = run_study(read_preset(preset), data, output, resume, options.say)
    report = {"output": str(output), "models": {name: str(path) for name, path in models.items()}}
    line = f"{models['mean']}: trained; `restore --model` takes it"
    options.report_result(report, as_json, line)


def _progress(jobs: Iterable[Any], total: int) -> Iterator[Any]:
    """A bar on a terminal, a line a job in a log."""
    if sys.stderr.isatty():
        yield from options.with_progress(jobs, total, "jobs")
        return
    for count, job in enumerate(jobs, 1):
        options.say(f"{count} of {total} jobs")
        yield job


def _check_scheduler(scheduler: str | None, workers: int | None, shard: str | None = None) -> None:
    if scheduler is not None and (shard is not None or workers is not None):
        raise UsageError("--scheduler leaves no choice of --shard or --workers; the cluster has it")


@contextmanager
def _resumable(output: Path) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code not in ENDED:
            raise
        options.say(f"interrupted; --resume goes on with {output}")
        raise
