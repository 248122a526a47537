"""How well a generator in training restores objects it never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pellucid.data.pairs import Pairs
from pellucid.display import to_rgb, write_picture
from pellucid.metrics.psnr import psnr, stretched_psnr
from pellucid.sky import background_of
from pellucid.sky.image import SkyImage
from pellucid.stretch import Stretch, from_network, to_network


def restore_flux(
    generator: nn.Module, image: SkyImage, stretch: Stretch, multiple: int
) -> NDArray[np.float32]:
    """Restore one image in one piece, mirrored out to sides the network takes."""
    sky = background_of(image)
    value = to_network(stretch.forward(image.flux, sky))
    widths = [(0, 0)] + [
        ((-side % multiple) // 2, -side % multiple - (-side % multiple) // 2)
        for side in value.shape[1:]
    ]
    padded = np.pad(value, widths, mode="symmetric")
    device = next(generator.parameters()).device
    with torch.inference_mode():
        restored = generator(torch.from_numpy(padded[None]).to(device))[0].float().cpu().numpy()
    inner = tuple(
        slice(before, before + side) for (before, _), side in zip(widths, value.shape, strict=True)
    )
    return stretch.inverse(from_network(restored[inner]), sky)


def validate(
    generator: nn.Module,
    store: Pairs,
    indices: NDArray[np.integer],
    stretch: Stretch,
    multiple: int,
    panel: Path | None = None,
) -> dict[str, float]:
    """Mean stretched PSNR in dB of the blurred and the restored images of some objects.

    The stretch is GalaxyGAN's, or the network's own where the images bring their sky and noise.

    Parameters
    ----------
    panel
        Where to draw the first objects (rows: blurred, restored, sharp).
    """
    generator.eval()
    scores, columns = [], []
    for index in indices:
        pair = store.pair(int(index))
        sharp, blurred = pair.sharp, pair.blurred
        restored = restore_flux(generator, blurred, stretch, multiple)
        scores.append([_psnr(sharp, blurred, each, stretch) for each in (blurred.flux, restored)])
        if panel is not None and len(columns) < 8:
            images = (blurred, blurred.with_flux(restored), sharp)
            columns.append(np.concatenate([to_rgb(each) for each in images]))
    if panel is not None:
        write_picture(np.concatenate(columns, axis=1), panel, overwrite=True)
    blurred_psnr, restored_psnr = np.mean(scores, axis=0)
    return {"psnr_blurred": float(blurred_psnr), "psnr": float(restored_psnr)}


def _psnr(sharp: SkyImage, blurred: SkyImage, flux: NDArray[np.float32], stretch: Stretch) -> float:
    if blurred.sky is None:
        return stretched_psnr(sharp.flux, flux)
    sky = background_of(blurred)
    return psnr(stretch.forward(sharp.flux, sky), stretch.forward(flux, sky), 1.0)
