"""A restorer by its name."""

from __future__ import annotations

from pathlib import Path

from pellucid.deconvolution import METHODS
from pellucid.errors import UsageError
from pellucid.networks.bundle import Card, open_bundle
from pellucid.restoration.bandwise import BandwiseRestorer
from pellucid.restoration.classical import ClassicalRestorer
from pellucid.restoration.engine import Engine, Network, Precision, load_network
from pellucid.restoration.neural import NeuralRestorer
from pellucid.restoration.result import Restorer

DEFAULT_MODEL = "galaxygan-sdss"


def load_restorer(
    model: str | Path | None = None,
    method: str | None = None,
    engine: Engine = "onnx",
    precision: Precision = "fp32",
) -> Restorer:
    """A restorer by the name of a shipped model, a bundle's path, or a classical method.

    Raises
    ------
    UsageError
        When both or neither exist, or the engine is not installed.
    InputError
        When the bundle is damaged.
    """
    if method is not None:
        if model is not None:
            raise UsageError(f"--model {model} and --method {method}: name one of them")
        if method not in METHODS:
            raise UsageError(f"no method is called {method!r}; there are {', '.join(METHODS)}")
        return ClassicalRestorer(method)
    bundle = open_bundle(model or DEFAULT_MODEL)
    network = load_network(bundle, engine, precision)
    reference = None if precision == "fp32" else load_network(bundle)
    return model_restorer(bundle.card, network, bundle.sha256, f"{engine} {precision}", reference)


def model_restorer(
    card: Card,
    network: Network,
    sha256: str,
    engine: str = "onnx fp32",
    reference: Network | None = None,
) -> NeuralRestorer:
    """A network with its card as a restorer: of all bands together, or of each by itself."""
    kind = BandwiseRestorer if card.network.get("bandwise") else NeuralRestorer
    return kind(card, network, sha256, engine, reference)
