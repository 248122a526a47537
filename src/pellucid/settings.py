"""YAML files that become typed objects."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from pellucid.errors import InputError, UsageError

Model = TypeVar("Model")


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
        return adapter.validate_python(yaml.safe_load(path.read_bytes()))
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path}: is no YAML ({str(error).splitlines()[0]})") from error
    except ValidationError as error:
        # A misspelt key is also a missing one: name what was written.
        unknown = [each for each in error.errors() if each["type"] == "extra_forbidden"]
        first = (unknown or error.errors())[0]
        where = ".".join(str(part) for part in first["loc"]) or kind
        what = "unknown key" if unknown else first["msg"]
        raise InputError(f"{path}: {where}: {what}") from error
