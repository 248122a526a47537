"""What can go wrong, each with the exit code that tells a script what to do next.

An error's text is one line: which file, what is wrong with it, what would work.
"""


class PellucidError(Exception):
    """Something pellucid refuses; ``exit_code`` is what the command line returns."""

    exit_code = 1


class UsageError(PellucidError):
    """The request itself is wrong: mend the command."""

    exit_code = 2


class InputError(PellucidError):
    """The input is bad: trying again cannot help."""

    exit_code = 3


class TemporaryError(PellucidError):
    """The machine is in the way (full disk, read-only folder): try again once it is not."""

    exit_code = 75
