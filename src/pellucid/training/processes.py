"""Processes that train one network together, as torchrun starts them."""

from __future__ import annotations

import atexit
import os

import torch
import torch.distributed as dist


def join_processes() -> tuple[int, int]:
    """This process's rank and how many there are, as torchrun says."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        # Once in a process's life: who left the group finds nobody when it joins again.
        atexit.register(dist.destroy_process_group)
    return int(os.environ.get("RANK", "0")), world


def agreed(word: bool, device: torch.device) -> bool:
    """What the first process says, in all of them."""
    if not dist.is_initialized():
        return word
    said = torch.tensor([word], dtype=torch.uint8, device=device)
    dist.broadcast(said, 0)
    return bool(said.item())
