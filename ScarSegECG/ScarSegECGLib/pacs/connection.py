"""A connection to an archive, who one is to it, and its failures in words."""

from __future__ import annotations

import ipaddress
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import keyring
from dicomweb_client import DICOMwebClient
from keyring.errors import KeyringError
from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth
from requests.exceptions import ChunkedEncodingError, HTTPError, JSONDecodeError, RequestException, SSLError, Timeout
from requests.exceptions import ConnectionError as NoConnection

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.pacs.session import BUSY, LARGEST_OBJECT, MISDIRECTED, NOT_ACCEPTABLE, GuardedSession, retry_after_s

USER, PASSWORD, TOKEN = "SCARSEGECG_PACS_USER", "SCARSEGECG_PACS_PASSWORD", "SCARSEGECG_PACS_TOKEN"
_CONNECT_S, _READ_S = 10.0, 120.0
_TALKERS = ("dicomweb_client", "urllib3", "requests", "keyring", "pydicom")
_NOT_UNDERSTOOD = "The archive's answer cannot be understood: check that the address is DICOMweb's."
_OF_THE_WAY = {
    SSLError: "The archive's certificate cannot be verified: give its certificates with --ca, or ask its "
    "administrator.",
    Timeout: "The archive does not answer in time: try again, or ask its administrator.",
    ChunkedEncodingError: "The archive's answer breaks off before its end: nothing of it was kept; try again.",
    NoConnection: "The archive cannot be reached: check the address and the network.",
    JSONDecodeError: _NOT_UNDERSTOOD,
}
_OF_THE_ANSWER = {
    400: "The archive did not understand the request (400): check the values that were given.",
    401: f"The archive wants to know who you are (401): set {USER} and {PASSWORD}, or use the keyring.",
    403: "The archive does not allow this (403): ask for the permission, or use another account.",
    404: "The archive holds nothing there (404): check the address and the study's UID.",
    NOT_ACCEPTABLE: "The archive packs its answers, or cannot give them in the way that was asked for (406): ask its "
    "administrator.",
    409: "The archive refused some of the objects (409): its own log says which and why.",
    413: "The archive refused objects of this size (413): ask its administrator.",
    MISDIRECTED: "The archive sends requests to another address, which was not followed: ask its administrator for the "
    "right one.",
}


def connect(url: str, ca: Path | None = None) -> DICOMwebClient:
    """A client for the archive whose DICOMweb services have ``url`` as their root; the certificate is always verified.

    ``ca``: certificates (PEM) to trust instead of the system's, where the archive's is of the hospital's own.

    Raises
    ------
    InputError
        As :func:`check_address` and :func:`credentials`, or the certificates were not found.
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
    """Whether the archive's address is encrypted; where it is not, it must be this very machine's.

    Raises
    ------
    InputError
        An address that is none, carries credentials or is not encrypted.
    """
    try:
        parts = urlsplit(url)
        of_the_web = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        of_the_web = False
    if not of_the_web:
        raise InputError("The archive's address is not a web address: give the root of DICOMweb, https://...")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InputError(
            "The archive's address holds more than an address: leave user, password and query out (the README says "
            "where credentials go)."
        )
    if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise InputError("The archive's address is not encrypted: use https (http is for this very machine only).")
    return parts.scheme == "https"


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class BearerToken(AuthBase):
    """A token that goes with every request to the archive; requests drops it when it is sent elsewhere."""

    token: str = field(repr=False)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def credentials(url: str) -> AuthBase | None:
    """The first that is there: a token or user and password in the environment, then the keyring; else ``None``.

    Never from the command line. The keyring's entry has the archive's host (with its port, if any) as its service:
    ``keyring set HOST USER``.

    Raises
    ------
    InputError
        A user without a password, or the other way round.
    """
    token, user, password = (os.environ.get(name, "") for name in (TOKEN, USER, PASSWORD))
    if token:
        return BearerToken(token)
    if user or password:
        if not (user and password):
            raise InputError(f"Only one of {USER} and {PASSWORD} is set: set both, or neither.")
        return HTTPBasicAuth(user.encode(), password.encode())
    try:
        found = keyring.get_credential(urlsplit(url).netloc, None)
    except (KeyringError, RuntimeError, OSError):  # a machine without a keyring is no fault
        return None
    return HTTPBasicAuth(found.username.encode(), found.password.encode()) if found else None


@contextmanager
def in_words() -> Iterator[None]:
    """Turn what goes wrong on the way into one line without address, UID or credentials, and keep libraries quiet.

    The one place for whatever the libraries of HTTP, JSON and DICOM raise; the user's own disk is touched outside it.
    """
    loggers = [logging.getLogger(name) for name in _TALKERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except RequestException as error:
        raise InputError(_told(error)) from None
    except Exception:  # the answer is somebody else's: a parser may raise anything on it, OSError too
        raise InputError(_NOT_UNDERSTOOD) from None
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _told(error: RequestException) -> str:
    """What became of a request."""
    for kind, text in _OF_THE_WAY.items():
        if isinstance(error, kind):
            return text
    if not isinstance(error, HTTPError) or error.response is None:
        return f"The archive could not be asked ({type(error).__name__}): check the address."
    status = error.response.status_code
    if status in BUSY:
        wait = retry_after_s(error.response)
        return f"The archive is busy ({status}): try again {'later' if wait is None else f'in {wait:.0f} s'}."
    return _OF_THE_ANSWER.get(status, f"The archive answered with an error ({status}): try again later.")
