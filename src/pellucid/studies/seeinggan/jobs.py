"""The study as jobs: networks, each after the one that it begins with, then galaxies to score."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.evaluation.scores import Scoring, Untouched, score_pair, score_pairs
from pellucid.evaluation.tables import finite
from pellucid.evaluation.tuning import best_constant
from pellucid.files import make_folder, write_content
from pellucid.restoration import ClassicalRestorer, NeuralRestorer, Restorer, load_restorer
from pellucid.sky import gaussian_psf
from pellucid.stretch import NoiseStretch
from pellucid.studies.folder import PATIENCE, do_once, locked, model_file, train_network, undamaged
from pellucid.studies.observed import has_euclid
from pellucid.studies.seeinggan.euclid import draw_examples, euclid_galaxies, measure_euclid
from pellucid.studies.seeinggan.preset import Preset
from pellucid.studies.seeinggan.sample import Parts, read_sample, real_store, training_pairs
from pellucid.studies.seeinggan.scores import FILE

#: The resampled Subaru image: a cubic spline, which is what bicubic interpolation makes of it.
SUBARU = "subaru"
WIENER, RICHARDSON_LUCY, SEEINGGAN = "wiener", "richardson-lucy", "seeinggan"
#: Galaxies learned from on which the deconvolutions are tuned.
TUNED_ON = 8
#: Noise over signal that the Wiener filter is tuned among. Its own fit takes noise for white,
#: which that of a resampled image is not.
NOISE_TO_SIGNAL = (1e-4, 1e-3, 1e-2, 1e-1)
#: FWHM of a point source in the sharp image where no PSF says so, arcsec.
SHARP_FWHM = 0.11
#: Metrics of each galaxy; a new one has no say in a study that is recorded.
MEASURED = (
    *("psnr", "ssim", "cw_ssim", "source", "cw_ssim_all_scales", "cw_ssim_printed"),
    *("sources", "morphology"),
)
CONSTANTS = "scores/constants"
#: What figure 6's networks begin as is called so, where it learned from pixels alone.
PIXELS = "pixels"
#: What is measured of them.
LAYERS = "scores/layers"
OF_LAYERS = ("psnr", "cw_ssim", "cw_ssim_all_scales", "sources", "morphology", "veil")
#: The second experiment, and the Richardson-Lucy iterations that it is tuned among: its noise is
#: smooth over pixels.
EUCLID, FEWER = "scores/euclid", (1, 2, 3, 5, 10, 20, 40)


@dataclass(frozen=True)
class Job:
    """A network, something measured, or a galaxy, whose place in the store it has."""

    name: str
    galaxy: int | None = None

    def done(self, folder: Path) -> Path:
        """The file that it leaves."""
        if self.galaxy is None and self.name not in (CONSTANTS, EUCLID, LAYERS):
            return model_file(folder, self.name)
        return folder / "work" / f"{self.name}.json"


def plan(preset: Preset, sample: Parts, data: Path) -> list[list[Job]]:
    """All jobs; each list needs what the ones before it left."""
    first = [Job(EUCLID)] if has_euclid(data) else []
    first += [Job(LAYERS)] if preset.layers else []
    return [
        *([Job(name)] for name in preset.networks() if name not in preset.layers),
        [*map(Job, preset.layers), Job(CONSTANTS)],
        [*first, *(Job(f"scores/galaxy-{place}", place) for place in sample.places("tested"))],
    ]


def run_job(preset: Preset, data: Path, folder: Path, job: Job) -> None:
    """Do one job, unless it is done, going on where it was stopped."""
    if job.galaxy is not None:
        do_once(folder, job.name, job.done(folder), lambda: _scores(preset, data, folder, job))
    elif job.name == CONSTANTS:
        do_once(folder, job.name, job.done(folder), lambda: _tuned(preset, data, folder))
    elif job.name == EUCLID:
        do_once(folder, job.name, job.done(folder), lambda: _euclid(preset, data, folder))
    elif job.name == LAYERS:
        do_once(folder, job.name, job.done(folder), lambda: _layers(preset, data, folder))
    else:
        stage, before = preset.networks()[job.name]
        store, split = training_pairs(preset, data, folder, stage.data)
        start = None if before is None else model_file(folder, before)
        with locked(folder, job.name, PATIENCE):
            alone = job.name not in preset.layers
            train_network(folder, job.name, stage.recipe, store, split, start, alone)


def collect(folder: Path, sample: Parts) -> None:
    """The scores of all galaxies as one file, in the place of each one's own."""
    constants = _read(folder, Job(CONSTANTS))
    found = {
        sample.galaxies[place].id: _read(folder, Job(f"scores/galaxy-{place}", place))
        for place in sample.places("tested")
    }
    seconds = sum(job["seconds"] for job in (constants, *found.values()))
    second, layers = Job(EUCLID), Job(LAYERS)
    content = {
        "euclid": _read(folder, second)["galaxies"] if second.done(folder).exists() else [],
        "layers": _read(folder, layers)["galaxies"] if layers.done(folder).exists() else {},
        "settings": {
            "chosen": constants["chosen"],
            "machine": constants["machine"],
            "ended": max(job["ended"] for job in (constants, *found.values())),
            "seconds_of_scoring": round(seconds, 1),
        },
        "scores": {name: job["metrics"] for name, job in found.items()},
    }
    write_content(folder / FILE, json.dumps(content, allow_nan=False), overwrite=True)
    shutil.rmtree(folder / "work" / "scores")


