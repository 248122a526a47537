"""Which objects are trained on and which are held back, decided by the object alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError

FOLDS = 10
#: The fold that is held back for validation unless a study rotates it.
VALIDATION_FOLD = 0


def fold_of(identifier: str, folds: int = FOLDS) -> int:
    """The fold, 0 to ``folds`` − 1, of an object: a hash of its id, so it never changes.

    Adding or removing other objects moves nothing, and an object seen through another PSF or
    cut at another size stays on its side.
    """
    return _hash(identifier) % folds


def validation_mask(identifiers: Sequence[str]) -> NDArray[np.bool_]:
    """True for each object that is held back, shape (object,)."""
    return np.array([fold_of(name) == VALIDATION_FOLD for name in identifiers], dtype=bool)


@dataclass(frozen=True)
class Split:
    """Positions in the store of what is trained on and of what is held back, and by which rule."""

    training: NDArray[np.integer]
    validation: NDArray[np.integer]
    rule: str = f"fold {VALIDATION_FOLD} of {FOLDS} by SHA-256 of the object's id"


def split_objects(identifiers: Sequence[str]) -> Split:
    """The training and validation parts of a set of objects, by their ids."""
    held_back = validation_mask(identifiers)
    split = Split(np.flatnonzero(~held_back), np.flatnonzero(held_back))
    if not len(split.training) or not len(split.validation):
        raise InputError(
            f"{len(identifiers)} objects leave {len(split.training)} to train on and "
            f"{len(split.validation)} to hold back; more are needed"
        )
    return split


def pack_ids(identifiers: Sequence[str]) -> str:
    """The hashes of a set of objects as text; `known_mask` knows them again."""
    hashes = np.array(sorted(_hash(name) for name in identifiers), dtype=">u8")
    return base64.b64encode(hashes.tobytes()).decode()


def join_packed(first: str, second: str) -> str:
    """The union of two sets that `pack_ids` packed."""
    hashes = [np.frombuffer(base64.b64decode(packed), dtype=">u8") for packed in (first, second)]
    return base64.b64encode(np.union1d(*hashes).astype(">u8").tobytes()).decode()


def known_mask(packed: str, identifiers: Sequence[str]) -> NDArray[np.bool_]:
    """True for each object that is in the set that `pack_ids` packed, shape (object,)."""
    hashes = np.frombuffer(base64.b64decode(packed), dtype=">u8")
    own = np.array([_hash(name) for name in identifiers], dtype=np.uint64)
    return np.isin(own, hashes.astype(np.uint64))


def _hash(identifier: str) -> int:
    return int.from_bytes(hashlib.sha256(identifier.encode()).digest()[:8], "big")
