"""An HTTP session that stays with its archive: no way elsewhere, no other certificates, no endless or late answers."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException, Timeout
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from ScarSegECGLib.errors import InputError

LARGEST_JSON = 16 * 2**20
LARGEST_ANSWER = 16 * 2**30  # as of an archive's files
LARGEST_OBJECT = 2**30
LONGEST_S = 300.0
"""A request and its answer altogether, and what is added for what they carry (:data:`SLOWEST`)."""
SLOWEST = 20_000
"""Bytes per second, on average; a time limit between two bytes alone is met by a byte a minute for ever."""
LONGEST_WAIT_S = 60.0
NOT_ACCEPTABLE, MISDIRECTED = 406, 421
BUSY = (429, 503, 504)
_DEFLATED = b"1.2.840.10008.1.2.1.99"  # the transfer syntax, which may unpack to anything
_PIECE = 2**16
_PORTS = {"https": 443, "http": 80}


class Watch(HTTPAdapter):
    """Connects a session, and cuts the connection of a request that takes too long, whatever it waits for.

    ``late`` says whether that has happened to the last request.
    """

    def __init__(self) -> None:
        super().__init__()
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

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Whatever comes of a connection that was cut is a time-out."""
        try:
            yield
        except (RequestException, OSError):
            if self.late:
                raise Timeout from None
            raise
        if self.late:
            raise Timeout

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

    def get_connection_with_tls_context(self, *arguments, **settings) -> HTTPConnectionPool:
        """The pool of connections, through a proxy too, each of which makes its socket known here."""
        pool = super().get_connection_with_tls_context(*arguments, **settings)
        watch = self

        class Watched(type(pool).ConnectionCls):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                watch._socket = self.sock

        pool.ConnectionCls = Watched
        return pool


class GuardedSession(requests.Session):
    """Follows a redirect only to the same host, port and scheme, and reads answers within bounds of size and time.

    An archive that is busy (429, 503, 504) is asked again when it says so, if that is soon. ``ca``: certificates (PEM)
    to trust instead of all others, those of the environment too.
    """

    def __init__(self, ca: Path | None = None) -> None:
        super().__init__()
        self._ca = None if ca is None else str(ca)
        self._watch = Watch()
        for scheme in _PORTS:
            self.mount(f"{scheme}://", self._watch)
        # What is packed may unpack to anything; the images' own compression is another matter. XML is not asked for.
        self.headers.update({"Accept-Encoding": "identity", "Accept": "application/dicom+json"})
        self.hooks["response"] += [_stay, self._bounded]
        self.max_redirects = 3

    def merge_environment_settings(self, url, proxies, stream, verify, cert):
        """Proxies of the environment; its certificates only where none were given."""
        settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
        # Asked for piece by piece, or too long an answer would be read whole before it is looked at.
        return settings | {"stream": True} | ({} if self._ca is None else {"verify": self._ca})

    def send(self, request: requests.PreparedRequest, **settings: object) -> requests.Response:
        """Send, and once more where a busy archive asks for it."""
        for wait in (1.0, 2.0, None):
            self._watch.start(int(request.headers.get("Content-Length") or 0))
            with self._watch.in_time():
                response = super().send(request, **settings)
            asked = retry_after_s(response)
            wait = wait if wait is None or asked is None else asked
            if response.status_code not in BUSY or wait is None or wait > LONGEST_WAIT_S:
                break
            response.close()
            self._watch.stop()
            sleep(wait)
        return response

    def _bounded(self, response: requests.Response, **_keys: object) -> None:
        """Let an answer be read only up to its kind's size, and be complete."""
        kind, _, rest = response.headers.get("Content-Type", "").partition(";")
        multipart = kind.lower().startswith("multipart")
        objects = multipart or kind.strip().lower() == "application/dicom"
        found = re.search(r'boundary="?([^";]+)', rest, re.IGNORECASE)
        marker = b"--" + found[1].strip().encode("latin-1", "replace") if found else b""
        pieces = response.iter_content

        def counted(chunk_size: int | None = 1, **_others: object) -> Iterator[bytes]:
            if multipart and response.ok and not marker:
                raise InputError(
                    "The archive's answer names no boundary, so where an object ends cannot be told: ask its "
                    "administrator."
                )
            overlap = max(len(marker) + 2, len(_DEFLATED)) - 1
            whole = part = 0
            tail = b""
            complete = False
            reading = pieces(min(chunk_size or _PIECE, _PIECE))
            while True:
                with self._watch.in_time():
                    piece = next(reading, b"")
                if not piece:
                    break
                self._watch.heard(len(piece))
                window = tail + piece
                begin = window.rfind(marker) if marker else -1
                complete = complete or bool(marker) and marker + b"--" in window
                whole += len(piece)
                part = len(window) - begin if begin >= 0 else part + len(piece)
                tail = window[-overlap:]
                if whole > LARGEST_ANSWER or part > (LARGEST_OBJECT if objects else LARGEST_JSON):
                    response.close()
                    raise InputError("The archive's answer is far larger than it can be: it was not read to its end.")
                if objects and _DEFLATED in window:
                    response.close()
                    raise InputError(
                        "The archive sends deflated DICOM objects, which are not read: ask its administrator."
                    )
                yield piece
            self._watch.stop()
            if multipart and response.ok and not complete:
                raise InputError("The archive's answer breaks off before its end: nothing of it was kept; try again.")

        response.iter_content = counted  # type: ignore[method-assign, assignment]


def retry_after_s(response: requests.Response) -> float | None:
    """Seconds that the answer's Retry-After names, as a number or a date; ``None`` where it names none."""
    try:
        return Retry().parse_retry_after(response.headers.get("Retry-After", "")[:40])
    except (InvalidHeader, ValueError, OverflowError):
        return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return parts.scheme, None, None


def _stay(response: requests.Response, **_keys: object) -> None:
    """Make an error of an answer that leads elsewhere, before it is followed, and of one that is packed or XML."""
    target = response.headers.get("Location")
    elsewhere = target is not None and _origin(urljoin(response.url, target)) != _origin(response.url)
    packed = response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.is_redirect and (elsewhere or "\\" in str(target)):
        response.status_code = MISDIRECTED
    elif response.ok and (packed or kind.endswith("xml")):
        response.status_code = NOT_ACCEPTABLE
