"""What runs a network where there is more than one thing that could."""

from __future__ import annotations

import onnxruntime
import pytest

from pellucid.networks.bundle import open_bundle
from pellucid.restoration.engine import load_network

CPU, GPU = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.mark.parametrize(
    ("there", "asked"), [([CPU], [CPU]), (["TensorrtExecutionProvider", GPU, CPU], [GPU, CPU])]
)
def test_a_gpu_is_used_where_onnxruntime_has_one(monkeypatch, tiny_bundle, there, asked):
    found, session = [], onnxruntime.InferenceSession

    def recorded(graph, options, providers):
        found.extend(providers)
        return session(graph, options, providers=[CPU])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    monkeypatch.setattr(onnxruntime, "InferenceSession", recorded)
    load_network(open_bundle(tiny_bundle))
    assert found == asked
