"""Where the mesh comes from that SeeingGAN draws.

    python benchmarks/mesh.py STUDY --output FOLDER --first [--steps 800] [--only VARIANT…]
    python benchmarks/mesh.py STUDY --output FOLDER [--start MODEL] [--steps 400] [--only VARIANT…]

STUDY is a SeeingGAN study whose pairs are made. With --first, its first stage (pixels alone) is
trained from nothing; else the second one (critic and VGG-19) with the paper's rate of 0.0002, from
the first stage's network or from --start on. Each is trained as published, and with one thing
changed at a time; --only without a variant measures the start alone. Of what each network makes of
the simulated pairs that were held back, mesh.md has by how much the spectrum stands out where a
grid of 2, 4, 8 and 16 pixels has its lines, and mesh.png shows a galaxy. Variants that are trained
stay so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid import load_restorer
from pellucid.data.pairs import Pairs
from pellucid.evaluation.figures import Panel, draw_comparison
from pellucid.evaluation.scores import Scoring, Untouched, score_pair
from pellucid.evaluation.tables import markdown_table
from pellucid.files import make_folder, write_content
from pellucid.metrics.texture import windowed_power
from pellucid.sky import background_of
from pellucid.stretch import NoiseStretch
from pellucid.studies.folder import model_file, train_network
from pellucid.studies.seeinggan.jobs import SEEINGGAN
from pellucid.studies.seeinggan.pictures import picture
from pellucid.studies.seeinggan.preset import Preset
from pellucid.studies.seeinggan.sample import training_pairs
from pellucid.training import seeinggan

#: What each variant changes of the recipe.
VARIANTS: Mapping[str, dict[str, Any]] = {
    "as published": {},
    "in fp32": {"precision": "fp32"},
    "nothing shifted": {},
    "no perceptual loss": {"perceptual_weight": 0.0},
    "no critic": {"adversarial_weight": 0.0},
    "neither": {"adversarial_weight": 0.0, "perceptual_weight": 0.0},
    "clipped critic": {"lipschitz": "clip"},
    "a rate of 0.00005": {"learning_rate": 5e-5},
    "1:2:1 after the shuffle": {"network": {"smooth": True}},
    "momentum 0": {"beta1": 0.0},
}
#: The paper's rate.
RATE = 2e-4
PERIODS = (2, 4, 8, 16)
#: Frequencies on each side that a line of the spectrum is compared with, and those left out, to
#: which the window spreads it.
AROUND, SPREAD = 6, 2
GALAXIES = 40
SCORING = Scoring(("psnr",), NoiseStretch(), whole_psf=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="a network in the place of the first stage's")
    parser.add_argument("--first", action="store_true", help="train the first stage, from nothing")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    options = parser.parse_args()
    preset = Preset.model_validate(json.loads((options.study / "study.json").read_text())["preset"])
    store, split = training_pairs(preset, options.study, options.study, "simulated")
    first, second = list(preset.networks().items())[:2]
    start = options.start or model_file(options.study, first[0])
    output = make_folder(options.output)
    models = {} if options.first else {"the start": start}
    places = split.validation[:GALAXIES]
    if models and not options.only:
        report(models, store, places, output)
    for name in options.only:
        base = (first if options.first else second)[1][0].recipe
        change = dict(VARIANTS[name])
        network = {**base.network, "smooth": False, **change.pop("network", {})}
        fixed: dict[str, Any] = {"steps": options.steps}
        if options.first:
            start = None
        else:
            fixed |= {"learning_rate": RATE, "cool_down": 0.0}
        recipe = base.model_copy(update={**fixed, "network": network, **change})
        with shifting(name != "nothing shifted"):
            models[name] = train_network(output, _file(name), recipe, store, split, start)
        # After each, so that a run that is stopped has told what it found.
        report(models, store, places, output)


@contextmanager
def shifting(wanted: bool) -> Iterator[None]:
    """Let the critic and VGG-19 see images where they lie on the generator's grid."""
    honest = seeinggan.shifted
    if not wanted:
        seeinggan.shifted = lambda *images: images
    try:
        yield
    finally:
        seeinggan.shifted = honest


def report(
    models: Mapping[str, Path],
    store: Pairs,
    places: NDArray[np.integer],
    output: Path,
) -> None:
    stretch, rows, galaxies = NoiseStretch(), [], {}
    for name, model in {"HST": None, **models}.items():
        restorer = Untouched() if model is None else load_restorer(model=model)
        scored = [
            score_pair(store.ids[int(p)], store.pair(int(p)), {SEEINGGAN: restorer}, SCORING)
            for p in places
        ]
        images = [
            one.pair.sharp if model is None else one.restored[SEEINGGAN].image for one in scored
        ]
        spectra = [
            windowed_power(stretch.forward(image.flux, background_of(one.pair.blurred)))
            for image, one in zip(images, scored, strict=True)
        ]
        power = np.mean(spectra, axis=(0, 1))
        lines = [f"{excess(power, period):.1f}" for period in PERIODS]
        psnr = float(np.mean([one.metrics[SEEINGGAN]["psnr"] for one in scored]))
        rows.append([name, *lines, "" if model is None else f"{psnr:.2f}"])
        brightest = int(np.argmax([one.pair.sharp.flux.max() for one in scored]))
        galaxies[name] = (images[brightest], scored[brightest].pair.sharp)
    heading = ["", *(f"{period} pixels [dB]" for period in PERIODS), "PSNR [dB]"]
    told = (
        f"The mean spectrum of {len(places)} images where a grid has lines, over that beside them."
    )
    text = f"# The mesh\n\n{told}\n\n{markdown_table(heading, rows)}"
    write_content(output / "mesh.md", text, overwrite=True)
    panels = [[Panel(picture(image, truth)) for image, truth in galaxies.values()]]
    draw_comparison(panels, list(galaxies), [""], output / "mesh.png", overwrite=True)


def excess(power: NDArray[np.floating], period: int) -> float:
    """By how many dB a spectrum stands out where a grid of so many pixels has its lines.

    Lines that a finer grid has, too, are left out: they are that one's.

    Parameters
    ----------
    power
        As `numpy.fft.rfft2` has it, shape (y, x // 2 + 1), of a square image.
    """
    side, step = power.shape[0], power.shape[0] // period
    lines = [
        (y, x)
        for y in range(0, side, step)
        for x in range(0, side // 2 + 1, step)
        if (y // step) % 2 or (x // step) % 2
    ]
    return float(np.mean([10.0 * np.log10(power[y, x] / _beside(power, y, x)) for y, x in lines]))


def _beside(power: NDArray[np.floating], y: int, x: int) -> float:
    """The median at the frequencies around one."""
    side = power.shape[0]
    whole = np.concatenate([power, np.roll(power[::-1], 1, axis=0)[:, -2:0:-1]], axis=1)
    rows, columns = np.mgrid[-AROUND : AROUND + 1, -AROUND : AROUND + 1]
    far = np.maximum(np.abs(rows), np.abs(columns)) > SPREAD
    return float(np.median(whole[(y + rows[far]) % side, (x + columns[far]) % side]))


def _file(variant: str) -> str:
    return variant.replace(" ", "-").replace(":", "-")


if __name__ == "__main__":
    main()
