"""From a sampler to the device of training: the batch of each step, some of them prepared ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from pellucid.data.batches import Batch, PairSampler
from pellucid.sky import PSF
from pellucid.training.recipe import TrainingBatch

#: Batches that a GPU keeps, to learn from them again.
KEPT = 128


def batches_of(
    sampler: PairSampler, steps: range, workers: int, device: torch.device, repeats: int
) -> Iterator[TrainingBatch]:
    """The batch of each step; of every ``repeats`` one is new, the others come again, turned."""
    first, last = (-(-step // repeats) for step in (steps.start, steps.stop))
    fresh = _fresh_batches(sampler, range(first, last + 1), workers, device)
    kept: deque[TrainingBatch] = deque(maxlen=KEPT)
    rng = np.random.default_rng([sampler.seed, steps.start, 2])
    for step in steps:
        if step % repeats == 0 or not kept:
            kept.append(next(fresh))
            yield kept[-1]
        else:
            again = kept[int(rng.integers(len(kept)))]
            yield again.turned(rng.random() < 0.5, int(rng.integers(4)))


def _fresh_batches(
    sampler: PairSampler, numbers: range, workers: int, device: torch.device
) -> Iterator[TrainingBatch]:
    on_gpu = device.type == "cuda"
    loader = torch.utils.data.DataLoader(
        sampler,  # type: ignore[arg-type]
        sampler=numbers,
        batch_size=None,
        num_workers=workers,
        collate_fn=_halved if on_gpu else None,  # type: ignore[arg-type]
        pin_memory=on_gpu,
        generator=torch.Generator(),  # its own, or it would draw on the networks' random state
    )
    for *sides, blurs in loader:
        blurred, sharp = (
            side.to(device, non_blocking=True).to(torch.float32, memory_format=torch.channels_last)
            for side in sides
        )
        yield TrainingBatch(blurred, sharp, blurs)


def _halved(batch: Batch) -> tuple[Tensor, Tensor, Sequence[PSF | None]]:
    """A batch in half precision, a fortieth of the noise: what a GPU waits for is its way there."""
    blurred, sharp = (torch.from_numpy(side.astype(np.float16)) for side in batch[:2])
    return blurred, sharp, batch.blurs
