"""Bundles from elsewhere: a card or a network that cannot be gone by is refused in one line."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from pellucid.errors import InputError
from pellucid.networks.bundle import CARD_KEY, digest_of, open_bundle, shipped
from pellucid.networks.card_check import fault_of_card
from pellucid.restoration import engine, load_restorer


def fields(card) -> dict:
    return json.loads(json.dumps(asdict(card)))


@pytest.mark.parametrize("name", sorted(shipped()))
def test_what_ships_is_in_order(name):
    assert fault_of_card(json.loads(open_bundle(name).card.to_json())) is None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"tile": 0}, "tile"),
        ({"tile": 36}, "no multiple"),
        ({"multiple": "8"}, None),
        ({"bands": []}, "bands"),
        ({"bands": ["\x1b[31m"]}, "bands"),
        ({"ceiling": -0.2}, None),  # a stretch's middle is brighter than many a faint galaxy
        ({"ceiling": -1.5}, "ceiling"),
        ({"pixel_scale": -1.0}, "pixel_scale"),
        ({"pixel_scale": float("nan")}, "pixel_scale"),
        ({"stretch": {"name": "unheard of"}}, "stretch"),
        ({"stretch": {"name": "noise", "softening": float("inf"), "low": 0, "high": 1}}, "finite"),
        ({"fwhm": [1.0]}, "fwhm"),
        ({"fwhm": None}, "fwhm"),
        ({"scale_rule": "perhaps"}, "scale_rule"),
        ({"network": {"bands": 2}}, "bands"),
        ({"network": {"bands": 3, "inputs": ["image", "hope"]}}, "inputs"),
        ({"calibration": {"spread": [1, 2]}}, "calibration"),
        ({"forms": {"mean": [1.0, 2.0]}}, "forms"),
        ({"more": 1}, "more"),
    ],
)
def test_a_card_that_cannot_be_is_told(card, change, word):
    fault = fault_of_card({**fields(card), **change})
    assert (fault is None) == (word is None)
    assert word is None or word in fault
    assert fault is None or "\n" not in fault


@pytest.mark.parametrize("name", ["name", "model", "network", "bands", "tile", "stretch"])
def test_a_card_without_a_field_is_told(card, name):
    assert name in (fault_of_card({k: v for k, v in fields(card).items() if k != name}) or "")


def test_a_bundle_with_such_a_card_is_refused_by_name(write_card_bundle, tmp_path):
    content = write_card_bundle().read_bytes()
    start = content.index(b'{"', content.rindex(CARD_KEY.encode()))
    changed = content[:start] + content[start:].replace(b'"tile": 32', b'"tile": -2', 1)
    path = tmp_path / "other.onnx"
    path.write_bytes(changed[:-64] + digest_of(changed).encode())
    with pytest.raises(InputError, match=r"other\.onnx: its card is no card of a network \(tile"):
        open_bundle(path)
    broken = content[: start + 2] + b'"' * 4 + content[start + 6 :]
    path.write_bytes(broken[:-64] + digest_of(broken).encode())
    with pytest.raises(InputError, match=r"other\.onnx: has no card that can be read"):
        open_bundle(path)


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (lambda tiles: tiles[:, :2], "where"),
        (lambda tiles: tiles * np.float32(np.nan), "no numbers"),
        (lambda tiles: 1 / 0, "cannot be run"),
    ],
)
def test_a_network_is_tried_before_it_is_used(write_card_bundle, monkeypatch, made, fault):
    monkeypatch.setitem(engine._ENGINES, "onnx", lambda bundle, precision: made)
    with pytest.raises(InputError, match=rf"untrained\.onnx: its network .*{fault}"):
        load_restorer(write_card_bundle())


def test_a_network_that_never_answers_is_not_waited_for(write_card_bundle, monkeypatch):
    from threading import Event

    monkeypatch.setattr(engine, "PATIENCE", 0.1)
    never = Event()
    monkeypatch.setitem(engine._ENGINES, "onnx", lambda *_: lambda tiles: never.wait(5.0))
    with pytest.raises(InputError, match="does not answer"):
        load_restorer(write_card_bundle())
    never.set()
