"""What a restorer is, what it returns, and how a FITS header says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.sky import PSF
from pellucid.sky.drawn import drawn
from pellucid.sky.image import SkyImage
from pellucid.version import __version__

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from matplotlib.figure import Figure

#: What the width in a header is of: of a network that is told no psf it is what it learned from.
UNDONE, LEARNED = "of the blur undone", "of the blur that it is made for"


@dataclass(frozen=True)
class Restoration:
    """A restored image and what is known of it.

    Parameters
    ----------
    image
        Same unit, bands and sky as the input, and its pixels; or finer ones, where a model works in
        these and the input's could not hold what it restores.
    uncertainty
        Standard deviation of each pixel in the image's unit, half of the range that holds 68 % of
        true pixels, NaN where there is no data; or None where the restorer has none.
    doubt
        From 0 (sure) to 1 for each pixel, 1 where there is no data; or None where the restorer has
        none.
    chi2
        At each pixel, mean square of what the result, blurred again, misses of the image, over its
        variance at the psf's scale; 1 is expected, NaN where there is no data. None where the
        restorer has none.
    samples
        Skies that all explain the image, shape (sample, band, y, x), or None where none were
        drawn.
    range_95
        Half of the range that holds 95 %, which is more than twice the uncertainty where detail
        may be missed; NaN and None where the uncertainty is.
    provenance
        What made it: method or model, checksum, PSF, version; ``change`` says what became of
        noise and resolution, ``trust`` what is doubted, ``notes`` lists what to know.

    Raises
    ------
    InputError
        When values are so far beyond the noise that its numbers (``chi2``, ``unlike``) are none.
    """

    image: SkyImage
    uncertainty: NDArray[np.float32] | None = None
    doubt: NDArray[np.float32] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    samples: NDArray[np.float32] | None = None
    chi2: NDArray[np.float32] | None = None
    range_95: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        facts = self.provenance
        if not np.isfinite([*facts.get("chi2", ()), facts.get("unlike", 0.0)]).all():
            fault = "it holds values so far beyond its noise that they are no flux"
            raise InputError(f"{fault}; set them to NaN, or mask them")

    def _repr_html_(self) -> str:
        """In a notebook: a page to look at it, as `pellucid view` makes it."""
        return drawn("notebook", self)

    def plot(
        self,
        given: SkyImage | None = None,
        truth: SkyImage | None = None,
        band: str | None = None,
    ) -> Figure:
        """A figure for a paper: what was restored, the result and what is unsure, on WCS axes.

        Parameters
        ----------
        given
            The image that was restored.
        truth
            What it should be; maybe in other pixels.
        band
            Which one; the middle one without.
        """
        return drawn("figure", self, given, truth, band)


class Restorer(Protocol):
    """From a degraded image to a restored one.

    What is to be undone is the ``blur``, or follows from ``psf`` and ``target``; each is a kernel
    in the image's pixels or the FWHM of a Gaussian in arcsec, see `pellucid.optics.blur_of`.
    """

    @property
    def name(self) -> str: ...

    def __call__(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Restoration:
        """Restore an image; it is not changed."""
        ...


def restoration_cards(restoration: Restoration) -> dict[str, tuple[str | float, str]]:
    """The cards that tell a restoration from a measurement, with their comments."""
    facts = restoration.provenance
    cards: dict[str, tuple[str | float, str]] = {
        "PLCTYPE": ("RESTORATION", "pixels are restored, not measured"),
        "PLCVERS": (__version__, "pellucid version"),
        "PLCMODEL": (str(facts.get("model") or facts.get("method")), "what restored the pixels"),
    }
    for fact, keyword, comment in (
        ("psf_fwhm", "PLCFWHM", f"[arcsec] FWHM {LEARNED if 'model' in facts else UNDONE}"),
        ("blur_fwhm", "PLCBLUR", f"[arcsec] FWHM {UNDONE}"),
        ("target_fwhm", "PLCTARG", "[arcsec] FWHM of a star in the result"),
        ("doubted", "PLCDOUBT", "fraction of the pixels that are doubted"),
        ("unlike", "PLCUNLIK", "fraction of galaxies of more usual form"),
    ):
        if fact in facts:
            cards[keyword] = (float(facts[fact]), comment)
    names = restoration.image.bands
    for fact, keyword, comment in (
        ("chi2", "PLCCHI", "reduced chi2 of the result blurred again"),
        ("blur_fwhms", "PLCBLU", f"[arcsec] FWHM {UNDONE}"),
    ):
        found = facts.get(fact, ())
        for number, band in enumerate(_in_the_file(restoration.image) if found else (), 1):
            cards[f"{keyword}{number}"] = (float(found[band]), f"{comment}, {names[band]}")
    return cards


def _in_the_file(image: SkyImage) -> list[int]:
    """The places of an image's bands in the order in which its file holds them."""
    count = len(image.bands)
    parts = [part for part in getattr(image.layout, "parts", ()) if part.role == "bands"]
    order = [k for part in parts for k in part.planes if k < count]
    return order if len(order) == count else list(range(count))


def restoration_header(restoration: Restoration, history: Sequence[str] = ()) -> Header:
    """What a FITS header tells of a restoration: cards, then ``history`` and its own lines."""
    from astropy.io.fits import Header

    header = Header()
    for keyword, (value, comment) in restoration_cards(restoration).items():
        header[keyword] = (value, comment)
    for line in (*history, *restoration_history(restoration)):
        header.add_history(line)
    return header


def restoration_history(restoration: Restoration) -> list[str]:
    """What happened to the pixels, line by line."""
    facts = restoration.provenance
    if "history" in facts:  # of one that was read again
        return list(facts["history"])
    lines = [f"pellucid {__version__}: these pixels are a restoration, not a measurement"]
    if "model" in facts:
        lines.append(f"model {facts['model']}, sha256 {facts['sha256']}")
    else:
        lines.append(f"method {facts.get('method')}")
    if "samples" in facts:
        lines.append(facts["samples"])
    if "psf_fwhm" in facts:
        said = "made for" if "model" in facts else "undone:"
        lines.append(f"{said} a blur of FWHM {facts['psf_fwhm']} arcsec")
    if "blur_fwhm" in facts:
        widths = zip(restoration.image.bands, facts.get("blur_fwhms", ()), strict=False)
        each = ", ".join(f"{band} {width:.3g}" for band, width in widths)
        lines.append(f"blur fwhm {facts['blur_fwhm']} arcsec{f' ({each})' if each else ''}")
    if "target_fwhm" in facts:
        lines.append(f"target fwhm {facts['target_fwhm']} arcsec")
    if restoration.image.variance is not None:
        lines.append("INPUT_ planes hold the noise of the input's pixels, not of these")
    lines += [facts[told] for told in ("change", "trust") if told in facts]
    return lines + [f"note: {note}" for note in facts.get("notes", [])]
