"""One file that holds all of a training run, so that it can go on as if never stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from pellucid.errors import InputError, one_line
from pellucid.files import write_content

Parts = Mapping[str, nn.Module | torch.optim.Optimizer]


class State(NamedTuple):
    """Where a run stands, and what it is a run of.

    Parameters
    ----------
    step
        How many it has made.
    recipe
        As JSON has it.
    data
        See `pellucid.training.fingerprint`.
    """

    step: int
    recipe: Mapping[str, Any]
    data: Mapping[str, str]


def save_checkpoint(path: str | Path, parts: Parts, state: State) -> None:
    """Write networks and optimisers by their names, the random state, where the run stands.

    Atomic: a run killed while writing leaves the checkpoint before. safetensors, never a pickle.
    """
    tensors: dict[str, Tensor] = {"random": torch.get_rng_state()}
    places: set[int] = set()
    if torch.cuda.is_available():
        tensors["random_cuda"] = torch.cuda.get_rng_state()
    for name, part in parts.items():
        for key, value in _state_of(part).items():
            tensors[f"{name}/{key}"] = _alone(value.detach().cpu().contiguous(), places)
    noted = {name: json.dumps(value) for name, value in state._asdict().items()}
    content = to_bytes(tensors, metadata={**noted, "digest": _digest(tensors, noted)})
    write_content(path, content, overwrite=True)


def _alone(value: Tensor, places: set[int]) -> Tensor:
    """A tensor in memory that is no other's, as safetensors asks for; ``places`` are taken.

    A copy of all of them would be as large as the networks and their optimisers once more.
    """
    storage = value.untyped_storage()
    if storage.data_ptr() in places or storage.nbytes() != value.numel() * value.element_size():
        value = value.clone()
    places.add(value.untyped_storage().data_ptr())
    return value


def load_checkpoint(path: str | Path, parts: Parts, wanted: State) -> int:
    """Put a checkpoint's state into the parts and the random generator; returns its step.

    Raises
    ------
    InputError
        When it is damaged, of another recipe or other data than ``wanted``, or beyond its step.
    """
    tensors, found = _read(Path(path))
    if found.recipe != wanted.recipe:
        raise InputError(f"{path}: belongs to another recipe; resume with the one it began with")
    if found.data != wanted.data:
        others = [name for name, value in wanted.data.items() if found.data.get(name) != value]
        raise InputError(
            f"{path}: belongs to a run on other data (its {' and '.join(others)}); "
            "resume with the pairs it began with"
        )
    if not 0 <= found.step <= wanted.step:
        raise InputError(f"{path}: is of step {found.step} of {wanted.step}; begin a run anew")
    try:
        for name, part in parts.items():
            start = f"{name}/"
            held = {key: value for key, value in tensors.items() if key.startswith(start)}
            _load(part, {key.removeprefix(start): value for key, value in held.items()})
        torch.set_rng_state(tensors["random"])
        if "random_cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["random_cuda"])
    except (RuntimeError, ValueError, LookupError, TypeError) as error:
        fault = f"does not fit the recipe's networks ({one_line(error)})"
        raise InputError(f"{path}: {fault}; begin a run anew") from error
    return found.step


def _read(path: Path) -> tuple[dict[str, Tensor], State]:
    """A checkpoint that is as it was written."""
    try:
        with safe_open(path, framework="pt") as file:
            noted = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        digest = noted.pop("digest")
        state = State(**{name: json.loads(value) for name, value in noted.items()})
        if digest != _digest(tensors, noted) or not isinstance(state.step, int):
            raise ValueError("its digest is another")
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        fault = f"is damaged or no checkpoint of this version ({one_line(error)})"
        raise InputError(f"{path}: {fault}; begin a run anew") from error
    return tensors, state


def _digest(tensors: Mapping[str, Tensor], noted: Mapping[str, str]) -> str:
    """SHA-256 of all that a checkpoint holds, however its file is laid out."""
    found = hashlib.sha256(json.dumps(noted, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


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
    weights = [weight for group in part.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        index, key = name.split("/")
        weight = weights[int(index)]
        if value.shape == weight.shape:
            # A fused step goes through a weight and its moments in the order of memory.
            value = torch.empty_like(weight, dtype=value.dtype).copy_(value)
        state.setdefault(int(index), {})[key] = value
    part.load_state_dict({**part.state_dict(), "state": state})
