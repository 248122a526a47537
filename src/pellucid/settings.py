"""YAML files that become typed objects."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from pellucid.errors import InputError, UsageError

Model = TypeVar("Model", bound=BaseModel)


def read_named(name: str | Path, shipped: Mapping[str, Path], model: type[Model]) -> Model:
    """The object of a YAML file that comes with pellucid, by name, or of another one, by path.

    Raises
    ------
    UsageError
        When there is neither.
    InputError
        As `read_settings`.
    """
    path = shipped.get(str(name), Path(name))
    if not path.is_file():
        kind = model.__name__.lower()
        raise UsageError(f"{name}: neither a file nor a {kind} ({', '.join(shipped)})")
    return read_settings(path, model)


def shipped_files(*folder: str) -> dict[str, Path]:
    """The YAML files in a folder of the package, by name."""
    inside = Path(str(resources.files("pellucid"))).joinpath(*folder)
    return {path.stem: path for path in sorted(inside.glob("*.yaml"))}


def read_settings(path: Path, model: type[Model]) -> Model:
    """The object that a YAML file describes.

    Raises
    ------
    InputError
        When the file is no YAML, has an unknown key or a value out of range.
    """
    try:
        return model.model_validate(yaml.safe_load(path.read_bytes()))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is no YAML ({str(error).splitlines()[0]})") from error
    except ValidationError as error:
        # A misspelt key is also a missing one: name what was written.
        unknown = [each for each in error.errors() if each["type"] == "extra_forbidden"]
        first = (unknown or error.errors())[0]
        where = ".".join(str(part) for part in first["loc"]) or model.__name__.lower()
        what = "unknown key" if unknown else first["msg"]
        raise InputError(f"{path}: {where}: {what}") from error
