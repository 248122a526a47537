"""A training step that a GPU records and replays.

The hundreds of small kernels of a step of a narrow network are launched one by one by Python; a
CUDA graph launches them as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.distributed as dist
from torch import Tensor

#: Steps before the recorded one: cuDNN chooses its algorithms in them, optimisers make their state.
WARM_UP = 5

Step = Callable[..., Mapping[str, Tensor]]


class Recorded:
    """A function of tensors and numbers, called as it is at first, and replayed from then on.

    It must launch the same kernels at every call, wait for none of their results, and update in
    place whatever it keeps; its tensors keep their shapes, and a number may become a tensor. On a
    processor, and where gradients come from several processes, it is just called.
    """

    def __init__(self, function: Step) -> None:
        self.function = function
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.places: list[Tensor] = []
        self.found: Mapping[str, Tensor] = {}

    def __call__(self, image: Tensor, *values: Tensor | float) -> Mapping[str, Tensor]:
        """What the function returns; the next call overwrites it."""
        if image.device.type != "cuda" or dist.is_initialized():
            return self.function(image, *values)
        if self.graph is None:
            self.calls += 1
            if self.calls <= WARM_UP:
                return self._beside(image, *values)
            self.graph = self._record(image, *values)
        for place, value in zip(self.places, (image, *values), strict=True):
            place.copy_(value) if isinstance(value, Tensor) else place.fill_(value)
        self.graph.replay()
        return self.found

    def _beside(self, *values: Tensor | float) -> Mapping[str, Tensor]:
        """On another stream, as a recording is, so that what is prepared there serves it."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            found = self.function(*values)
        torch.cuda.current_stream().wait_stream(stream)
        return found

    def _record(self, image: Tensor, *values: Tensor | float) -> torch.cuda.CUDAGraph:
        self.places = [
            value.clone() if isinstance(value, Tensor) else torch.tensor(value, device=image.device)
            for value in (image, *values)
        ]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.found = self.function(*self.places)
        return graph
