"""A restorer by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pellucid.deconvolution import METHODS
from pellucid.errors import UsageError
from pellucid.networks.bundle import Card, is_shipped, open_bundle
from pellucid.restoration.bandwise import BandwiseRestorer
from pellucid.restoration.choice import ANY, fitting_model
from pellucid.restoration.classical import ClassicalRestorer
from pellucid.restoration.engine import Engine, Network, Precision, check_network, load_network
from pellucid.restoration.grid import plan_of
from pellucid.restoration.neural import NeuralRestorer
from pellucid.restoration.result import Restoration, Restorer
from pellucid.restoration.samples import SamplingRestorer
from pellucid.sky import PSF, SkyImage

#: Draws samples of what pellucid's own model gives the mean of.
SAMPLER = "pellucid-sampler"


def load_restorer(
    model: str | Path | None = None,
    method: str | None = None,
    engine: Engine = "onnx",
    precision: Precision = "fp32",
    samples: int = 0,
    force: bool = False,
) -> Restorer:
    """A restorer by the name of a shipped model, a bundle's path, or a classical method.

    Without any of them it takes, for each image, the shipped model that fits.

    Parameters
    ----------
    model, method
        One of them, or neither.
    engine, precision
        What runs a network, and how.
    samples
        How many skies that explain the image are drawn beside its mean; pellucid's own model has
        them.
    force
        Whether a model takes what is far from what it was trained on.

    Raises
    ------
    UsageError
        When both are named or neither exists, or the engine is not installed.
    InputError
        When the bundle is damaged.
    """
    if method is not None:
        if model is not None:
            raise UsageError(f"--model {model} and --method {method}: name one of them")
        if method not in METHODS:
            raise UsageError(f"no method is called {method!r}; there are {', '.join(METHODS)}")
        if samples:
            raise UsageError(
                f"--samples {samples}: a method has one answer; pellucid's model draws"
            )
        return ClassicalRestorer(method)
    if samples:
        drawn = load_restorer(SAMPLER, None, engine, precision, force=force)
        assert isinstance(drawn, BandwiseRestorer)
        mean = load_restorer(model, None, engine, precision, force=force)
        return SamplingRestorer(mean, drawn, samples)
    if model is None:
        return FittingRestorer(engine, precision, force)
    bundle = open_bundle(model)
    network = load_network(bundle, engine, precision)
    if not is_shipped(bundle.path):
        check_network(network, bundle)
    reference = None if precision == "fp32" else load_network(bundle)
    how = f"{engine} {precision}"
    restorer = model_restorer(bundle.card, network, bundle.sha256, how, reference)
    return replace(restorer, force=force)


@dataclass(frozen=True)
class FittingRestorer:
    """Takes, for each image, the shipped model that fits it; see `fitting_model`."""

    engine: Engine = "onnx"
    precision: Precision = "fp32"
    force: bool = False
    name: str = "the model that fits"
    #: Is told which model was taken, and why, before the work.
    tell: Callable[[str], None] | None = None

    def __call__(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Restoration:
        """Restore ``image``; see `Restorer`, and `fitting_model` for what it raises."""
        restorer, taken = self.fitting(image, blur, psf, target)
        if self.tell is not None:
            self.tell(taken)
        result = restorer(image, blur, psf, target)
        notes = [taken, *result.provenance["notes"]]
        return replace(result, provenance={**result.provenance, "notes": notes})

    def fitting(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> tuple[Restorer, str]:
        """The restorer for an image, and why."""
        name, reason = fitting_model(image, blur, psf)
        if name == ANY:  # what it refuses is refused before it is said that it was taken
            plan_of(image, blur, psf, target)
        restorer = _shipped(name, self.engine, self.precision, self.force)
        return restorer, f"model {name} was taken: {reason}"


@cache
def _shipped(name: str, engine: Engine, precision: Precision, force: bool) -> Restorer:
    return load_restorer(name, None, engine, precision, force=force)


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
