"""How a restoration says in its FITS header what it is."""

from __future__ import annotations

from pellucid.restoration.result import Restoration
from pellucid.version import __version__


def restoration_cards(restoration: Restoration) -> dict[str, tuple[str | float, str]]:
    """The cards that tell a restoration from a measurement, with their comments."""
    facts = restoration.provenance
    cards: dict[str, tuple[str | float, str]] = {
        "PLCTYPE": ("RESTORATION", "pixels are restored, not measured"),
        "PLCVERS": (__version__, "pellucid version"),
        "PLCMODEL": (str(facts.get("model") or facts.get("method")), "what restored the pixels"),
    }
    if "psf_fwhm" in facts:
        cards["PLCFWHM"] = (float(facts["psf_fwhm"]), "[arcsec] FWHM of the blur undone")
    return cards


def restoration_history(restoration: Restoration) -> list[str]:
    """What happened to the pixels, line by line."""
    facts = restoration.provenance
    lines = [f"pellucid {__version__}: these pixels are a restoration, not a measurement"]
    if "model" in facts:
        lines.append(f"model {facts['model']}, sha256 {facts['sha256']}")
    else:
        lines.append(f"method {facts.get('method')}")
    if "psf_fwhm" in facts:
        lines.append(f"psf fwhm {facts['psf_fwhm']} arcsec")
    if restoration.image.variance is not None:
        lines.append("the variance is the input's, not the restoration's")
    return lines + [f"note: {note}" for note in facts.get("notes", [])]
