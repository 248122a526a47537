"""YAML files that become typed objects."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from pellucid.errors import InputError, UsageError

Model = TypeVar("Model")
#: The most that a file's anchors may make of it, in lists, mappings and values.
LARGEST = 100_000


def read_named(
    name: str | Path,
    shipped: Mapping[str, Path],
    model: type[Model] | TypeAdapter[Model],
    kind: str = "",
) -> Model:
    """The object of a YAML file that comes with pellucid, by name, or of another one, by path.

    A message calls it ``kind``; by default by the model's name.
    """
    path = shipped.get(str(name), Path(name))
    kind = kind or getattr(model, "__name__", "").lower()
    if not path.is_file():
        raise UsageError(f"{name}: neither a file nor a {kind} ({', '.join(shipped)})")
    return read_settings(path, model, kind)


def shipped_files(*folder: str) -> dict[str, Path]:
    """The YAML files in a folder of the package, by name."""
    inside = Path(str(resources.files("pellucid"))).joinpath(*folder)
    return {path.stem: path for path in sorted(inside.glob("*.yaml"))}


def read_settings(path: Path, model: type[Model] | TypeAdapter[Model], kind: str = "") -> Model:
    """The object that a YAML file describes; a bad one is an InputError that names the key."""
    kind = kind or getattr(model, "__name__", "").lower()
    try:
        adapter = model if isinstance(model, TypeAdapter) else TypeAdapter(model)
        return adapter.validate_python(_loaded(path))
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path}: is no YAML ({str(error).splitlines()[0]})") from error
    except ValidationError as error:
        # A misspelt key is also a missing one: name what was written.
        unknown = [each for each in error.errors() if each["type"] == "extra_forbidden"]
        first = (unknown or error.errors())[0]
        where = ".".join(str(part) for part in first["loc"]) or kind
        what = "unknown key" if unknown else first["msg"]
        raise InputError(f"{path}: {where}: {what}") from error


def top_level(path: Path) -> list[str]:
    """The first keys of a YAML file; none of one that has none or cannot be read."""
    try:
        found = _loaded(path)
    except (OSError, UnicodeError, yaml.YAMLError, RecursionError, InputError):
        return []
    return [str(key) for key in found] if isinstance(found, dict) else []


def _loaded(path: Path) -> Any:
    """What a YAML file says; one whose anchors lead to each other without end is refused."""
    content = path.read_bytes()
    root = yaml.compose(content, Loader=yaml.SafeLoader)
    if root is not None and not _expanded(root, {}) <= LARGEST:
        raise InputError(f"{path}: its anchors make more than {LARGEST} values of it; write fewer")
    return yaml.safe_load(content)


def _expanded(node: yaml.Node, known: dict[int, float]) -> float:
    """How many values a node has with those that its aliases stand for; of a circle, infinite."""
    if id(node) not in known:
        known[id(node)] = float("inf")  # until it is known: who asks meanwhile lies within it
        inside = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = [part for each in inside for part in (each if isinstance(each, tuple) else (each,))]
        known[id(node)] = 1 + sum(_expanded(part, known) for part in parts)
    return known[id(node)]
