"""What is typed, read as the command line reads it, and nothing done."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
from typer.main import get_command

from pellucid.cli import app


def parsed(line: str) -> str:
    """The verb of a line such as ``pellucid study seeinggan …``; raises what a slip raises."""
    program, *words = shlex.split(line, comments=True)
    assert program == "pellucid"
    command, context, names = get_command(app), None, []
    while True:
        context = command.make_context(program, list(words), parent=context)
        if not isinstance(command, click.Group) and not hasattr(command, "commands"):
            return " ".join(names)
        program, command, words = command.resolve_command(
            context, context._protected_args + context.args
        )
        names.append(program)


def verbs() -> Iterator[str]:
    """All verbs there are, with their group's name before them."""
    for name, command in get_command(app).commands.items():
        inner = getattr(command, "commands", None)
        yield from [name] if inner is None else (f"{name} {verb}" for verb in inner)
