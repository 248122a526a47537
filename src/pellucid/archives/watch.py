"""An end to answers that have none: each is given a time, from its first line to its last byte.

A time-out of the socket begins anew with each byte, so that a server that sends one a minute could
keep a client for ever.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool


class Watch:
    """Hangs up on an answer that takes longer than ``seconds``; ``over`` tells that it did."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.over = False
        self._timer: threading.Timer | None = None

    def begin(self, line: socket.socket) -> None:
        """An answer is waited for."""
        self.close()
        self.over = False
        self._timer = threading.Timer(self.seconds, self._hang_up, (line,))
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        """All of it is there."""
        if self._timer is not None:
            self._timer.cancel()

    def _hang_up(self, line: socket.socket) -> None:
        self.over = True
        with contextlib.suppress(OSError):  # it is closed already
            # Not that of an SSL socket, which takes the cipher from a thread that is reading.
            socket.socket.shutdown(line, socket.SHUT_RDWR)


class WatchedAdapter(HTTPAdapter):
    """Makes connections whose answers are watched."""

    def __init__(self, watch: Watch, **settings: Any) -> None:
        pools = (HTTPConnectionPool, HTTPSConnectionPool)
        self._pools = {str(pool.scheme): _watched(pool, watch) for pool in pools}
        super().__init__(**settings)

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        super().init_poolmanager(*arguments, **settings)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **settings)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _watched(pool: Any, watch: Watch) -> Any:
    """A class of pools as ``pool`` is, whose connections tell the watch."""

    class Connection(pool.ConnectionCls):
        def getresponse(self) -> Any:
            watch.begin(self.sock)
            response = super().getresponse()
            # Before it asks again it would read all of an error's page, which may have no end.
            response.drain_conn = response.close
            return response

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})
