"""A connection that stays with its archive: no way elsewhere, no endless or late answers; its failures in words."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from email.message import Message
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urljoin, urlsplit

import keyring
import requests
from dicomweb_client import DICOMwebClient
from keyring.errors import KeyringError
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.exceptions import ChunkedEncodingError, HTTPError, JSONDecodeError, RequestException, SSLError, Timeout
from requests.exceptions import ConnectionError as NoConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.dicom_files import quiet

USER, PASSWORD, TOKEN = "SCARSEGECG_PACS_USER", "SCARSEGECG_PACS_PASSWORD", "SCARSEGECG_PACS_TOKEN"
LARGEST_JSON = 16 * 2**20
LARGEST_ANSWER = 16 * 2**30  # as of an archive's files
LARGEST_OBJECT = 2**30
LONGEST_S = 300.0  # a request and its answer altogether, and what is added for what they carry (SLOWEST)
SLOWEST = 20_000  # bytes per second on average; a limit between two bytes alone is met by a byte a minute for ever
LONGEST_WAIT_S = 60.0
_CONNECT_S, _READ_S = 10.0, 120.0
_DEFLATED = b"1.2.840.10008.1.2.1.99"  # the transfer syntax, which may unpack to anything
_PIECE = 2**16
_BUSY, _NOT_ACCEPTABLE, _MISDIRECTED = (429, 503, 504), 406, 421
_NOT_UNDERSTOOD = "The archive's answer cannot be understood: check that the address is DICOMweb's."
_TOO_LARGE = "The archive's answer is far larger than it can be: it was not read to its end."
_IS_DEFLATED = "The archive sends deflated DICOM objects, which are not read: ask its administrator."
_BREAKS_OFF = "The archive's answer breaks off before its end: nothing of it was kept; try again."
_OF_THE_WAY = {
    SSLError: "The archive's certificate cannot be verified: give it with --ca, or ask the archive's administrator.",
    Timeout: "The archive does not answer in time: try again, or ask its administrator.",
    ChunkedEncodingError: _BREAKS_OFF,
    NoConnection: "The archive cannot be reached: check the address and the network.",
    JSONDecodeError: _NOT_UNDERSTOOD,
}
_OF_THE_ANSWER = {
    401: f"The archive wants to know who you are (401): set {USER} and {PASSWORD}, or use the keyring.",
    403: "The archive does not allow this (403): ask for the permission, or use another account.",
    404: "The archive holds nothing there (404): check the address and the study's UID.",
    _NOT_ACCEPTABLE: "The archive packs its answers, or cannot give them as asked for (406): ask its administrator.",
    _MISDIRECTED: "The archive leads to another address, which was not followed: ask its administrator.",
}


def connect(url: str, ca: Path | None = None) -> DICOMwebClient:
    """A client for the archive whose DICOMweb services have ``url`` as their root; the certificate is always verified.

    ``ca``: certificates (PEM) to trust instead of the system's, where the archive's is of the hospital's own.
    InputError as :func:`check_address` and :func:`credentials`, or the certificates were not found.
    """
    encrypted = check_address(url)
    if ca is not None and not ca.is_file():
        raise InputError("The file with the archive's certificates was not found: check --ca.")
    session = GuardedSession(ca)
    session.auth = credentials(url)
    session.trust_env = encrypted  # nothing that is not encrypted goes through a proxy
    client = DICOMwebClient(url.rstrip("/"), session=session, timeout=(_CONNECT_S, _READ_S), permissive_uid=False)
    client.set_http_retry_params(retry=False)  # the session's own heeds Retry-After
    client.set_chunk_size(LARGEST_OBJECT)  # what is sent has a length; what comes is read in smaller pieces
    return client


def check_address(url: str) -> bool:
    """Whether the archive's address is encrypted; InputError where it should be, is none, or holds more than one."""
    try:
        parts = urlsplit(url)
        of_the_web = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        of_the_web = False
    if not of_the_web:
        raise InputError("The archive's address is not a web address: give the root of DICOMweb, https://...")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InputError(
            f"The archive's address holds more than that: leave user, password and query out ({USER}, {PASSWORD})."
        )
    if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise InputError("The archive's address is not encrypted: use https (http is for this very machine only).")
    return parts.scheme == "https"


