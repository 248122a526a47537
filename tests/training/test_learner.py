"""The optimiser that trainers share."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")


def test_a_fused_step_is_adams_in_any_layout(galaxygan, advance):
    """The fused kernel goes through memory: weights, gradients and moments must lie there alike."""
    trainer, plain = galaxygan(), galaxygan()
    settings = plain.generator_optimiser.defaults
    assert settings["fused"]
    plain.generator_optimiser = torch.optim.Adam(
        plain.generator.parameters(), settings["lr"], betas=settings["betas"], foreach=False
    )
    for each in (trainer, plain):
        torch.manual_seed(9)
        advance(each, 4)
    weights, expected = (each.generator.state_dict() for each in (trainer, plain))
    kernels = [name for name, value in weights.items() if value.ndim == 4]
    assert not all(weights[name].is_contiguous() for name in kernels)
    for name in kernels:
        torch.testing.assert_close(weights[name], expected[name], rtol=1e-3, atol=1e-5)
