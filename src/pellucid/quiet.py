"""Silence for what other libraries remark, in a process that is somebody else's, too."""

from __future__ import annotations

import logging
import threading
import warnings
from contextlib import AbstractContextManager

#: tifffile tells of what it then raises as errors, too.
_SILENT = logging.ERROR, logging.CRITICAL


class _Quiet:
    """Warnings and the loggers of astropy and tifffile, silent while any thread wants them to be.

    They are the process's, not a thread's: the first that wants it silences them, and the last
    brings them back as they were.
    """

    def __init__(self) -> None:
        self._lock, self._count = threading.Lock(), 0

    def __enter__(self) -> None:
        from astropy import log  # by astropy itself, which makes it of a kind of its own

        self._loggers = log, logging.getLogger("tifffile")
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                warnings.simplefilter("ignore")
                self._levels = [logger.level for logger in self._loggers]
                for logger, level in zip(self._loggers, _SILENT, strict=True):
                    logger.setLevel(level)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                for logger, level in zip(self._loggers, self._levels, strict=True):
                    logger.setLevel(level)
                self._before.__exit__(None, None, None)


_QUIET = _Quiet()


def quiet() -> AbstractContextManager[None]:
    """Keep what is warned of within from the user, such as astropy's remarks about headers.

    Python's own way, `warnings.catch_warnings`, leaves filters behind where threads overlap.
    """
    return _QUIET
