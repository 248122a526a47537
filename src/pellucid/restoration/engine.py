"""What runs a network: onnxruntime by default, OpenVINO or torch where asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.data.channels import channel_count, network_inputs
from pellucid.errors import InputError, UsageError, one_line
from pellucid.memory import give_back
from pellucid.networks.bundle import Bundle

if TYPE_CHECKING:
    from torch import nn

#: Tiles (n, band, y, x) in [−1, 1], float32, to tiles of the same shape.
Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Engine = Literal["onnx", "openvino", "torch"]
Precision = Literal["fp32", "bf16"]

#: What onnxruntime computes with, the best that its installation has: a GPU's with onnxruntime-gpu.
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
#: Bytes of tiles, with which a network's layers take several times as much.
MUCH = 2**25


def load_network(bundle: Bundle, engine: Engine = "onnx", precision: Precision = "fp32") -> Network:
    """The network of a bundle, ready to be called."""
    return _Loaded(bundle, engine, precision)


class _Loaded:
    """A network that can be handed to another process, which loads it for itself."""

    def __init__(self, bundle: Bundle, engine: Engine, precision: Precision) -> None:
        self._given = bundle, engine, precision
        self._run = _ENGINES[engine](bundle, precision)

    def __call__(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        if tiles.nbytes > MUCH:
            give_back()  # the network is about to take more than anything else does
        return self._run(tiles)

    def __reduce__(self) -> tuple[type[_Loaded], tuple[Bundle, Engine, Precision]]:
        return _Loaded, self._given


def _onnx(bundle: Bundle, precision: Precision) -> Network:
    import onnxruntime

    if precision != "fp32":
        raise UsageError("--precision bf16 needs --engine openvino or torch")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it would log, in colours, it raises, too
    # Few calls a process: an arena that keeps the largest batch's memory buys nothing, and threads
    # that spin while they wait take the cores from whatever else runs.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.intra_op_num_threads = _threads()
    try:
        there = onnxruntime.get_available_providers()
        session = onnxruntime.InferenceSession(
            bundle.graph, options, providers=[name for name in PROVIDERS if name in there]
        )
    except Exception as error:  # onnxruntime's errors share no narrower base
        raise InputError(
            f"{bundle.path}: onnxruntime cannot load it ({one_line(error)})"
        ) from error
    name = session.get_inputs()[0].name
    return lambda tiles: np.asarray(session.run(None, {name: tiles})[0])


def _threads() -> int:
    """How many threads a network takes: what OMP_NUM_THREADS says, or 0 for one a core."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() else 0


def _openvino(bundle: Bundle, precision: Precision) -> Network:
    try:
        import openvino
    except ImportError:
        fault = "--engine openvino is not installed: pip install 'pellucid[fast]'"
        raise UsageError(fault) from None
    core = openvino.Core()
    hints: dict[str, str | int] = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "INFERENCE_NUM_THREADS": _threads(),
    }
    compiled = core.compile_model(core.read_model(bundle.graph), "CPU", hints)
    return lambda tiles: np.asarray(compiled([tiles])[0], dtype=np.float32)


def _torch(bundle: Bundle, precision: Precision) -> Network:
    try:
        import torch

        from pellucid.networks.export import read_generator
    except ImportError:
        raise UsageError("--engine torch is not installed: pip install 'pellucid[train]'") from None
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch_network(read_generator(bundle).to(device), precision)


def torch_network(generator: nn.Module, precision: Precision = "fp32") -> Network:
    """What calls a generator, in evaluation mode, on the device where it is."""
    import torch

    device = next(generator.parameters()).device

    def run(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        enabled = precision == "bf16"
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=enabled):
            return generator(torch.from_numpy(tiles).to(device)).float().cpu().numpy()

    return run


#: Seconds in which a network must have answered to one tile.
PATIENCE = 60.0


def check_network(network: Network, bundle: Bundle) -> None:
    """Refuse a network that makes of one tile of its sky no tile of numbers, or nothing in time."""
    card = bundle.card
    bands = int(card.network.get("bands", len(card.bands)))
    planes = channel_count(network_inputs(card.network), bands)
    side = -(-min(card.tile, 4 * card.multiple) // card.multiple) * card.multiple
    side = side if card.scale_rule == "any" else card.tile
    tile, found = np.zeros((1, planes, side, side), np.float32), []

    def run() -> None:
        try:
            found.append(network(tile))
        except Exception as error:
            found.append(error)

    # A thread that never ends ends with the process.
    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if not found:
        raise InputError(f"{bundle.path}: its network does not answer within {PATIENCE:.0f} s")
    made = found[0]
    if isinstance(made, Exception):
        raise InputError(f"{bundle.path}: its network cannot be run ({one_line(made)})")
    count = bands * (2 if card.network.get("spread") else 1)
    if made.shape != (1, count, side, side):
        raise InputError(
            f"{bundle.path}: its network makes {made.shape} of {tile.shape}, where "
            f"{(1, count, side, side)} is due"
        )
    if not np.isfinite(made).all():
        raise InputError(f"{bundle.path}: its network makes values that are no numbers")


_ENGINES: dict[str, Callable[[Bundle, Precision], Network]] = {
    "onnx": _onnx,
    "openvino": _openvino,
    "torch": _torch,
}
