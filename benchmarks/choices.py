"""SeeingGAN's choices, undone one at a time: what squared differences, plain upsampling, norms do.

    python benchmarks/choices.py STUDY --output FOLDER [--steps 800] [--only VARIANT…]

STUDY is a SeeingGAN study whose pairs are made. Its first stage (pixels alone) is trained from
nothing, as recorded and with one thing changed at a time. choices.md has what each network makes of
the simulated pairs that were held back. Variants that are trained stay so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle

from pellucid import load_restorer
from pellucid.evaluation.scores import Scoring, Untouched, score_pair
from pellucid.evaluation.tables import markdown_table, with_error
from pellucid.files import make_folder, write_content
from pellucid.networks.architectures import ARCHITECTURES
from pellucid.networks.seeinggan import Generator, SeeingGANConfig
from pellucid.restoration import Restorer
from pellucid.stretch import NoiseStretch
from pellucid.studies.folder import train_network
from pellucid.studies.seeinggan.jobs import SEEINGGAN
from pellucid.studies.seeinggan.preset import Preset
from pellucid.studies.seeinggan.sample import training_pairs
from pellucid.training import seeinggan

GALAXIES = 100
RECORDED = "as recorded"
#: Whose difference from that is told, galaxy by galaxy.
LEADS = ("psnr", "cw_ssim_all_scales")
METRICS = {
    "psnr": ("PSNR [dB]", 2),
    "cw_ssim": ("CW-SSIM", 3),
    "cw_ssim_all_scales": ("CW-SSIM, all scales", 3),
    "half_light_radius_ratio": ("radius, ratio, median", 3),
    "flux_ratio": ("flux, ratio, median", 3),
}
SCORING = Scoring(
    ("psnr", "cw_ssim", "cw_ssim_all_scales", "source"), NoiseStretch(), whole_psf=True
)


def squared(restored: Tensor, sharp: Tensor) -> Tensor:
    """Mean square difference."""
    return (restored.float() - sharp.float()).square().mean()


class Nearest(nn.Module):
    """Twice the side: every pixel four times, then a convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        nn.init.kaiming_normal_(self.convolution.weight)

    def forward(self, features: Tensor) -> Tensor:
        # A shuffle of four times the same: nearest neighbours, in what every runtime knows.
        four = torch.stack([features] * 4, dim=2).flatten(1, 2)
        return torch.relu(self.convolution(pixel_shuffle(four, 2)))


def with_nearest(config: SeeingGANConfig) -> nn.Module:
    """The generator, upsampling by nearest neighbours."""
    generator = Generator(config)
    for number, up in enumerate(generator.decoder):
        convolution: Any = up.convolution
        channels = convolution.in_channels, convolution.out_channels // 4
        generator.decoder[number] = Nearest(*channels)
    return generator


def with_norms(config: SeeingGANConfig) -> nn.Module:
    """The generator, with a batch norm after every convolution but the last."""
    generator = Generator(config)
    for part in (generator.encoder, generator.blocks, generator.decoder):
        for module in list(part.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Conv2d):
                    normed = nn.Sequential(child, nn.BatchNorm2d(child.out_channels))
                    setattr(module, name, normed)
    return generator


#: The network and the difference of pixels of each variant.
VARIANTS: Mapping[str, tuple[Callable[..., nn.Module], Callable[..., Tensor]]] = {
    RECORDED: (Generator, seeinggan.pixel_loss),
    "squared differences": (Generator, squared),
    "upsampling by nearest neighbours": (with_nearest, seeinggan.pixel_loss),
    "batch norm": (with_norms, seeinggan.pixel_loss),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    options = parser.parse_args()
    preset = Preset.model_validate(json.loads((options.study / "study.json").read_text())["preset"])
    store, split = training_pairs(preset, options.study, options.study, "simulated")
    recipe = preset.stages[0].recipe.model_copy(update={"steps": options.steps})
    output = make_folder(options.output)
    scored: dict[str, list[Mapping[str, float]]] = {}

    def score(name: str, restorer: Restorer) -> None:
        scored[name] = [
            score_pair(store.ids[int(p)], store.pair(int(p)), {SEEINGGAN: restorer}, SCORING)
            .metrics[SEEINGGAN]
            for p in split.validation[:GALAXIES]
        ]  # fmt: skip
        write_content(output / "choices.md", page(scored), overwrite=True)

    score("the blurred image", Untouched())
    for name in options.only:
        with patched(*VARIANTS[name]):
            model = train_network(output, name.replace(" ", "-"), recipe, store, split)
        score(name, load_restorer(model=model))


@contextmanager
def patched(network: Callable[..., nn.Module], loss: Callable[..., Tensor]) -> Iterator[None]:
    """Let training make another network, or go by another difference of pixels."""
    architecture, honest = ARCHITECTURES["seeinggan"], seeinggan.pixel_loss
    ARCHITECTURES["seeinggan"] = architecture._replace(generator=network)
    seeinggan.pixel_loss = loss
    try:
        yield
    finally:
        ARCHITECTURES["seeinggan"], seeinggan.pixel_loss = architecture, honest


def page(scored: Mapping[str, list[Mapping[str, float]]]) -> str:
    rows = []
    for name, galaxies in scored.items():
        row = [name]
        for metric, (_, digits) in METRICS.items():
            values = of(galaxies, metric)
            if metric.endswith("ratio"):
                row.append(f"{np.nanmedian(values):.{digits}f}")
            else:
                row.append(mean(values, digits))
        base = scored.get(RECORDED, [])
        for metric in LEADS:
            both = of(galaxies, metric), of(base, metric)
            digits = METRICS[metric][1]
            row.append(mean(both[0] - both[1], digits) if base and name != RECORDED else "")
        rows.append(row)
    count = len(next(iter(scored.values())))
    told = f"{count} simulated pairs that were held back: means and standard errors, or medians."
    leads = [f"{METRICS[metric][0]}, less as recorded" for metric in LEADS]
    table = markdown_table(["", *(title for title, _ in METRICS.values()), *leads], rows)
    return f"# One choice undone at a time\n\n{told}\n\n{table}\n"


def of(galaxies: list[Mapping[str, float]], metric: str) -> NDArray[np.float64]:
    return np.array([one[metric] for one in galaxies])


def mean(values: NDArray[np.float64], digits: int) -> str:
    values = values[np.isfinite(values)]
    error = values.std(ddof=1) / np.sqrt(len(values))
    return with_error(float(values.mean()), float(error), digits)


if __name__ == "__main__":
    main()
