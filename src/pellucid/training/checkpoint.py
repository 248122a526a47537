"""One file that holds all of a training run, so that it can go on as if never stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from pellucid.errors import InputError
from pellucid.files import write_content
from pellucid.training.step import Adversaries


def save_checkpoint(path: str | Path, networks: Adversaries, step: int, recipe: str) -> None:
    """Write both networks, both optimisers, the average, the random state and the step.

    Atomic: a run killed while writing leaves the checkpoint before. safetensors, never a pickle.
    """
    tensors: dict[str, Tensor] = {"random": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["random_cuda"] = torch.cuda.get_rng_state()
    for name in ("generator", "discriminator", "average"):
        for key, value in getattr(networks, name).state_dict().items():
            tensors[f"{name}/{key}"] = value.detach().contiguous().clone()
    for name in ("generator_optimiser", "discriminator_optimiser"):
        for index, state in getattr(networks, name).state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"{name}/{index}/{key}"] = value.detach().contiguous().clone()
    content = to_bytes(tensors, metadata={"step": str(step), "recipe": recipe})
    write_content(path, content, overwrite=True)


def load_checkpoint(path: str | Path, networks: Adversaries, recipe: str) -> int:
    """Put a checkpoint's state into the networks and the random generator; returns its step.

    Raises
    ------
    InputError
        When the file is damaged or belongs to another recipe.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        step = int(metadata["step"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: is damaged or no checkpoint ({error})") from error
    if json.loads(metadata.get("recipe", "null")) != json.loads(recipe):
        raise InputError(f"{path}: belongs to another recipe; resume with the one it began with")
    try:
        for name in ("generator", "discriminator", "average"):
            getattr(networks, name).load_state_dict(_below(tensors, f"{name}/"))
        for name in ("generator_optimiser", "discriminator_optimiser"):
            _load_optimiser(getattr(networks, name), _below(tensors, f"{name}/"))
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path}: does not fit the recipe's networks ({error})") from error
    torch.set_rng_state(tensors["random"])
    if "random_cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random_cuda"])
    return step


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _load_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        index, key = name.split("/")
        state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
