"""How long an archive may take: a limit on every request as a whole, and when it is asked again."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from time import monotonic

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

LONGEST_S = 300.0
"""A request and its answer altogether, and what is added for what they carry (:data:`SLOWEST`)."""
SLOWEST = 20_000
"""Bytes per second, on average; a time limit between two bytes alone is met by a byte a minute for ever."""
LONGEST_WAIT_S = 60.0


class Watch:
    """Cuts the connection of a request that takes too long, whatever it waits for.

    Attributes
    ----------
    late : bool
        Whether that has happened to the last request.
    """

    def __init__(self) -> None:
        self.late = False
        self._socket: socket.socket | None = None
        self._until = 0.0
        self._timer: threading.Timer | None = None

    def start(self, carried: int) -> None:
        """Begin the time of a request with so many bytes."""
        self.stop()
        self.late = False
        self._until = monotonic() + LONGEST_S + carried / SLOWEST
        self._arm()

    def heard(self, count: int) -> None:
        """Add the time of so many bytes of an answer."""
        self._until += count / SLOWEST

    def stop(self) -> None:
        """End the time: the answer is complete, or nobody waits for it any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        self._timer = threading.Timer(max(0.0, self._until - monotonic()), self._ring)
        self._timer.daemon = True
        self._timer.start()

    def _ring(self) -> None:
        if monotonic() < self._until:
            self._arm()
            return
        self.late = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def adapter(self) -> HTTPAdapter:
        """What connects a session so that this watch can cut the connection."""
        watch = self

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                watch._socket = self.sock

        class Encrypted(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                watch._socket = self.sock

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        class Adapter(HTTPAdapter):
            def init_poolmanager(self, *arguments: object, **settings: object) -> None:
                super().init_poolmanager(*arguments, **settings)  # type: ignore[arg-type]
                self.poolmanager.pool_classes_by_scheme = pools

            def proxy_manager_for(self, proxy: str, **settings: object):
                manager = super().proxy_manager_for(proxy, **settings)
                manager.pool_classes_by_scheme = pools
                return manager

        pools = {"http": PlainPool, "https": EncryptedPool}
        return Adapter()


def asked_to_wait_s(response: requests.Response) -> float | None:
    """Seconds that the answer's Retry-After names, as a number or a date; ``None`` where it names none."""
    said = response.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        then = parsedate_to_datetime(said)
    except (ValueError, TypeError, OverflowError):
        return None
    then = then if then.tzinfo else then.replace(tzinfo=timezone.utc)
    return max(0.0, (then - datetime.now(timezone.utc)).total_seconds())