def restorers(preset: Preset, folder: Path, chosen: Mapping[str, float]) -> dict[str, Restorer]:
    """Who is compared, the deconvolutions by the constants that were chosen for them."""
    return {
        SUBARU: Untouched(SUBARU),
        **{method: ClassicalRestorer(method, constant) for method, constant in chosen.items()},
        SEEINGGAN: load_restorer(model_file(folder, preset.final_network())),
    }


def layer_restorers(preset: Preset, folder: Path) -> dict[str, Restorer]:
    """Figure 6's networks, between the Subaru image and the model.

    Before them what they begin as, where that knows neither critic nor VGG-19.
    """
    start = preset.pixels_alone()
    names = {PIXELS: start} if start else {}
    names |= {layer: layer for layer in preset.layers} | {SEEINGGAN: preset.final_network()}
    loaded = {who: load_restorer(model_file(folder, name)) for who, name in names.items()}
    return {SUBARU: Untouched(SUBARU), **loaded}


def scoring(preset: Preset, *metrics: str) -> Scoring:
    """After a stretch in units of the truth's noise; all of the measured PSF is undone."""
    margin = preset.galaxies.margin_pixels()
    return Scoring(metrics, NoiseStretch(), margin, whole_psf=True)


def _scores(preset: Preset, data: Path, folder: Path, job: Job) -> dict[str, Any]:
    """Every metric of one galaxy."""
    assert job.galaxy is not None
    store = real_store(data, folder)
    pair, name = store.pair(job.galaxy), store.ids[job.galaxy]
    if pair.sharp.psf is None:
        psf = gaussian_psf(SHARP_FWHM, store.pixel_scale)
        pair = replace(pair, sharp=pair.sharp.with_flux(pair.sharp.flux, psf=psf))
    chosen = _read(folder, Job(CONSTANTS))["chosen"]
    compared = restorers(preset, folder, chosen)
    scored = score_pair(name, pair, compared, scoring(preset, *MEASURED), store.blurred_scale)
    return {"metrics": finite(scored.metrics)}


def _euclid(preset: Preset, data: Path, folder: Path) -> dict[str, Any]:
    """The second experiment, whose psf SeeingGAN is told of in the pixels that it learned from."""
    network = load_restorer(model_file(folder, preset.final_network()), force=True)
    assert isinstance(network, NeuralRestorer)
    width = float(np.mean(network.card.fwhm)) / network.card.pixel_scale
    sharp = SHARP_FWHM / network.card.pixel_scale
    galaxies = list(euclid_galaxies(data, folder / "work", width, sharp))
    choices = {WIENER: NOISE_TO_SIGNAL, RICHARDSON_LUCY: FEWER}
    rows = measure_euclid(galaxies, network, choices)
    draw_examples(galaxies, rows, network, make_folder(folder / "results") / "euclid.png")
    return {"galaxies": rows}


def _layers(preset: Preset, data: Path, folder: Path) -> dict[str, Any]:
    """What each layer's network makes of every tested galaxy."""
    store, compared = real_store(data, folder), layer_restorers(preset, folder)
    wanted = scoring(preset, *OF_LAYERS)
    places = read_sample(folder).places("tested")
    scored = score_pairs(store, places, compared, wanted, preset.seed)
    return {"galaxies": {one.id: finite(one.metrics) for one in scored}}


def _tuned(preset: Preset, data: Path, folder: Path) -> dict[str, Any]:
    """The constants that serve CW-SSIM best on galaxies learned from; none without PSFs."""
    store = real_store(data, folder)
    places = read_sample(folder).places("learned")[:TUNED_ON]
    pairs = {store.ids[place]: store.pair(place) for place in places}
    if any(pair.blurred.psf is None for pair in pairs.values()):
        return {"chosen": {}}
    by_cw_ssim = scoring(preset, "cw_ssim")
    choices = {WIENER: NOISE_TO_SIGNAL, RICHARDSON_LUCY: preset.iterations}
    return {
        "chosen": {
            method: best_constant(method, constants, pairs, by_cw_ssim, "cw_ssim")
            for method, constants in choices.items()
        }
    }


def _read(folder: Path, job: Job) -> dict[str, Any]:
    path = job.done(folder)
    with undamaged(path):
        return json.loads(path.read_text())
