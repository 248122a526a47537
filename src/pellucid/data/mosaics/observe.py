"""Pairs from the mosaics of two telescopes, on as many cores as wanted, and what became of all."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from pellucid.data.mosaics.cutouts import CutRecipe, Source, cut_pair
from pellucid.data.mosaics.mosaic import Mosaic
from pellucid.data.observed import ObservedPair
from pellucid.data.rejection import Rejection
from pellucid.errors import PellucidError, TemporaryError, fault
from pellucid.workers import available_cores, end_with_parent

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

    Workers end with the process that started them, even where that was killed.

    Parameters
    ----------
    workers
        Processes; None takes one a core, as far as there is work for them. The result is the same.

    Raises
    ------
    TemporaryError
        When a worker is killed, e.g. for want of memory.
    """
    workers = min(workers or _cores(len(sources)), max(len(sources), 1))
    if workers == 1:
        for source in sources:
            yield _attempt(source, sharp, blurred, recipe)
        return
    # Forked children would inherit the parent's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    begin = (os.getpid(), sharp, blurred, recipe)
    pool = ProcessPoolExecutor(workers, context, _begin, begin)
    waiting: deque[Future[ObservedPair | Rejection]] = deque()
    try:
        for source in sources:
            waiting.append(pool.submit(_attempt_here, source))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise TemporaryError(
            "a worker was killed (out of memory?); nothing was written; --workers 1 needs less"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _attempt(
    source: Source, sharp: Mosaic, blurred: Mosaic, recipe: CutRecipe
) -> ObservedPair | Rejection:
    """One bad object does not stop the others, unless it is the machine's doing."""
    try:
        return cut_pair(source, sharp, blurred, recipe)
    except (TemporaryError, OSError, MemoryError):
        raise
    except PellucidError as error:
        return Rejection(source.id, str(error))
    except Exception as error:  # a fault of ours, or of a library: said, and the others go on
        return Rejection(source.id, fault(error))


#: What a worker process cuts from and how, told once when it begins.
_given: tuple[Mosaic, Mosaic, CutRecipe] | None = None


def _begin(parent: int, sharp: Mosaic, blurred: Mosaic, recipe: CutRecipe) -> None:
    global _given
    _given = (sharp, blurred, recipe)
    end_with_parent(parent)


def _attempt_here(source: Source) -> ObservedPair | Rejection:
    assert _given is not None
    return _attempt(source, *_given)


def _cores(objects: int) -> int:
    return min(available_cores(), 1 + objects // _WORTH_A_PROCESS)
