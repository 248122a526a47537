"""The card of a trained network: what it is, and what it was trained and measured on."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import torch

from pellucid.data.pairs import Pairs
from pellucid.data.splits import Split, join_packed, pack_ids
from pellucid.networks.architectures import NetworkConfig
from pellucid.networks.bundle import Bundle, Card
from pellucid.stretch import Stretch
from pellucid.training.recipe import Recipe
from pellucid.version import __version__


def make_card(
    recipe: Recipe,
    config: NetworkConfig,
    stretch: Stretch,
    store: Pairs,
    split: Split,
    ceiling: float,
    start: Bundle | None = None,
) -> Card:
    """The card of what a recipe makes of a store.

    What the network knew that it began with, it has been trained on, too, and as bright pixels.
    """
    trained, history = pack_ids([store.ids[k] for k in split.training]), {}
    if start is not None:
        trained = join_packed(trained, start.card.training.get("trained_ids", ""))
        ceiling = max(ceiling, start.card.ceiling)
        history = {"started_from": _history(start)}
    return Card(
        name=recipe.name,
        model=recipe.model,
        network=dict(vars(config)),
        bands=store.bands,
        single_band=recipe.grey > 0 or len(store.bands) == 1,
        pixel_scale=store.pixel_scale,
        stretch=asdict(stretch),  # type: ignore[arg-type]
        fwhm=_range(store.blurs()),
        noise=_range(store.noises()),
        tile=recipe.tile or recipe.size,
        multiple=config.multiple,
        ceiling=ceiling,
        reach=getattr(config, "reach", 0),
        scale_rule=recipe.scale_rule,
        description=recipe.description,
        training={
            "version": __version__,
            "command": f"pellucid train {recipe.name} --data {store.path.name} --output RUN",
            "recipe": recipe.model_dump(mode="json"),
            "objects": len(set(split.training)),
            "held_back_objects": len(split.validation),
            "held_back": split.rule,
            "trained_ids": trained,
            **store.origin(),
            **history,
        },
    )


def _history(bundle: Bundle) -> dict[str, Any]:
    """What was trained before, and before that."""
    training = bundle.card.training
    kept = ("objects", "steps", "wall_seconds", "device", "recipe", "started_from")
    return {
        "model": bundle.card.name,
        "sha256": bundle.sha256,
        **{name: training[name] for name in kept if name in training},
    }


def _range(values: list[float]) -> tuple[float, float]:
    return (min(values), max(values)) if values else (0.0, 0.0)


def measured_after(
    step: int, started: float, device: torch.device, world: int, score: dict[str, float]
) -> dict[str, Any]:
    """What a card says of a training that came so far."""
    return {
        "steps": step,
        "wall_seconds": round(time.monotonic() - started),
        "device": _device_name(device, world),
        "validation_psnr": round(score["psnr"], 3),
        "validation_psnr_blurred": round(score["psnr_blurred"], 3),
    }


def _device_name(device: torch.device, world: int) -> str:
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )
    return f"{world} × {name}" if world > 1 else name
