"""What a night, a tract and a survey cost in hours, from what an image costs on this machine.

    python benchmarks/bench_cost.py [--count 60] [--cores 2 64 1000] [--night 200000]
                                    [--survey 100000000] [--tract 30000]

An image is a cutout of 112 × 112 pixels in three bands, in files of their own, restored by a worker
with one thread; its cost is what a run of ``--count`` of them takes beyond a run of one. A tract is
one mosaic of so many pixels a side in one band; its cost is that of its pieces. Hours are processor
hours over cores: that a worker beside others is as fast as alone is measured with two of them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench_mosaic import pieces_of, write_field
from bench_survey import WAYS, make_cutouts, spent

SIDE = 112
#: Side of the field whose pieces are timed, its psf's FWHM and its pixels in arcsec.
FIELD, PSF, SCALE = 2880, 2.4, 0.4


def seconds_an_image(folder: Path, way: tuple[str, ...], count: int) -> tuple[float, float]:
    """Processor seconds of one more image; rate of two workers over twice that of one."""
    name = way[1]
    first = sorted(folder.glob("n00000-*"))
    start, _ = spent(*first, *way, "--output", folder.parent / f"{name}.fits")
    found = []
    for workers in (1, 2):
        output = folder.parent / f"{name}-{workers}"
        found.append(spent(folder, *way, "--workers", workers, "--output", output))
    (cpu, alone), (_, together) = found
    return (cpu - start) / (count - 1), alone / (2.0 * together)


def hours(seconds: float) -> str:
    """Seconds in the unit that a person would choose."""
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--cores", type=int, nargs="+", default=[2, 64, 1000])
    parser.add_argument("--night", type=int, default=200_000)
    parser.add_argument("--survey", type=int, default=100_000_000)
    parser.add_argument("--tract", type=int, default=30_000)
    given = parser.parse_args()
    headings = ["", "one thread", "beside another", *(f"{n:,} cores" for n in given.cores)]
    print(f"| {' | '.join(headings)} |\n|{'---|' * len(headings)}")
    with tempfile.TemporaryDirectory() as place:
        cutouts = Path(place, "in")
        cutouts.mkdir()
        make_cutouts(cutouts, given.count, SIDE)
        for way in WAYS:
            each, beside = seconds_an_image(cutouts, way, given.count)
            for what, number in (("a night", given.night), ("a survey", given.survey)):
                row = [f"{what} of {number:,} cutouts, {way[1]}", f"{1e3 * each:.0f} ms"]
                row += [f"{beside:.0%}", *(hours(number * each / n) for n in given.cores)]
                print(f"| {' | '.join(row)} |", flush=True)
        source = Path(place, "field.fits")
        write_field(source, FIELD, None, SCALE)
        for model, method in (("pellucid", ""), ("", "wiener")):
            seconds, pieces = pieces_of(source, model, method, PSF, OMP_NUM_THREADS="1")
            total = seconds * pieces * (given.tract / FIELD) ** 2
            row = [f"a tract of {given.tract:,}² pixels, {model or method}"]
            row += [f"{FIELD**2 / (seconds * pieces) / 1e6:.2f} Mpixel/s", ""]
            row += [hours(total / n) for n in given.cores]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
