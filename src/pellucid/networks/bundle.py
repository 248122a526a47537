"""The bundle: one ONNX file that holds a network and the card that says how to use it.

The card lies in the file's metadata as JSON, before a SHA-256 of the whole file (with the digest's
own 64 characters, the last ones, read as zeros), so a damaged file is known before it restores
anything. Nothing here needs torch or the onnx package.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from pellucid.errors import InputError, UsageError

CARD_KEY = "pellucid_card"
DIGEST_KEY = "pellucid_sha256"
NO_DIGEST = "0" * 64
FORMAT = 1


@dataclass(frozen=True)
class Card:
    """What a user and the program must know of a trained network.

    Parameters
    ----------
    name
        What ``--model`` calls it.
    model
        The architecture, with ``network`` its configuration.
    bands
        In the order of the network's channels.
    single_band
        Whether one band alone may be given (it then stands in each channel).
    pixel_scale
        Arcsec per pixel of the images it was trained on.
    scale_rule
        What becomes of an image with other pixels: ``"fixed"`` refuses it, ``"resampled"`` brings
        it to ``pixel_scale`` (and back where its own pixels are the finer ones), ``"any"`` takes it
        as it is.
    stretch
        Constants of the stretch between flux and network.
    fwhm
        Smallest and largest blur, in arcsec, that it was trained to undo.
    noise
        Smallest and largest noise, in units of the original's, that it was trained to undo.
    ceiling
        Largest value that the network was given in training, of at most 1; what is brighter
        passes by it.
    tile, multiple
        Side of the squares it was trained on, in pixels, and what sides must be a multiple of.
    reach
        How far from a pixel lies what it is made from, in pixels; 0 where nobody counted.
    description
        One line for people.
    forms
        What `pellucid.restoration.unlike` knows an unusual object by; empty where it does not.
    calibration
        By how much its spread is to be widened; see `pellucid.restoration.calibration`.
    training
        Where it comes from: data, split, command, seed, steps, wall time, validation result.
    """

    name: str
    model: str
    network: Mapping[str, Any]
    bands: tuple[str, ...]
    single_band: bool
    pixel_scale: float
    stretch: Mapping[str, Any]
    fwhm: tuple[float, float]
    noise: tuple[float, float]
    tile: int
    multiple: int
    ceiling: float = 1.0
    reach: int = 0
    scale_rule: str = "fixed"
    description: str = ""
    forms: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Card:
        """The card whose JSON has been read."""
        tuples = {name: tuple(fields[name]) for name in ("bands", "fwhm", "noise")}
        return cls(**{**fields, **tuples})


@dataclass(frozen=True)
class Bundle:
    """A network ready to be loaded by an engine."""

    path: Path
    card: Card
    sha256: str
    graph: bytes = field(repr=False)


def shipped() -> dict[str, Path]:
    """The bundles that come with pellucid, by name."""
    folder = Path(str(resources.files("pellucid") / "weights"))
    return {path.stem: path for path in sorted(folder.glob("*.onnx"))}


def is_shipped(path: Path) -> bool:
    """Whether a bundle comes with pellucid."""
    return path in shipped().values()


def find_bundle(name: str | Path) -> Path:
    """The file of a shipped model's name, or of a path."""
    models = shipped()
    if str(name) in models:
        return models[str(name)]
    path = Path(name)
    if path.is_dir() and (path / "bundle.onnx").is_file():
        return path / "bundle.onnx"
    if path.is_file():
        return path
    if (path / "interim.onnx").is_file():
        interim = path / "interim.onnx"
        raise UsageError(f"{name}: its training has not ended; {interim} is what it learned so far")
    raise UsageError(
        f"{name}: neither a bundle's file nor a shipped model ({', '.join(models) or 'none here'})"
    )


def open_bundle(name: str | Path) -> Bundle:
    """Read a bundle and check that each of its bytes is what it was when written."""
    path = find_bundle(name)
    try:
        graph = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    digest = stored_digest(graph)
    if digest is None:
        raise InputError(f"{path}: is no pellucid bundle, or a truncated one")
    if digest_of(graph) != digest:
        raise InputError(f"{path}: is damaged: its SHA-256 is not the one it carries")
    fields = _card_fields(graph, path)
    if fields.get("format") != FORMAT:
        raise InputError(f"{path}: has format {fields.get('format')}; this pellucid reads {FORMAT}")
    if not is_shipped(path):  # to check these would take a tenth of a second of every start
        from pellucid.networks.card_check import fault_of_card

        if fault := fault_of_card(fields):
            raise InputError(f"{path}: its card is no card of a network ({fault})")
    return Bundle(path, Card.from_fields(fields), digest, graph)


def stored_digest(graph: bytes) -> str | None:
    """The digest with which a bundle ends, or None where there is none."""
    # Between its key and the value stand two bytes of protobuf framing (tag, length 64).
    ends = graph[:-66].endswith(DIGEST_KEY.encode()) and graph[-64:].isalnum()
    return graph[-64:].decode() if ends else None


def digest_of(graph: bytes) -> str:
    """SHA-256 of a bundle's bytes with the digest at their end read as zeros."""
    return hashlib.sha256(graph[:-64] + NO_DIGEST.encode()).hexdigest()


def _card_fields(graph: bytes, path: Path) -> dict[str, Any]:
    """The JSON that follows the card's key; it tells by itself where it ends.

    onnxruntime could read the metadata, but only by building the network, which a list of models
    or a damaged file should not have to wait for.
    """
    try:
        start = graph.index(b'{"', graph.rindex(CARD_KEY.encode()))
        text = graph[start:].decode(errors="replace")  # what comes after it is no text
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        raise InputError(f"{path}: has no card that can be read") from None
