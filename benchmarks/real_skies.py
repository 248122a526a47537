"""Shipped models on skies that were seen twice, beside deconvolutions, and STARRED if asked.

    python benchmarks/real_skies.py DATA [--count 24] [--starred]

DATA is the folder of archives of ``pellucid study pellucid``; the tables are the study's. STARRED
comes with ``pip install starred-astro`` and takes a minute or two a source.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import islice
from pathlib import Path

from with_starred import Starred

from pellucid import load_restorer
from pellucid.restoration.grid import TARGET
from pellucid.studies.observed import euclid_sources, hsc_galaxies
from pellucid.studies.pellucid.real import measure_real, real_page


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="pellucid")
    parser.add_argument("--count", type=int, help="sources of HSC, and of Euclid; without it all")
    parser.add_argument("--starred", action="store_true")
    options = parser.parse_args()
    model = load_restorer(options.model)
    with tempfile.TemporaryDirectory() as work:
        # On HSC's grid, which is SeeingGAN's, the target spans twice as many pixels.
        rows = [
            *measure_real(
                islice(hsc_galaxies(options.data, Path(work)), options.count),
                model,
                [Starred(2.0 * TARGET)] if options.starred else [],
            ),
            *measure_real(
                islice(euclid_sources(options.data, Path(work)), options.count),
                model,
                [Starred(TARGET)] if options.starred else [],
            ),
        ]
    print(real_page(rows))


if __name__ == "__main__":
    main()
