"""One file that holds all of a training run, so that it can go on as if never stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from pellucid.errors import InputError
from pellucid.files import write_content

Parts = Mapping[str, nn.Module | torch.optim.Optimizer]


def save_checkpoint(path: str | Path, parts: Parts, step: int, recipe: str) -> None:
    """Write networks and optimisers by their names, the random state and the step.

    Atomic: a run killed while writing leaves the checkpoint before. safetensors, never a pickle.
    """
    tensors: dict[str, Tensor] = {"random": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["random_cuda"] = torch.cuda.get_rng_state()
    for name, part in parts.items():
        for key, value in _state_of(part).items():
            tensors[f"{name}/{key}"] = value.detach().contiguous().clone()
    content = to_bytes(tensors, metadata={"step": str(step), "recipe": recipe})
    write_content(path, content, overwrite=True)


def load_checkpoint(path: str | Path, parts: Parts, recipe: str) -> int:
    """Put a checkpoint's state into the parts and the random generator; returns its step."""
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
        for name, part in parts.items():
            start = f"{name}/"
            held = {key: value for key, value in tensors.items() if key.startswith(start)}
            _load(part, {key.removeprefix(start): value for key, value in held.items()})
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path}: does not fit the recipe's networks ({error})") from error
    torch.set_rng_state(tensors["random"])
    if "random_cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random_cuda"])
    return step


def _state_of(part: nn.Module | torch.optim.Optimizer) -> dict[str, Tensor]:
    if isinstance(part, nn.Module):
        return part.state_dict()
    return {
        f"{index}/{key}": value
        for index, state in part.state_dict()["state"].items()
        for key, value in state.items()
    }


def _load(part: nn.Module | torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    if isinstance(part, nn.Module):
        part.load_state_dict(tensors)
        return
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        index, key = name.split("/")
        state.setdefault(int(index), {})[key] = value
    part.load_state_dict({**part.state_dict(), "state": state})
