"""An HTTP session that stays with its archive: no way elsewhere, no other certificates, no endless answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from ScarSegECGLib.errors import InputError

LARGEST_JSON = 16 * 2**20
LARGEST_ANSWER = 16 * 2**30  # as of an archive's files
LARGEST_OBJECT = 2**30
_DEFLATED = b"1.2.840.10008.1.2.1.99"  # the transfer syntax, which may unpack to anything
NOT_ACCEPTABLE, MISDIRECTED = 406, 421
_PORTS = {"https": 443, "http": 80}


class GuardedSession(requests.Session):
    """Follows a redirect only to the same host, port and scheme, and reads answers within bounds.

    Parameters
    ----------
    ca : Path, optional
        Certificates (PEM) to trust instead of all others, those of the environment too.
    """

    def __init__(self, ca: Path | None = None) -> None:
        super().__init__()
        self._ca = None if ca is None else str(ca)
        # What is packed may unpack to anything; the images' own compression is another matter.
        self.headers["Accept-Encoding"] = "identity"
        self.hooks["response"] += [_stay, _bounded]
        self.max_redirects = 3

    def merge_environment_settings(self, url, proxies, stream, verify, cert):
        """Proxies of the environment; its certificates only where none were given."""
        settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
        # Asked for piece by piece, or too long an answer would be read whole once per attempt.
        return settings | {"stream": True} | ({} if self._ca is None else {"verify": self._ca})


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return parts.scheme, None, None


def _stay(response: requests.Response, **_keys: object) -> None:
    """Make an error of an answer that leads elsewhere, before it is followed, and of one that is packed."""
    target = response.headers.get("Location")
    elsewhere = target is not None and _origin(urljoin(response.url, target)) != _origin(response.url)
    if response.is_redirect and (elsewhere or "\\" in str(target)):
        response.status_code = MISDIRECTED
    elif response.ok and response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        response.status_code = NOT_ACCEPTABLE


def _bounded(response: requests.Response, **_keys: object) -> None:
    """Let an answer be read only up to its kind's size."""
    kind, _, rest = response.headers.get("Content-Type", "").lower().partition(";")
    objects = kind.startswith("multipart") or kind.strip() == "application/dicom"
    boundary = re.search(r'boundary="?([^";]+)', response.headers.get("Content-Type", "")) if rest else None
    pieces = response.iter_content

    def counted(chunk_size: int | None = 1, **_others: object) -> Iterator[bytes]:
        marker = b"--" + boundary.group(1).encode("latin-1", "replace") if boundary else b""
        overlap = max(len(marker), len(_DEFLATED)) - 1
        whole = part = 0
        tail = b""
        for piece in pieces(chunk_size):
            window = tail + piece
            begin = window.rfind(marker) if marker else -1
            whole += len(piece)
            part = len(window) - begin if begin >= 0 else part + len(piece)
            tail = window[-overlap:]
            if whole > LARGEST_ANSWER or part > (LARGEST_OBJECT if objects else LARGEST_JSON):
                response.close()
                raise InputError("The archive's answer is far larger than it can be: it was not read to its end.")
            if objects and _DEFLATED in window:
                response.close()
                raise InputError("The archive sends deflated DICOM objects, which are not read: ask its administrator.")
            yield piece

    response.iter_content = counted  # type: ignore[method-assign, assignment]
