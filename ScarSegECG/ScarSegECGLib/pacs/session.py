"""An HTTP session that stays with its archive: no way elsewhere, no other certificates, no endless answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from urllib.parse import urljoin, urlsplit

import requests
from requests.exceptions import RequestException, Timeout

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.pacs.patience import LONGEST_WAIT_S, Watch, asked_to_wait_s

LARGEST_JSON = 16 * 2**20
LARGEST_ANSWER = 16 * 2**30  # as of an archive's files
LARGEST_OBJECT = 2**30
_DEFLATED = b"1.2.840.10008.1.2.1.99"  # the transfer syntax, which may unpack to anything
NOT_ACCEPTABLE, MISDIRECTED = 406, 421
BUSY = (429, 503, 504)
_PIECE = 2**16
_INCOMPLETE = "The archive's answer breaks off before its end: nothing of it was kept; try again."
_PORTS = {"https": 443, "http": 80}


class GuardedSession(requests.Session):
    """Follows a redirect only to the same host, port and scheme, and reads answers within bounds of size and time.

    An archive that is busy (429, 503, 504) is asked again when it says so, if that is soon.

    Parameters
    ----------
    ca : Path, optional
        Certificates (PEM) to trust instead of all others, those of the environment too.
    """

    def __init__(self, ca: Path | None = None) -> None:
        super().__init__()
        self._ca = None if ca is None else str(ca)
        self._watch = Watch()
        for scheme in _PORTS:
            self.mount(f"{scheme}://", self._watch.adapter())
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
            with self._in_time():
                response = super().send(request, **settings)
            asked = asked_to_wait_s(response)
            wait = wait if wait is None or asked is None else asked
            if response.status_code not in BUSY or wait is None or wait > LONGEST_WAIT_S:
                return response
            response.close()
            self._watch.stop()
            sleep(wait)
        raise AssertionError("the last try returns")

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Whatever comes of a connection that was cut is a time-out."""
        try:
            yield
        except (RequestException, OSError):
            if self._watch.late:
                raise Timeout from None
            raise
        if self._watch.late:
            raise Timeout

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
                with self._in_time():
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
                raise InputError(_INCOMPLETE)

        response.iter_content = counted  # type: ignore[method-assign, assignment]


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
