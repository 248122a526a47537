"""From degraded to restored images; nothing here imports torch unless asked for."""

from pellucid.restoration.classical import ClassicalRestorer
from pellucid.restoration.neural import NeuralRestorer
from pellucid.restoration.restorer import load_restorer
from pellucid.restoration.result import Restoration, Restorer

__all__ = [
    "ClassicalRestorer",
    "NeuralRestorer",
    "Restoration",
    "Restorer",
    "load_restorer",
]
