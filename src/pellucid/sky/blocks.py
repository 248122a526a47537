"""A frame a few rows at a time, so that nothing of its size is made in between."""

from __future__ import annotations

from collections.abc import Iterator


def blocks(length: int, size: int = 128) -> Iterator[slice]:
    """Slices of at most ``size`` that cover a length."""
    return (slice(first, min(first + size, length)) for first in range(0, length, size))
