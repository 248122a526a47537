"""models: what ships."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli.options import AsJson, print_json
from pellucid.errors import printable

if TYPE_CHECKING:
    from pellucid.networks.bundle import Card


def models(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|BUNDLE|RUN]...",
            help="Of these alone: shipped models, or what `train` made.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the shipped models, or those that are named, with their cards and checksums."""
    from dataclasses import asdict

    from pellucid.networks.bundle import open_bundle, shipped

    bundles = {name: open_bundle(name) for name in names or shipped()}
    if as_json:
        cards = {
            name: {**asdict(bundle.card), "sha256": bundle.sha256}
            for name, bundle in bundles.items()
        }
        for card in cards.values():
            card["training"].pop("trained_ids", None)  # thousands of hashes, for evaluate alone
        print_json(cards)
        return
    for bundle in bundles.values():
        card, training = bundle.card, bundle.card.training
        lines = [
            card.name,
            f"  {card.description}",
            f"  {_takes(card)}, {bundle.path.stat().st_size / 1e6:.1f} MB",
            *_trained(training),
            f"  validation PSNR {training.get('validation_psnr')} dB "
            f"(degraded {training.get('validation_psnr_blurred')} dB) "
            f"on {training.get('held_back_objects')} objects held back",
            f"  {training.get('command')}",
            f"  sha256 {bundle.sha256}",
        ]
        typer.echo(printable("\n".join(lines)))


def _takes(card: Card) -> str:
    if card.network.get("bandwise"):
        low, high = card.fwhm
        return f"any bands, any pixels; undoes blurs of {low:g} to {high:g} pixels"
    alone = " or one alone" if card.single_band else ""
    return f'bands {",".join(card.bands)}{alone}, {card.pixel_scale:g}" pixels'


def _trained(training: Mapping[str, Any]) -> Iterator[str]:
    """A line for the training, and one for each that it began with."""
    yield (
        f"  trained on {training.get('objects')} objects, {training.get('steps')} steps, "
        f"{training.get('wall_seconds', 0) / 60:.0f} min on {training.get('device')}"
    )
    if "started_from" in training:
        before = training["started_from"]
        yield f"  begun with {before['model']}:"
        yield from _trained(before)
