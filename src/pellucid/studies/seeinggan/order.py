"""Whether SeeingGAN or a deconvolution comes nearer to the sharp camera, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pellucid.evaluation.tables import BREAK
from pellucid.studies.seeinggan.scores import Scores, values

#: Metric to heading and digits.
METRICS = {"psnr": ("PSNR [dB]", 2), "cw_ssim": ("CW-SSIM", 3)}
#: Of the mean lies in the interval.
CONFIDENCE = 0.95
#: Galaxies below which halves tell nothing.
FEW = 8


def order_table(
    scores: Scores,
    brightness: NDArray[np.floating],
    size: NDArray[np.floating],
    first: str,
    others: Mapping[str, str],
) -> tuple[list[str], list[list[str]]]:
    """The lead of a restorer over others on the same galaxies: headings, then lines.

    The lines are of all galaxies and of their halves.

    Parameters
    ----------
    others
        Restorers, and what they are called in a heading.
    brightness, size
        Of each galaxy, in any unit, the brightest and largest highest; NaN where not known.
    """
    columns = [(other, metric) for other in others for metric in METRICS]
    lines = []
    for title, some in _parts(brightness, size).items():
        cells = []
        for other, metric in columns:
            lead = values(scores, first, metric) - values(scores, other, metric)
            lead = lead[some & np.isfinite(lead)]
            cells.append(_lead(lead, METRICS[metric][1]))
        lines.append([title, str(int(some.sum())), *cells])
    headings = [f"{METRICS[metric][0]} over {others[other]}" for other, metric in columns]
    return ["", "galaxies", *headings], lines


def interval(lead: NDArray[np.floating]) -> tuple[float, float]:
    """Where the mean of so many differences lies, by drawing the galaxies again and again.

    References
    ----------
    Efron 1979, Annals of Statistics 7, 1, doi:10.1214/aos/1176344552
    """
    from scipy.stats import bootstrap

    found = bootstrap(
        (lead,), np.mean, confidence_level=CONFIDENCE, method="percentile", rng=4550
    ).confidence_interval
    return float(found.low), float(found.high)


def _parts(
    brightness: NDArray[np.floating], size: NDArray[np.floating]
) -> dict[str, NDArray[np.bool_]]:
    parts = {"all": np.ones(len(brightness), dtype=bool)}
    for (high, low), of in ((("bright", "faint"), brightness), (("large", "small"), size)):
        if np.isfinite(of).all() and len(of) >= FEW:
            above = of >= np.median(of)
            parts |= {f"the {high} half": above, f"the {low} half": ~above}
    return parts


def _lead(lead: NDArray[np.floating], digits: int) -> str:
    if not lead.size:
        return ""
    text = f"{lead.mean():+.{digits}f}"
    if lead.size > 1:
        text += BREAK + "[{:+.{d}f}, {:+.{d}f}]".format(*interval(lead), d=digits)
    return f"{text}{BREAK}{(lead > 0).mean():.0%} won"
