"""Where the planes of a result go while it is made: anywhere, or arrays in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Planes(Protocol):
    """Where results go, and what was put there: planes (band, y, x) by name."""

    def put(self, name: str, rows: slice, columns: slice, values: NDArray[np.float32]) -> None: ...

    def get(self, name: str, rows: slice, columns: slice) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class HeldPlanes:
    """Arrays in memory."""

    arrays: Mapping[str, NDArray[np.float32]]

    def put(self, name: str, rows: slice, columns: slice, values: NDArray[np.float32]) -> None:
        self.arrays[name][:, rows, columns] = values

    def get(self, name: str, rows: slice, columns: slice) -> NDArray[np.float32]:
        return self.arrays[name][:, rows, columns]
