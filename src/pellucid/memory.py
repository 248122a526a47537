"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Give back what the C library keeps of freed memory for the next time.

    glibc keeps freed blocks of up to 32 MB: where the planes of a large image come and go, hundreds
    of MB lie between those in use. Of other libraries nothing is known, and nothing is done.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
