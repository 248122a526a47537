"""The command line: one verb, one file, one typed function.

Results go to stdout, everything about them to stderr. Exit codes: 0 all done, 1 some objects
failed, 2 usage, 3 bad input, 75 try again.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any, cast

import typer

from pellucid.cli.degrade import degrade
from pellucid.cli.demo import demo
from pellucid.cli.evaluate import evaluate
from pellucid.cli.fetch import fetch
from pellucid.cli.info import info
from pellucid.cli.models import models
from pellucid.cli.options import say
from pellucid.cli.pages import first_words, help_end, page_of
from pellucid.cli.pairs import PairsCommand, pairs
from pellucid.cli.pairs_observed import pairs_observed
from pellucid.cli.psf import psf
from pellucid.cli.restore import restore
from pellucid.cli.study import study
from pellucid.cli.train import train
from pellucid.cli.view import view
from pellucid.ending import ENDED, ended_as_told, ending_cleanly
from pellucid.errors import PellucidError, TemporaryError, UsageError
from pellucid.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Restore what the atmosphere and the detector took from galaxy images.",
    epilog=first_words(),
)
for verb in (
    restore,
    info,
    view,
    psf,
    degrade,
    pairs,
    pairs_observed,
    train,
    evaluate,
    models,
    demo,
):
    name = verb.__name__.replace("_", "-")
    app.command(name, cls=PairsCommand if verb is pairs else None, epilog=help_end(name))(verb)
app.add_typer(study, name="study")
app.add_typer(fetch, name="fetch")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"pellucid {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


#: What the parser of options raises; of its kinds but one has a public name.
_Misused = cast(type[Exception], typer.BadParameter.__mro__[2])
#: torch has no class of its own for what it cannot allocate, on a processor and on a GPU.
_NO_MEMORY = ("can't allocate memory", "out of memory")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code instead of leaving."""
    words = sys.argv[1:] if argv is None else argv
    try:
        with ended_as_told():
            left = app(args=words, prog_name="pellucid", obj=tuple(words), standalone_mode=False)
        return _ended(left)
    except SystemExit as left:
        return _ended(left.code)
    except _Misused as error:
        say_misuse(error, words)
        return UsageError.exit_code
    except PellucidError as error:
        page = page_of(error)
        say(f"{error} (more: docs/{page})" if page else str(error))
        return error.exit_code
    except OSError as error:
        # What no writer or reader foresaw, e.g. a disk that fills up under the log.
        where = f"{error.filename}: " if error.filename else ""
        say(f"{where}{error.strerror or error}")
        return TemporaryError.exit_code
    except MemoryError:
        say("not enough memory for this image")
        return TemporaryError.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _ended(130)
    except RuntimeError as error:
        if not any(words in str(error) for words in _NO_MEMORY):
            raise
        say("not enough memory to train so; a smaller batch or network needs less")
        return TemporaryError.exit_code


def _ended(code: object) -> int:
    """The exit code of what came to its end, or was told to."""
    if code in ENDED:
        say("interrupted; what was finished stays, nothing is half written")
    return code if isinstance(code, int) else int(code is not None)


def say_misuse(error: Any, words: Sequence[str]) -> None:
    """One line of what is wrong with the words that were typed, and of who knows better."""
    fault = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(fault, err=True)  # the help, or nothing where it stands there already
        return
    verb: Any = typer.main.get_command(app)
    path = ["pellucid"]
    for word in words:
        if word not in getattr(verb, "commands", ()):
            break
        verb = verb.commands[word]
        path.append(word)
    fault = " ".join(fault.split()).rstrip(".")
    say(f"{fault[:1].lower()}{fault[1:]} ({' '.join(path)} --help lists what there is)")


def run() -> None:
    """Entry point of the ``pellucid`` command."""
    # What numpy remarks about overflows says nothing that the one line of an error does not.
    warnings.simplefilter("ignore", RuntimeWarning)
    with ending_cleanly():
        sys.exit(main())
