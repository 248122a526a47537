"""The names of the bands that are read: what their file calls them, and what a user does."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.errors import InputError, refusal
from pellucid.fits.bands import band_names_of
from pellucid.fits.cards import card_value, text_card
from pellucid.fits.layout import Layout
from pellucid.fits.planes import Planes
from pellucid.sky.band_names import band_in_words, find_bands


def renamed(own: Sequence[str | None], names: Sequence[str]) -> list[str]:
    """What to know where bands were named otherwise than their file names them."""
    other = [
        (old, new)
        for old, new in zip(own, names, strict=True)
        if old and find_bands([new], [old]) is None
    ]
    if not other:
        return []
    old, new = (", ".join(each) for each in zip(*other, strict=True))
    return [f"what the file calls {old} was taken as {new}, as --bands says"]


def check_others(layouts: Sequence[Layout], names: Sequence[str], where: str) -> None:
    """Refuse to call a band what another plane of its file is that was left aside."""
    for part in (part for layout in layouts for part in layout.parts):
        if part.role not in ("image", "other"):
            continue
        depth = card_value(part.header, "NAXIS3") or 1
        told = [*band_names_of(part.header, depth), text_card(part.header, "EXTNAME")]
        here = [name for name in names if find_bands([name], [each for each in told if each])]
        if here:
            called = text_card(part.header, "EXTNAME") or "unnamed"
            fault = f"its {band_in_words(here[0])} stands in {called}, which is not what is read"
            raise refusal(where, fault, f"read it with --hdu {called}")


def names_of(
    hdus: Sequence[Planes], given: Sequence[str] | None, where: str
) -> tuple[tuple[str, ...], list[int] | None]:
    """The name of each band, and the places of those that are chosen; None for all.

    Names in the number of the bands name them. Fewer, or the file's own in another order, choose.
    """
    found = [(name, planes.source) for planes in hdus for name in planes.names]
    nameless = [source for name, source in found if name is None]
    if given is None and len(set(nameless)) > 1:
        fault = f"nothing says which bands {' and '.join(dict.fromkeys(nameless))} show"
        raise refusal(where, fault, "name them with --bands, or choose one with --hdu")
    names = tuple(name or f"band{k + 1}" for k, (name, _) in enumerate(found))
    places = None
    if given is not None:
        places = find_bands(given, names) if 0 < len(given) <= len(names) else None
        if len(given) == len(names) and places in (None, list(range(len(names)))):
            names, places = tuple(given), None
        elif places is None:
            fault = f"{len(given)} band names ({', '.join(given)}) for {len(found)} bands"
            if len(nameless) == len(found) > len(given) > 0:
                fault = f"nothing says which of its {len(found)} planes is {', '.join(given)}"
            advice = f"give {len(found)} with --bands, or choose among {', '.join(names)}"
            raise refusal(where, fault, advice)
    for name in names:
        of_it = [source for other, (_, source) in zip(names, found, strict=True) if other == name]
        if len(of_it) > 1:
            fault = (
                f"are both {band_in_words(name)}; name them with --bands, or choose one with --hdu"
            )
            raise InputError(f"{' and '.join(of_it)}: {fault}")
    return names, places
