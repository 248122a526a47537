"""Of what kind of truth how much is trained on, and what is held back."""

from __future__ import annotations

import numpy as np

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
    sources = np.array([name.partition("/")[0] for name in store.ids])
    rng = np.random.default_rng(seed)
    chosen = []
    for source, share in SHARES.items():
        own = np.flatnonzero((sources == source) & ~held_back)
        if len(own):
            chosen.append(rng.choice(own, round(share * EPOCH)))
    watched = rng.permutation(np.flatnonzero(held_back & (sources != "sdss")))[:WATCHED]
    return Split(np.concatenate(chosen), watched, "fold 0 of 10 by SHA-256 of the object's id")
