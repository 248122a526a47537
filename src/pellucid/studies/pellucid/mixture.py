"""Of what kind of truth how much is trained on, and what is held back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.data.splits import Split, validation_mask
from pellucid.data.truth import TruthStore

#: Source to its share of the scenes: structure counts for more than numbers.
SHARES = {"sdss": 0.4, "goods": 0.3, "zoo": 0.2, "decals": 0.1}
#: An epoch's length, in which an object of a small source comes up many times.
EPOCH = 20_000
#: Objects that training is watched on.
WATCHED = 100


def split_truth(store: TruthStore, seed: int) -> Split:
    """What to train on, each object as often as its source's share says, and what to watch.

    Held back is a fold by the object's id, of every source.
    """
    held_back = validation_mask(store.ids)
    rng = np.random.default_rng(seed)
    chosen = _mixed(store, ~held_back, EPOCH, rng)
    structured = np.array([not name.startswith("sdss/") for name in store.ids])
    watched = rng.permutation(np.flatnonzero(held_back & structured))[:WATCHED]
    return Split(chosen, watched, "fold 0 of 10 by SHA-256 of the object's id")


def held_back_mixture(store: TruthStore, count: int, seed: int) -> NDArray[np.integer]:
    """About so many held-back objects in the shares of training, some of them several times."""
    held_back = validation_mask(store.ids)
    return _mixed(store, held_back, count, np.random.default_rng(seed))


def _mixed(
    store: TruthStore, of_them: NDArray[np.bool_], count: int, rng: np.random.Generator
) -> NDArray[np.integer]:
    sources = np.array([name.partition("/")[0] for name in store.ids])
    chosen = []
    for source, share in SHARES.items():
        own = np.flatnonzero((sources == source) & of_them)
        if len(own):
            chosen.append(rng.choice(own, round(share * count)))
    return np.concatenate(chosen)
