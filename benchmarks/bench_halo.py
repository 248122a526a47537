"""How far around a piece of a large image pellucid has to see.

    python benchmarks/bench_halo.py [HALO …] [--data FOLDER] [--psf FWHM]

One piece in the middle of a field of `bench_mosaic` is restored from windows of several halos, in
pixels, and compared with what is made with the network's whole reach around it: the largest and
the root mean square difference of the flux and its uncertainty, in units of the noise.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench_mosaic import write_field

from pellucid import load_restorer
from pellucid.fits import open_field
from pellucid.restoration.bandwise import BandwiseRestorer
from pellucid.restoration.bandwise_pieces import BandwisePieces
from pellucid.restoration.field_sky import flattened, measured_sky
from pellucid.restoration.places import Place

#: In pixels; the field holds a core with the widest halo around it.
CORE, WIDEST, SIDE = 512, 544, 2048
LAYERS = ("flux", "uncertainty")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("halos", nargs="*", type=int, default=[128, 192, 224, 256, 288, 352, 448])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--psf", type=float, default=2.4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "field.fits")
        write_field(source, SIDE, options.data)
        with open_field(source) as field:
            sky = measured_sky(field)
            restorer = load_restorer("pellucid")
            assert isinstance(restorer, BandwiseRestorer)
            pieces = restorer.pieces(field, sky, psf=options.psf)
            assert isinstance(pieces, BandwisePieces)
            print(f"core {CORE}; reach {restorer.card.reach}, halo of use {pieces.halo}")
            whole: dict[str, np.ndarray] = {}
            for halo in (WIDEST, *sorted(options.halos, reverse=True)):
                first = (SIDE - CORE) // 2
                core = slice(first, first + CORE)
                around = slice(first - halo, first + CORE + halo)
                place = Place((core, core), (around, around), (SIDE, SIDE))
                window = flattened(field.window(*place.window), sky, *place.window)[0]
                some = replace(pieces, core=CORE, halo=halo)
                started = time.perf_counter()
                planes = some.restore(window, place).planes
                seconds = time.perf_counter() - started
                inner = (slice(None), *place.inner(pieces.finer))
                found = {name: planes[name][inner] for name in LAYERS}
                whole = whole or found
                off = {name: np.abs(found[name] - whole[name]) for name in LAYERS}
                told = [
                    f"{n} {d.max():.1e} (rms {np.sqrt(np.mean(d**2)):.1e})" for n, d in off.items()
                ]
                print(f"halo {halo}: {', '.join(told)}; {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
