"""From a trained torch network to a bundle, and from a bundle back to torch."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import logging
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from pellucid.data.channels import channel_count, network_inputs
from pellucid.errors import InputError, one_line
from pellucid.files import write_content
from pellucid.networks.architectures import ARCHITECTURES
from pellucid.networks.bundle import CARD_KEY, DIGEST_KEY, NO_DIGEST, Bundle, Card, digest_of
from pellucid.quiet import quiet

if find_spec("onnxscript") is None:  # or a training would end where its first bundle is written
    raise ModuleNotFoundError("torch.onnx.export needs onnxscript", name="onnxscript")

#: Marks the single-precision copy that a stored half-precision weight unfolds to.
UNFOLDED = ".float32"


def build_generator(model: str, network: Mapping[str, Any]) -> torch.nn.Module:
    """The untrained generator of an architecture."""
    if model not in ARCHITECTURES:
        raise InputError(
            f"no architecture is called {model!r}; there are {', '.join(ARCHITECTURES)}"
        )
    architecture = ARCHITECTURES[model]
    try:
        return architecture.generator(architecture.config(**network))
    except TypeError as error:
        raise InputError(f"architecture {model!r}: {error}") from None


def write_bundle(generator: torch.nn.Module, card: Card, path: str | Path) -> Path:
    """Write a generator with its card as a bundle; an older file of that name is replaced.

    Weights are stored in half precision, which halves the file and moves the output by less than
    the 8-bit step of a composite, and are computed with in single precision.

    Raises
    ------
    InputError
        When the generator is not of the architecture that the card tells of.
    """
    bands = card.network.get("bands", len(card.bands))
    channels = channel_count(network_inputs(card.network), bands)
    any_side = card.multiple if card.scale_rule == "any" else None
    network = json.dumps(card.network, sort_keys=True)
    graph = onnx.load_from_string(_graph_of(card.model, network, channels, card.tile, any_side))
    weights = {name: value.cpu() for name, value in generator.state_dict().items()}
    try:
        with torch.device("meta"):
            build_generator(card.model, card.network).load_state_dict(weights, assign=True)
    except RuntimeError as error:
        fault = one_line(error)
        raise InputError(f"{path}: the generator is not as its card says ({fault})") from None
    for tensor in graph.graph.initializer:
        if tensor.name in weights:
            value = weights[tensor.name].numpy()
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    _store_half(graph)
    return _write(graph, card, path)


def _write(graph: onnx.ModelProto, card: Card, path: str | Path) -> Path:
    for key, value in ((CARD_KEY, card.to_json()), (DIGEST_KEY, NO_DIGEST)):
        graph.metadata_props.add(key=key, value=value)
    content = graph.SerializeToString()
    return write_content(path, content[:-64] + digest_of(content).encode(), overwrite=True)


def with_card(bundle: Bundle, card: Card, path: str | Path) -> Path:
    """Write a bundle's network with another card; an older file of that name is replaced."""
    graph = onnx.load_from_string(bundle.graph)
    del graph.metadata_props[:]
    return _write(graph, card, path)


def read_generator(bundle: Bundle) -> torch.nn.Module:
    """The torch network of a bundle, in evaluation mode."""
    generator = build_generator(bundle.card.model, bundle.card.network)
    graph = onnx.load_from_string(bundle.graph)
    weights = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
        for tensor in graph.graph.initializer
    }
    # The exporter keeps one of several equal tensors; the others are names for it.
    shared = {n.output[0]: n.input[0] for n in graph.graph.node if n.op_type == "Identity"}
    try:
        state = {
            name: weights[shared.get(name, name)]
            for name in generator.state_dict()
            if not name.endswith("num_batches_tracked")
        }
        generator.load_state_dict(state, strict=False)
    except (KeyError, RuntimeError) as error:
        raise InputError(f"{bundle.path}: its weights do not fit its card ({error})") from None
    return generator.eval()


@functools.lru_cache(maxsize=4)
def _graph_of(model: str, network: str, channels: int, tile: int, any_side: int | None) -> bytes:
    """The graph of an architecture, with weights to be filled in: to trace one takes seconds.

    They are random ones, of which no two tensors are alike: the exporter keeps one of equal ones.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        generator = build_generator(model, json.loads(network))
        for tensor in generator.state_dict().values():
            if tensor.is_floating_point():
                tensor.normal_()
    return _export(generator.eval(), channels, tile, any_side).SerializeToString()


def _export(
    generator: torch.nn.Module, channels: int, tile: int, any_side: int | None
) -> onnx.ModelProto:
    """Of tiles of one side, or of any sides that are multiples of ``any_side``."""
    free: dict[int, Any] = {0: torch.export.Dim("batch")}
    if any_side is not None:
        free |= {2: any_side * torch.export.Dim("rows"), 3: any_side * torch.export.Dim("columns")}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with quiet(), contextlib.redirect_stdout(io.StringIO()):  # the exporter's own deprecations
        program = torch.onnx.export(
            generator,
            (torch.zeros(2, channels, tile, tile if any_side is None else tile + any_side),),
            input_names=["degraded"],
            output_names=["restored"],
            dynamic_shapes=(free,),
            opset_version=18,
            dynamo=True,
            optimize=False,
            verbose=False,
        )
    assert program is not None
    graph = program.model_proto
    del graph.graph.value_info[:]
    graph.producer_name = "pellucid"
    whole = graph.graph
    for part in (whole, *whole.input, *whole.output, *whole.node):
        del part.metadata_props[:]  # the exporter's traces name files of the training machine
        part.doc_string = ""
    return graph


def _store_half(graph: onnx.ModelProto) -> None:
    """Replace each convolution's weights by half-precision ones and a cast back."""
    casts: list[onnx.NodeProto] = []
    names: dict[str, str] = {}
    for tensor in graph.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.ndim == 4:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(weights.astype(np.float16), name))
            names[name] = name + UNFOLDED
            casts.append(helper.make_node("Cast", [name], [names[name]], to=TensorProto.FLOAT))
    for node in graph.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
