"""pellucid's own model, from archives of galaxies to its two networks."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from pellucid.data.scenes import ScenePairs, SceneRecipe
from pellucid.data.splits import Split
from pellucid.data.truth import TruthStore, open_truth, write_truth
from pellucid.errors import InputError
from pellucid.files import make_folder
from pellucid.networks.bundle import open_bundle
from pellucid.restoration import load_restorer
from pellucid.studies.folder import locked, prepared, require_training, train_network
from pellucid.studies.pellucid.calibration import learn_calibration
from pellucid.studies.pellucid.forms import learn_forms
from pellucid.studies.pellucid.measures import Measures, calibrating, measure_model
from pellucid.studies.pellucid.mixture import split_truth
from pellucid.studies.pellucid.preset import Preset
from pellucid.studies.truths import kernels, truths

TRUTH = "truth.h5"
MEAN, REFINED, TOGETHER = "mean", "refined", "together"
LONGER, SAMPLER = "longer", "sampler"


def run_study(
    preset: Preset,
    data: Path,
    output: Path,
    resume: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Path]:
    """Do what is not done yet: the store of truth, then the networks; returns their paths.

    Parameters
    ----------
    data
        Folder of archives of galaxies; see `pellucid.studies.truths.READERS`.
    output
        Folder of the study.
    resume
        Go on with a study that was begun there.
    say
        Told what begins.
    """
    require_training()
    import torch
    import torch.distributed as dist

    from pellucid.training.processes import join_processes

    if not data.is_dir():
        raise InputError(f"{data}: no such folder")
    output = make_folder(output)
    record = {"preset": preset.model_dump(mode="json"), "data": data.resolve().name}

    def prepare() -> None:
        path = output / TRUTH
        if not path.exists():
            say("gathering the truth")
            write_truth(path, truths(data), kernels(data))

    # Of torchrun's processes the first prepares for all; the others wait where it begins to train.
    rank, _ = join_processes()
    with locked(output, "study", patience=0.0) if rank == 0 else nullcontext():
        if rank == 0:
            prepared(output, record, resume, prepare, (TRUTH, "work"))
        if dist.is_initialized():
            dist.barrier()
        truth = open_truth(output / TRUTH)
        split = split_truth(truth, preset.recipe.seed)
        models: dict[str, Path] = {}
        stages = {
            MEAN: (preset.recipe, None),
            REFINED: (preset.refined, MEAN),
            TOGETHER: (preset.together, REFINED),
            LONGER: (preset.longer, TOGETHER),
            SAMPLER: (preset.sampler, LONGER),
        }
        for name, (recipe, begin) in stages.items():
            if rank == 0:
                say(f"the {name}: {recipe.steps} steps on scenes of {len(truth)} galaxies")
            scenes = ScenePairs(truth, SceneRecipe(recipe.size))
            start = models[begin] if begin else None
            # To draw a scene takes half as long as to learn from it, for a GPU forty times as long.
            workers = max(1, (os.cpu_count() or 1) - 1) if torch.cuda.is_available() else 1
            models[name] = train_network(
                output, name, recipe, scenes, split, start, progress=True, workers=workers
            )
            if name == LONGER and rank == 0:
                _know_itself(models[name], truth, split, preset.measures, say)
            if dist.is_initialized():
                dist.barrier()  # until the first of them has put the model where it belongs
        if rank == 0:
            networks = models[LONGER], models[SAMPLER]
            page = measure_model(preset.measures, data, output, truth, *networks, say)
            say(f"{page}: what was measured")
        return models


def _know_itself(
    model: Path, truth: TruthStore, split: Split, measures: Measures, say: Callable[[str], None]
) -> None:
    """Put into a model's card, once, how true its uncertainty is and what galaxies look like."""
    from pellucid.networks.export import with_card

    bundle = open_bundle(model)
    card = bundle.card
    if not card.calibration:
        say("how true the uncertainty is")
        unseen = calibrating(truth, measures.galaxies)
        card = replace(card, calibration=learn_calibration(truth, unseen, load_restorer(model)))
    if not card.forms:
        say("the forms of ordinary galaxies")
        galaxies = np.random.default_rng(0).choice(split.training, measures.ordinary)
        forms = learn_forms(truth, galaxies.tolist(), load_restorer(model), measures.odd)
        card = replace(card, forms=forms)
    if card is not bundle.card:
        with_card(bundle, card, model)
