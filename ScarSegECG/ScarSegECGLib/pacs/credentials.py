"""Who one is to the archive: from the environment or the system's keyring, never from the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import keyring
from keyring.errors import KeyringError
from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth

from ScarSegECGLib.errors import InputError

USER, PASSWORD, TOKEN = "SCARSEGECG_PACS_USER", "SCARSEGECG_PACS_PASSWORD", "SCARSEGECG_PACS_TOKEN"


@dataclass(frozen=True)
class BearerToken(AuthBase):
    """A token that goes with every request to the archive; requests drops it when it is sent elsewhere."""

    token: str = field(repr=False)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def credentials(url: str) -> AuthBase | None:
    """The first that is there: a token or user and password in the environment, then the keyring; else ``None``.

    The keyring's entry has the archive's host (with its port, if any) as its service: ``keyring set HOST USER``.

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
