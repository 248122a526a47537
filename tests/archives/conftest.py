"""Archives on this machine, each for one test."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import cosmos_archive
import pytest
import sdss_archive
from local_server import serving


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture
def serve(monkeypatch) -> Iterator[Callable[[list[sdss_archive.Source]], sdss_archive.Archive]]:
    """Serves an archive, which then is the survey's."""
    with ExitStack() as stack:

        def start(sources: list[sdss_archive.Source]) -> sdss_archive.Archive:
            archive = sdss_archive.Archive(sources)
            base = stack.enter_context(serving(sdss_archive.handler_of(archive)))
            for name in (sdss_archive.SKYSERVER, sdss_archive.FRAMES):
                monkeypatch.setattr(*name, base + urlsplit(getattr(*name)).path)
            return archive

        yield start


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[cosmos_archive.Archive]:
    """An archive with the tiles 77 and 78, and its addresses in a file."""
    archive = cosmos_archive.Archive()
    for number in (77, 78):
        for k, kind in enumerate(("sci", "wht")):
            packed = gzip.compress(cosmos_archive.tile(10 * number + k))
            path = f"{cosmos_archive.ACS}{number:03d}_{kind}.fits.gz"
            archive.pages[path] = cosmos_archive.Page(packed)
        path = f"{cosmos_archive.SUBARU}{number:03d}_sci_20.fits"
        archive.pages[path] = cosmos_archive.Page(cosmos_archive.tile(number))
    with serving(cosmos_archive.handler_of(archive)) as base:
        cosmos_archive.write_addresses(tmp_path, base)
        yield archive
        for page in archive.pages.values():
            if page.held is not None:
                page.held.set()
