"""The GalaxyGAN study from a folder of galaxies to tables and figures (Schawinski et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pellucid.batch.schedule import Failure, run_jobs, share
from pellucid.data.pairs import open_made
from pellucid.errors import InputError
from pellucid.files import make_folder
from pellucid.studies.folder import locked, prepared, require_training
from pellucid.studies.galaxygan.jobs import fold_for, plan, run_job, score_file
from pellucid.studies.galaxygan.preset import Preset
from pellucid.studies.sample import Sample, SampleRecipe, prepare_sample


@dataclass(frozen=True)
class Outcome:
    """What a call did: the sample, jobs done and to do, and those that failed."""

    sample: Sample
    done: int
    planned: int
    failures: list[Failure]

    @property
    def complete(self) -> bool:
        return self.done == self.planned


def run_study(
    preset: Preset,
    sample: SampleRecipe,
    output: Path,
    resume: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    shard: str | None = None,
    progress: Callable[[Iterable[Any], int], Iterable[Any]] = lambda items, _: items,
    say: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Do every job that is not done yet, wherever it is to be done.

    Parameters
    ----------
    output
        Folder of the study; members of a cluster or of a job array must see it, too.
    resume
        Go on with a study that was begun there.
    workers
        Processes on this machine; None takes one a core.
    scheduler
        Address of a Dask scheduler that takes the jobs instead.
    shard
        Do only the i-th of N shares, as ``"i/N"``; implies ``resume``.
    progress
        Wraps the finished jobs, e.g. to draw a bar, given their number.
    say
        Told what takes a while.
    """
    planned = plan(preset)
    jobs = share(planned, shard)
    require_training()
    if not sample.data.is_dir() and not (output / "sample.h5").exists():
        raise InputError(f"{sample.data}: no such folder")
    output = make_folder(output).resolve()  # workers elsewhere have another working directory
    record = {
        "preset": preset.model_dump(mode="json"),
        "sample": {"data": sample.data.name, "where": sample.where, "cut": vars(sample.cut)},
    }
    prepare = partial(_prepare, preset, sample, output, say)
    # Members of a job array that start together take turns.
    with locked(output, "sample"):
        joins = resume or shard is not None
        taken = prepared(output, record, joins, prepare, ("sample.h5", "sample.json"))
    todo = [job for job in jobs if not score_file(output, job).exists()]
    ended = run_jobs(partial(run_job, output, preset), todo, workers, scheduler)
    failures = [failure for failure in progress(ended, len(todo)) if failure is not None]
    done = sum(score_file(output, job).exists() for job in planned)
    return Outcome(taken, done, len(planned), failures)


def _prepare(
    preset: Preset, sample: SampleRecipe, output: Path, say: Callable[[str], None]
) -> Sample:
    say(f"reading the galaxies of {sample.data}")
    taken = prepare_sample(sample, output / "sample.h5")
    store = open_made(output / "sample.h5")
    for fold in sorted({job.fold for job in plan(preset)}):
        fold_for(store, preset, fold)
    return taken
