"""By what a run knows the data again that it was begun with."""

from __future__ import annotations

import hashlib
import json

from pellucid.data.pairs import Pairs
from pellucid.data.splits import Split


def fingerprint(store: Pairs, split: Split) -> dict[str, str]:
    """Hashes of all that decides which image a step learns from, by what it is.

    The pixels are left out: a store that is made again has others where a library has changed.
    """
    parts = {
        "objects": store.ids,
        "images": [store.bands, store.unit, store.pixel_scale],
        "degradations": store.origin(),
        "split": [split.training.tolist(), split.validation.tolist()],
    }
    return {name: _hash(value) for name, value in parts.items()}


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
