"""fetch: the samples of published studies, from the archives that hold them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli.options import AsJson, report_result, say, say_first, with_progress
from pellucid.cli.pages import group_end, help_end
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.archives.bring import Fetched
    from pellucid.archives.http import Client

Retries = Annotated[
    int, typer.Option("--retries", min=0, max=10, help="Of each download that fails.")
]
Pause = Annotated[
    int, typer.Option("--pause", min=0, max=600, help="Seconds before the first retry; doubles.")
]
Hosts = Annotated[
    list[str] | None,
    typer.Option("--host", help="Host to which the archive may send requests on; again for more."),
]
Folder = Annotated[
    Path, typer.Option("--output", "-o", help="Folder to fill; a run goes on where it stopped.")
]

fetch = typer.Typer(
    no_args_is_help=True,
    help="Download the samples of published studies.",
    epilog=group_end("fetch"),
)


@fetch.command(epilog=help_end("fetch sdss"))
def sdss(
    output: Folder,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the sample's first so many objects.")
    ] = None,
    z_min: Annotated[float, typer.Option("--z-min", help="Redshift above this.")] = 0.01,
    z_max: Annotated[float, typer.Option("--z-max", help="Redshift below this.")] = 0.02,
    size: Annotated[
        int, typer.Option("--size", min=16, max=1024, help="Pixels a side, of the survey's own.")
    ] = 424,
    retries: Retries = 3,
    pause: Pause = 5,
    hosts: Hosts = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the sample of GalaxyGAN from SDSS DR12: g, r, i, one folder a galaxy."""
    if not (math.isfinite(z_min) and math.isfinite(z_max) and z_min < z_max):
        raise UsageError(f"--z-min {z_min} --z-max {z_max}: the first must be the smaller")
    client = _client(retries, pause, hosts or [])
    from pellucid.archives.sdss.fetch import fetch_objects
    from pellucid.archives.sdss.sample import open_listing, sample_query
    from pellucid.files import make_folder

    folder = make_folder(output)
    listing = open_listing(client, folder, sample_query(z_min, z_max, limit), size)
    count, failed = _tally(fetch_objects(client, listing, size), len(listing.galaxies))
    there = count["fetched"] + count["present"]
    report = {
        "output": str(folder),
        "objects": there,
        "fetched": count["fetched"],
        "rejected": listing.rejected,
        "failed": failed,
    }
    line = (
        f"{folder}: {there} galaxies ({count['fetched']} of them new), "
        f"{len(listing.rejected)} rejected (see rejected.ecsv), {len(failed)} failed"
    )
    report_result(report, as_json, line)
    if failed:
        raise typer.Exit(1)


@fetch.command(epilog=help_end("fetch cosmos"))
def cosmos(
    output: Folder,
    tiles: Annotated[
        str | None, typer.Option("--tiles", help="Numbers of Hubble's tiles: 77,78")
    ] = None,
    region: Annotated[
        str | None,
        typer.Option("--region", help="RA,DEC,RADIUS in degrees: the tiles that it touches."),
    ] = None,
    whole: Annotated[bool, typer.Option("--all", help="All 81 tiles, up to 280 GB.")] = False,
    addresses: Annotated[
        Path | None,
        typer.Option("--addresses", help="YAML that corrects the archive's: acs, subaru, tap…"),
    ] = None,
    retries: Retries = 3,
    pause: Pause = 5,
    hosts: Hosts = None,
    as_json: AsJson = False,
) -> None:
    """Fetch what SeeingGAN learnt from: COSMOS through Hubble and Subaru, and COSMOS2015.

    Per tile of 10 arcmin: acs/ has the F814W image (gzipped, 0.03
    arcsec/pixel), acs_weight/ its weight, subaru/ the r+ image. fetched.ecsv
    lists each file with its origin, size and SHA-256.

    catalogue.ecsv has the galaxies on them: id, ra, dec, redshift,
    log_stellar_mass, r_mag. COSMOS2015 has no morphologies and no R90: pellucid
    pairs-observed takes R90 (arcsec) and morphology from a catalogue that you
    join with this one, or measures R90 itself.
    """
    client = _client(retries, pause, hosts or [])
    from pellucid.archives.cosmos.addresses import Addresses
    from pellucid.archives.cosmos.fetch import FILES, bytes_to_come, fetch_files, missing_files
    from pellucid.files import make_folder
    from pellucid.settings import read_settings

    chosen = _tiles(tiles, region, whole)
    known = Addresses() if addresses is None else read_settings(addresses, Addresses)
    folder = make_folder(output)
    total = 1 + FILES * len(chosen)
    missing = missing_files(folder, known, chosen)
    size = bytes_to_come(client, folder, missing)
    say(
        f"{folder}: {total} files of {len(chosen)} tiles, "
        f"{len(missing)} of them ({size / 1e9:.2f} GB) to fetch"
    )
    count, failed = _tally(fetch_files(client, folder, known, missing), len(missing))
    there = total - len(failed)
    report = {
        "output": str(folder),
        "tiles": chosen,
        "files": there,
        "fetched": count["fetched"],
        "bytes": size,
        "failed": failed,
    }
    line = f"{folder}: {there} files ({count['fetched']} of them new), {len(failed)} failed"
    report_result(report, as_json, line)
    if failed:
        raise typer.Exit(1)


def _tiles(tiles: str | None, region: str | None, whole: bool) -> list[int]:
    """The tiles that one of the three options names."""
    from pellucid.archives.cosmos.tiles import TILES, check_tiles, tiles_around

    if (tiles is not None) + (region is not None) + whole != 1:
        raise UsageError("name what to fetch: one of --tiles 77,78, --region RA,DEC,RADIUS, --all")
    if tiles is not None:
        names = [name.strip() for name in tiles.split(",")]
        if not all(name.isascii() and name.isdigit() for name in names):
            raise UsageError(f"--tiles {tiles}: write it as 77,78")
        return check_tiles([int(name) for name in names])
    if region is not None:
        try:
            ra, dec, radius = (float(part) for part in region.split(","))
        except ValueError:
            ra = dec = radius = math.nan
        if not (0 <= ra <= 360 and -90 <= dec <= 90 and 0 <= radius < 90):
            raise UsageError(f"--region {region}: write it as RA,DEC,RADIUS in degrees")
        return tiles_around(ra, dec, radius)
    return list(TILES)


def _client(retries: int, pause: int, hosts: list[str]) -> Client:
    try:
        import pyvo  # noqa: F401  (with requests, an extra)
    except ImportError as error:
        raise UsageError(
            f"fetching needs {error.name}, which is not installed: pip install 'pellucid[fetch]'"
        ) from error
    from pellucid.archives.http import Client

    return Client(retries, pause, hosts)


def _tally(objects: Iterator[Fetched], total: int) -> tuple[Counter[str], dict[str, str]]:
    """Let a run take place: how many objects met which end, and why those failed that did."""
    count: Counter[str] = Counter()
    failed: dict[str, str] = {}
    for fetched in with_progress(objects, total, "fetch"):
        count[fetched.status] += 1
        if fetched.status == "failed":
            failed[fetched.id] = fetched.reason
    say_first("failed", failed)
    return count, failed
