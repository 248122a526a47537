"""Pairs from the mosaics of two telescopes, on as many cores as wanted, and what became of all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from pellucid.data.mosaics.cutouts import CutRecipe, Source, cut_pair
from pellucid.data.mosaics.mosaic import Mosaic
from pellucid.data.observed import ObservedPair
from pellucid.data.rejection import Rejection
from pellucid.errors import reason_of
from pellucid.workers import available_cores, processes

#: A process of its own pays from so many objects on.
_WORTH_A_PROCESS = 25
#: Results that wait for those before them, a worker: more would only fill the memory.
_AHEAD = 8


def observe(
    sources: Sequence[Source],
    sharp: Mosaic,
    blurred: Mosaic,
    recipe: CutRecipe,
    workers: int | None = None,
) -> Iterator[ObservedPair | Rejection]:
    """The pair of each source, or why there is none, in the order of the sources.

    Parameters
    ----------
    workers
        Processes; None takes one a core, as far as there is work for them. The result is the same.
    """
    worthy = min(available_cores(), 1 + len(sources) // _WORTH_A_PROCESS)
    workers = min(workers or worthy, max(len(sources), 1))
    if workers == 1:
        for source in sources:
            yield _attempt(source, sharp, blurred, recipe)
        return
    waiting: deque[Future[ObservedPair | Rejection]] = deque()
    advice = "nothing was written; --workers 1 needs less"
    with processes(workers, advice, _begin, sharp, blurred, recipe) as pool:
        for source in sources:
            waiting.append(pool.submit(_attempt_here, source))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _attempt(
    source: Source, sharp: Mosaic, blurred: Mosaic, recipe: CutRecipe
) -> ObservedPair | Rejection:
    try:
        return cut_pair(source, sharp, blurred, recipe)
    except Exception as error:  # of whatever kind: said, and the others go on
        return Rejection(source.id, reason_of(error))


#: What a worker process cuts from and how, told once when it begins.
_given: tuple[Mosaic, Mosaic, CutRecipe] | None = None


def _begin(sharp: Mosaic, blurred: Mosaic, recipe: CutRecipe) -> None:
    global _given
    _given = (sharp, blurred, recipe)


def _attempt_here(source: Source) -> ObservedPair | Rejection:
    assert _given is not None
    return _attempt(source, *_given)
