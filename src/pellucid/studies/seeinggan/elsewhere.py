"""Galaxies that a sharper camera saw elsewhere, each freed of its sky and its neighbours."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from pellucid.data.mosaics.segments import Segments, segment
from pellucid.data.simulation import Galaxy, as_galaxy
from pellucid.errors import InputError, one_line
from pellucid.fits import read_image
from pellucid.optics import block_mean
from pellucid.sky import PSF
from pellucid.studies.truths import HST_FRAME_FWHM, hst_frames

#: Of the archive of cut-out galaxies: F814W's plane, arcsec per pixel, least side in pixels,
#: faintest magnitude.
PLANE, SCALE, LEAST_SIDE, FAINTEST = 1, 0.06, 24, 24.3
#: FWHM in arcsec of a point in these.
RESOLUTION = 0.13
LINEAR = "linear_truth.tar"
#: Two spirals from HST; a merger as it was simulated, at three epochs.
SPIRALS, MERGERS = "hst_", "realsim_photo_r_"
#: Longest side in pixels of what was seen near by; more would be lost at any distance.
LONGEST = 240
#: A galaxy of a frame lies within so many pixels of its middle, and no more of its pixels lie on
#: the frame's edge than this share of a side.
WITHIN, CUT = 30.0, 0.1
#: A star's light, in units of a frame, and its form: the ratio of its axes, and how far it reaches
#: in units of a disc's radius of the same area.
SATURATED, ROUND, SPIKED = 25.0, 0.9, 1.28
#: Stamps of other telescopes, and the FWHM in arcsec that they are given: they differ in shape.
STAMPS, WIDTHS, MOST = ("hsc", "decam"), (0.5, 0.75), 80


def sharp_galaxies(data: Path, archive: str) -> dict[str, Galaxy]:
    """Every galaxy there is, by id; the ``archive`` of cut-out ones must be there.

    CANDELS' frames are left out: some are of COSMOS, where SeeingGAN is tested, and nothing tells
    which.

    Raises
    ------
    InputError
        When an archive cannot be read.
    """
    galaxies = dict(_cut_out(data / archive))
    for truth in hst_frames(data):
        free = freed(truth.flux.mean(axis=0), RESOLUTION / HST_FRAME_FWHM)
        if free is not None:
            galaxies[truth.id] = free
    galaxies |= dict(_near_by(data / LINEAR))
    return galaxies


def other_psfs(data: Path, seed: int) -> tuple[PSF, ...]:
    """PSFs that HSC and DECam were measured to have, of widths that HSC's have on good nights."""
    path = data / "psf_stamps.npz"
    if not path.exists():
        return ()
    rng, psfs = np.random.default_rng([seed, 4550]), []
    with np.load(path, allow_pickle=False) as arrays:
        names = [n for n in arrays.files if "__psf_" in n and n.startswith(STAMPS)]
        for name in names:
            stamps = arrays[name]
            if stamps.shape[1] % 2 == 0 or stamps.shape[1] != stamps.shape[2]:
                continue
            for k in rng.permutation(len(stamps))[:MOST]:
                stamp = np.clip(np.nan_to_num(stamps[k]), 0.0, None)
                if stamp.sum() > 0 and stamp.argmax() == stamp.size // 2:
                    psfs.append(PSF(stamp, rng.uniform(*WIDTHS) / PSF(stamp, 1.0).fwhm))
    return tuple(psfs)


def freed(flux: NDArray[np.floating], pixel_scale: float) -> Galaxy | None:
    """The galaxy in the middle of a frame, shrunk by two; None where none lies there whole."""
    fine = block_mean(np.asarray(flux, dtype=np.float64), 2, 2)
    try:
        scene = segment(fine)
    except InputError:
        return None
    label = scene.at(0.5 * (np.array(fine.shape) - 1.0), WITHIN / 2)
    own = scene.labels == label
    if not label or float(flux.max()) > SATURATED or _has_spikes(scene, label):
        return None
    edge = own[0].sum() + own[-1].sum() + own[:, 0].sum() + own[:, -1].sum()
    if edge > CUT * fine.shape[0]:
        return None
    rows, columns = np.nonzero(own)
    around = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    return as_galaxy(np.where(own, scene.flux, 0.0)[around], 2.0 * pixel_scale)


def _has_spikes(scene: Segments, label: int) -> bool:
    """Whether a source is round, but reaches out as a bright star's diffraction does."""
    own = scene.labels == label
    rows, columns = np.nonzero(own)
    row, column = scene.places[label - 1]
    far = float(np.percentile(np.hypot(rows - row, columns - column), 99))
    long, short, _ = scene.shapes[label - 1]
    return short > ROUND * long and far > SPIKED * float(np.sqrt(own.sum() / np.pi))


def _cut_out(path: Path) -> Iterator[tuple[str, Galaxy]]:
    try:
        with path.open("rb") as stream, np.load(stream) as file:
            for name, magnitude in zip(file["id"], file["mag"], strict=True):
                if magnitude < FAINTEST and min(file[name].shape[1:]) >= LEAST_SIDE:
                    yield str(name), as_galaxy(file[name][PLANE], SCALE)
    except Exception as error:  # numpy and zipfile raise whatever they stumble over
        raise InputError(f"{path}: cannot be read as galaxies ({one_line(error)})") from error


def _near_by(path: Path) -> Iterator[tuple[str, Galaxy]]:
    """Galaxies with more pixels than any of a survey, which are shown from farther away."""
    if not path.exists():
        return
    with tarfile.open(path) as archive, TemporaryDirectory() as folder:
        archive.extractall(folder, filter="data")
        for file in sorted(Path(folder).rglob("*.fits*")):
            if not file.name.startswith((SPIRALS, MERGERS)):
                continue
            plane = np.asarray(read_image(file).flux[0], dtype=np.float64)
            plane = np.nan_to_num(plane)
            shrink = -(-max(plane.shape) // LONGEST)
            name = f"linear/{file.name.split('.')[0]}"
            yield name, as_galaxy(block_mean(plane, shrink, shrink), RESOLUTION / 2)
