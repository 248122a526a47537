"""A model that ships in GalaxyGAN's twenty cells, against the classical methods.

    python benchmarks/cells.py DATA [--count 50]

DATA is the folder of archives of ``pellucid study pellucid``; the table is the study's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pellucid import load_restorer
from pellucid.studies.pellucid.cells import cells_page, measure_cells


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="pellucid")
    parser.add_argument("--count", type=int, default=50, help="composites")
    options = parser.parse_args()
    model = load_restorer(options.model)
    print(cells_page(measure_cells(options.data, model, options.count), model.name))


if __name__ == "__main__":
    main()
