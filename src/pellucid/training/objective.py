"""From a recipe to what one training step does."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pellucid.training.recipe import Recipe
from pellucid.training.step import Adversaries, gan_step
from pellucid.training.wasserstein_step import WassersteinLosses, wasserstein_step

#: (networks, blurred, sharp, step) to the losses' values; the networks are changed.
Advance = Callable[[Adversaries, Tensor, Tensor, int], dict[str, float]]


def make_step(recipe: Recipe, device: torch.device) -> Advance:
    """What a step of this recipe's model does, with its weights as they are at that step."""

    def autocast() -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16")

    if recipe.model == "galaxygan":
        return lambda networks, blurred, sharp, step: gan_step(
            networks,
            blurred,
            sharp,
            recipe.pixel_weight_at(step),
            autocast(),
            recipe.decay_at(step),
        )
    perceptual = None
    if recipe.perceptual_weight:
        from pellucid.training.perceptual import PerceptualLoss

        perceptual = PerceptualLoss(recipe.perceptual_layer, recipe.perceptual_file).to(device)
    return lambda networks, blurred, sharp, step: wasserstein_step(
        networks,
        blurred,
        sharp,
        WassersteinLosses(
            critic_steps=recipe.critic_steps,
            lipschitz=recipe.lipschitz,
            penalty_weight=recipe.penalty_weight,
            clip_limit=recipe.clip_limit,
            adversarial_weight=recipe.adversarial_weight,
            pixel_weight=recipe.pixel_weight_at(step),
            perceptual_weight=recipe.perceptual_weight,
            perceptual=perceptual,
        ),
        autocast(),
        recipe.decay_at(step),
    )
