"""Several processes as one training run, as torchrun starts them."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist


def join_processes() -> tuple[int, int]:
    """This process's rank and how many there are, as torchrun says."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return int(os.environ.get("RANK", "0")), world


def leave_processes() -> None:
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()
