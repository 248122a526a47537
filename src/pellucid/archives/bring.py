"""Objects brought one after the other: what became of each, and when an archive counts as gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pellucid.archives.http import ArchiveError, BrokenOffError, UnreachableError
from pellucid.errors import InputError

#: After so many groups in a row without an answer the archive counts as gone.
GONE = 5


class RejectedError(InputError):
    """The archive's data do not show the object as it is wanted: trying again cannot help."""


@dataclass(frozen=True)
class Fetched:
    """What became of an object, and why where it is not there."""

    id: str
    status: Literal["fetched", "present", "rejected", "failed"]
    reason: str = ""


def bring_each(groups: Iterable[Mapping[str, Callable[[], bool]]]) -> Iterator[Fetched]:
    """Bring objects, those that fail aside.

    Parameters
    ----------
    groups
        Of objects that are cut out of the same files, or of one: what brings each, by its id, and
        returns whether there was something to bring. The next group is asked for when the last
        has been dealt with.

    Raises
    ------
    UnreachableError
        When `GONE` groups in a row had no answer, or none had one.
    """
    silent, answered, reason = 0, False, ""
    for group in groups:
        if silent == GONE:
            break
        asked = unanswered = 0
        for id, bring in group.items():
            try:
                fetched = Fetched(id, "fetched" if bring() else "present")
            except RejectedError as error:
                fetched = Fetched(id, "rejected", str(error))
            except (ArchiveError, InputError) as error:
                fetched = Fetched(id, "failed", str(error))
                if isinstance(error, (UnreachableError, BrokenOffError)):
                    unanswered, reason = unanswered + 1, fetched.reason
            asked += fetched.status != "present"
            yield fetched
        if asked:
            silent = silent + 1 if unanswered == asked else 0
            answered |= unanswered < asked
    if reason and (silent == GONE or not answered):
        raise UnreachableError(reason)