def _is_this_machine(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def credentials(url: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest] | None:
    """What signs a request, by the first that is there: a token or user and password in the environment, the keyring.

    Never from the command line; ``None`` where there is nothing. The keyring's entry has the archive's host (with its
    port, if any) as its service: ``keyring set HOST USER``. InputError: only one of user and password.
    """
    token, user, password = (os.environ.get(name, "") for name in (TOKEN, USER, PASSWORD))
    if token:

        def bearer(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = f"Bearer {token}"  # requests drops it when it is sent elsewhere
            return request

        return bearer
    if bool(user) != bool(password):
        raise InputError(f"Only one of {USER} and {PASSWORD} is set: set both, or neither.")
    if not user:
        with suppress(KeyringError, RuntimeError, OSError):  # a machine without a keyring is no fault
            if found := keyring.get_credential(urlsplit(url).netloc, None):
                user, password = found.username, found.password
    return HTTPBasicAuth(user.encode(), password.encode()) if user else None


@contextmanager
def in_words() -> Iterator[None]:
    """Turn what goes wrong on the way into one line without address, UID or credentials, and keep libraries quiet.

    The one place for whatever the libraries of HTTP, JSON and DICOM raise; the user's own disk is touched outside it.
    """
    try:
        with quiet("dicomweb_client", "urllib3", "requests", "keyring"):
            yield
    except InputError:
        raise
    except RequestException as error:
        raise InputError(_told(error)) from None
    except Exception:  # the answer is somebody else's: a parser may raise anything on it, OSError too
        raise InputError(_NOT_UNDERSTOOD) from None


def _told(error: RequestException) -> str:
    for kind, text in _OF_THE_WAY.items():
        if isinstance(error, kind):
            return text
    if not isinstance(error, HTTPError) or error.response is None:
        return f"The archive could not be asked ({type(error).__name__}): check the address."
    status = error.response.status_code
    if status in _BUSY:
        wait = retry_after_s(error.response)
        return f"The archive is busy ({status}): try again {'later' if wait is None else f'in {wait:.0f} s'}."
    other = f"The archive answered with an error ({status}): try again later, or ask its administrator."
    return _OF_THE_ANSWER.get(status, other)


def retry_after_s(response: requests.Response) -> float | None:
    """Seconds that the answer's Retry-After names, as a number or a date; ``None`` where it names none."""
    try:
        return Retry().parse_retry_after(response.headers.get("Retry-After", "")[:40])
    except (InvalidHeader, ValueError, OverflowError):
        return None


class Time:
    """How long a request and its answer may take: a while, and what is added for the bytes that they carry."""

    def __init__(self, carried: int) -> None:
        self._until = monotonic() + LONGEST_S
        self.add(carried)

    def add(self, carried: int) -> None:
        """Allow for so many bytes more."""
        self._until += carried / SLOWEST

    def limit(self, act: Callable[[], Any], cut_off: Callable[[], None] = lambda: None) -> Any:
        """What comes of a call; Timeout where it takes too long, whatever it waits for, and ``cut_off`` ends it."""
        done: Future = Future()

        def run() -> None:
            try:
                done.set_result(act())
            except BaseException as error:  # whatever it is, the caller's thread raises it
                done.set_exception(error)

        threading.Thread(target=run, daemon=True).start()  # nobody waits for it at the end of the program
        try:
            return done.result(max(0.0, self._until - monotonic()))
        except TimeoutError:
            with suppress(OSError, RuntimeError, ValueError):  # it may be over by now
                cut_off()
            raise Timeout from None


class Line(HTTPAdapter):
    """Connects a session, and can cut off the request whose answer has not begun, or its thread would wait for ever."""

    def get_connection_with_tls_context(self, *arguments, **settings) -> HTTPConnectionPool:
        """The pool of connections, through a proxy too; which one is taken from it is kept."""
        pool = super().get_connection_with_tls_context(*arguments, **settings)

        def take(timeout: float | None = None) -> Any:
            self._taken = type(pool)._get_conn(pool, timeout)
            return self._taken

        pool._get_conn = take  # type: ignore[method-assign]
        return pool

    def cut_off(self) -> None:
        """End the request that is under way; nothing happens where none is connected."""
        if (line := getattr(getattr(self, "_taken", None), "sock", None)) is not None:
            line.shutdown(socket.SHUT_RDWR)


class GuardedSession(requests.Session):
    """Follows a redirect only within its archive, and reads answers within bounds of size and time.

    A busy archive is asked again when it says so, if that is soon. ``ca``: certificates (PEM) to trust, and no others.
    """

    def __init__(self, ca: Path | None = None) -> None:
        super().__init__()
        self._ca, self._line = ca, Line()
        self.mount("https://", self._line)
        self.mount("http://", self._line)
        # What is packed may unpack to anything; the images' own compression is another matter. XML is not asked for.
        self.headers.update({"Accept-Encoding": "identity", "Accept": "application/dicom+json"})
        self.hooks["response"].append(self._bounded)
        self.max_redirects = 3

    def merge_environment_settings(self, url, proxies, stream, verify, cert):
        """Proxies of the environment; its certificates only where none were given."""
        settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
        # Asked for piece by piece, or too long an answer would be read whole before it is looked at.
        return settings | {"stream": True} | ({} if self._ca is None else {"verify": str(self._ca)})

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where an answer leads within the archive; one that leads elsewhere becomes an error."""
        target = super().get_redirect_target(resp)
        if target is None or not ("\\" in target or self.should_strip_auth(resp.url, urljoin(resp.url, target))):
            return target
        resp.status_code = _MISDIRECTED
        return None

    def send(self, request: requests.PreparedRequest, **settings: object) -> requests.Response:
        """Send, and once more where a busy archive asks for it."""
        for wait in (1.0, 2.0, None):
            self._time = Time(int(request.headers.get("Content-Length") or 0))
            response = self._time.limit(partial(super().send, request, **settings), self._line.cut_off)
            asked = retry_after_s(response)
            wait = wait if wait is None or asked is None else asked
            if response.status_code not in _BUSY or wait is None or wait > LONGEST_WAIT_S:
                break
            response.close()
            sleep(wait)
        return response

    def _bounded(self, response: requests.Response, **_keys: object) -> None:
        """Let an answer be read only up to its kind's size, and be complete; one that is packed or XML is an error."""
        said = Message()
        said["Content-Type"] = response.headers.get("Content-Type", "")
        kind = said.get_content_type()
        packed = response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity")
        if response.ok and (packed or kind.endswith("xml")):
            response.status_code = _NOT_ACCEPTABLE
        in_parts = response.ok and said.get_content_maintype() == "multipart"
        objects = in_parts or kind == "application/dicom"
        boundary = (said.get_boundary() or "") if in_parts else ""
        marker = b"--" + boundary.encode("latin-1", "replace")
        pieces, time = response.iter_content, self._time

        def counted(chunk_size: int | None = 1, **_others: object) -> Iterator[bytes]:
            if in_parts and not boundary:
                raise InputError("The archive's answer names no boundary of its objects: ask its administrator.")
            whole = part = 0
            window, complete = b"", not in_parts
            reading = pieces(min(chunk_size or _PIECE, _PIECE))
            while piece := time.limit(partial(next, reading, b""), response.raw.shutdown):
                time.add(len(piece))
                window = window[1 - max(len(marker) + 2, len(_DEFLATED)) :] + piece
                begin = window.rfind(marker) if boundary else -1
                complete = complete or marker + b"--" in window
                whole += len(piece)
                part = len(window) - begin if begin >= 0 else part + len(piece)
                if whole > LARGEST_ANSWER or part > (LARGEST_OBJECT if objects else LARGEST_JSON):
                    response.close()
                    raise InputError(_TOO_LARGE)
                if objects and _DEFLATED in window:
                    response.close()
                    raise InputError(_IS_DEFLATED)
                yield piece
            if not complete:
                raise InputError(_BREAKS_OFF)

        response.iter_content = counted  # type: ignore[method-assign, assignment]
