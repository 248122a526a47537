"""fetch: the samples of published studies, from the archives that hold them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli.options import AsJson, report_result, say, with_progress
from pellucid.errors import UsageError

fetch = typer.Typer(no_args_is_help=True, help="Download the samples of published studies.")


@fetch.callback()
def _fetch() -> None:
    pass


@fetch.command()
def sdss(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to fill; a run goes on where it stopped.")
    ],
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the sample's first so many objects.")
    ] = None,
    z_min: Annotated[float, typer.Option("--z-min", help="Redshift above this.")] = 0.01,
    z_max: Annotated[float, typer.Option("--z-max", help="Redshift below this.")] = 0.02,
    size: Annotated[
        int, typer.Option("--size", min=16, max=1024, help="Pixels a side, of 0.396 arcsec.")
    ] = 424,
    retries: Annotated[
        int, typer.Option("--retries", min=0, max=10, help="Of each download that fails.")
    ] = 3,
    pause: Annotated[
        int,
        typer.Option("--pause", min=0, max=600, help="Seconds before the first retry; doubles."),
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """Fetch the sample of GalaxyGAN from SDSS DR12: g, r, i, one folder a galaxy."""
    if not (math.isfinite(z_min) and math.isfinite(z_max) and z_min < z_max):
        raise UsageError(f"--z-min {z_min} --z-max {z_max}: the first must be the smaller")
    try:
        import astroquery.sdss  # noqa: F401  (the archive's addresses, an extra)
    except ImportError as error:
        raise UsageError(
            f"fetching needs {error.name}, which is not installed: pip install 'pellucid[fetch]'"
        ) from error
    from pellucid.data.sdss.fetch import fetch_objects
    from pellucid.data.sdss.query import Patience, sample_query
    from pellucid.data.sdss.tables import open_sample
    from pellucid.files import make_folder

    patience = Patience(retries, pause)
    folder = make_folder(output)
    sample = open_sample(folder, sample_query(z_min, z_max, limit), size, patience)
    outcomes = fetch_objects(sample, size, patience)
    count = {"fetched": 0, "present": 0, "rejected": 0, "failed": 0}
    failed: dict[str, str] = {}
    for outcome in with_progress(outcomes, len(sample.galaxies), "fetch"):
        count[outcome.status] += 1
        if outcome.status == "failed":
            failed[outcome.id] = outcome.reason
    for name, reason in list(failed.items())[:20]:
        say(f"failed {name}: {reason}")
    if len(failed) > 20:
        say(f"failed {len(failed) - 20} more")
    there = count["fetched"] + count["present"]
    report = {
        "output": str(folder),
        "objects": there,
        "fetched": count["fetched"],
        "rejected": sample.rejected,
        "failed": failed,
    }
    line = (
        f"{folder}: {there} galaxies ({count['fetched']} of them new), "
        f"{len(sample.rejected)} rejected (see rejected.ecsv), {len(failed)} failed"
    )
    report_result(report, as_json, line)
    if failed:
        raise typer.Exit(1)
