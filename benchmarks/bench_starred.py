"""STARRED on skies that were seen twice, beside pellucid and what the study compares it with.

    pip install starred-astro
    python benchmarks/bench_starred.py DATA [--count 8]

DATA is the folder of archives of ``pellucid study pellucid``; the table is the study's.
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
    parser.add_argument("--count", type=int, default=8, help="sources of each pair of cameras")
    options = parser.parse_args()
    model = load_restorer(options.model)
    with tempfile.TemporaryDirectory() as work:
        # On HSC's grid, which is SeeingGAN's, the target spans twice as many pixels.
        rows = [
            *measure_real(
                islice(hsc_galaxies(options.data, Path(work)), options.count),
                model,
                [Starred(2.0 * TARGET)],
            ),
            *measure_real(
                islice(euclid_sources(options.data, Path(work)), options.count),
                model,
                [Starred(TARGET)],
            ),
        ]
    print(real_page(rows))


if __name__ == "__main__":
    main()
