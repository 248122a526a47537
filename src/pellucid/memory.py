"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
import sys

#: glibc's name of the size from which on a block is the system's own, and that size in bytes.
MMAP_THRESHOLD, LARGE_BLOCK = -3, 8 * 2**20


def give_back() -> None:
    """Give back what the C library keeps of freed memory for the next time.

    glibc keeps freed blocks of up to 32 MB: where the planes of a large image come and go, hundreds
    of MB lie between those in use. Of other libraries nothing is known, and nothing is done.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def give_back_at_once() -> None:
    """From now on, give back blocks of 8 MB and more as soon as they are freed.

    For work that repeats itself in planes of such a size, in a library as well. glibc would raise
    its own limit to what was freed last, and leave hundreds of MB between blocks in use, more the
    longer it goes on; fetching them anew takes a tenth of the time.
    """
    if sys.platform == "linux":
        option = getattr(ctypes.CDLL(None), "mallopt", None)
        if option is not None:
            option(MMAP_THRESHOLD, LARGE_BLOCK)
