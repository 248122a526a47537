"""From degraded to restored images; nothing here imports torch unless asked for."""

from pellucid.restoration.restorer import (
    DEFAULT_MODEL,
    ClassicalRestorer,
    NeuralRestorer,
    Restoration,
    Restorer,
    load_restorer,
)

__all__ = [
    "DEFAULT_MODEL",
    "ClassicalRestorer",
    "NeuralRestorer",
    "Restoration",
    "Restorer",
    "load_restorer",
]
