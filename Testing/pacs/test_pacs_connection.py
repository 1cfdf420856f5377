"""Addresses, certificates, credentials and failures, against a small server on this machine."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import keyring
import pytest
from keyring.credentials import SimpleCredential
from keyring.errors import NoKeyringError

from ScarSegECGLib.cli import main
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.pacs.archive import find_studies
from ScarSegECGLib.pacs.connection import connect, credentials, in_words

SECRET = "ZZSECRETWORD"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, archive or proxy of the machine that runs the tests."""
    for name in ("USER", "PASSWORD", "TOKEN", "URL", "CA"):
        monkeypatch.delenv(f"SCARSEGECG_PACS_{name}", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(keyring, "get_credential", lambda service, user: None)


@contextmanager
def server(
    status: int = 200, tls: tuple[Path, Path] | None = None, answer: bytes = b"[]"
) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """An archive that answers every request alike; yields its address and the headers it was sent."""
    seen: list[dict[str, str]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(dict(self.headers))
            self.send_response(status)
            body = answer if status == 200 else b"ZZBODY of an error"
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None: ...

    httpd = HTTPServer(("127.0.0.1", 0), Answer)
    scheme = "http"
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        scheme = "https"
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{scheme}://127.0.0.1:{httpd.server_port}/dicom-web", seen
    finally:
        httpd.shutdown()
        httpd.server_close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://pacs.example.org/dicom-web", "not encrypted"),
        ("http://10.0.0.5:8042/dicom-web", "not encrypted"),
        ("https://me:ZZSECRETWORD@pacs.example.org/dicom-web", "leave user, password and query out"),
        ("https://pacs.example.org/dicom-web?token=ZZSECRETWORD", "leave user, password and query out"),
        ("ftp://pacs.example.org", "not a web address"),
        ("pacs.example.org", "not a web address"),
        ("https://pacs.example.org:port/dicom-web", "not a web address"),
        ("https://", "not a web address"),
    ],
)
def test_addresses_that_are_refused(url, words) -> None:
    with pytest.raises(InputError, match=words) as error:
        connect(url)
    assert SECRET not in str(error.value)


def test_an_unknown_certificate_is_refused(certificate) -> None:
    with server(tls=certificate) as (url, seen), pytest.raises(InputError, match="certificate cannot be verified"):
        find_studies(connect(url), {}, 1)
    assert seen == []


def test_a_known_certificate_is_trusted(certificate) -> None:
    with server(tls=certificate) as (url, seen):
        assert find_studies(connect(url, certificate[0]), {}, 1) == ()
    assert len(seen) == 1


def test_a_missing_certificate_file_is_said(tmp_path) -> None:
    with pytest.raises(InputError, match="--ca"):
        connect("https://127.0.0.1/dicom-web", tmp_path / "none.pem")


@pytest.mark.parametrize(("status", "words"), [(401, "who you are"), (403, "does not allow"), (404, "nothing there"),
                                               (500, "answered with an error \\(500\\)")])  # fmt: skip
def test_answers_in_words(status, words, monkeypatch) -> None:
    monkeypatch.setenv("SCARSEGECG_PACS_TOKEN", SECRET)
    with server(status) as (url, _), pytest.raises(InputError, match=words) as error:
        find_studies(connect(url), {"PatientID": "ZZPATIENT"}, 1)
    for hidden in (SECRET, "ZZPATIENT", "ZZBODY", url):
        assert hidden not in str(error.value)


@pytest.mark.parametrize("answer", [b"<html>", b'{"a": 1}', b'[{"00100020": 7}]', b"[[]]"])
def test_answers_that_are_no_answers(answer) -> None:
    with server(answer=answer) as (url, _), pytest.raises(InputError):
        find_studies(connect(url), {}, 1)


def test_an_archive_that_is_not_there(capsys) -> None:
    with server() as (url, _):
        pass
    assert main(["pacs", "find", "--url", url, "--patient-id", "ZZPATIENT"]) == 2
    printed = capsys.readouterr()
    assert "cannot be reached" in printed.err
    assert "ZZPATIENT" not in printed.out + printed.err
    assert "Traceback" not in printed.err


def test_no_archive_named(capsys) -> None:
    assert main(["pacs", "find"]) == 2
    assert "SCARSEGECG_PACS_URL" in capsys.readouterr().err


def test_user_and_password_of_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("SCARSEGECG_PACS_USER", "reader")
    with pytest.raises(InputError, match="Only one of"):
        connect("https://pacs.example.org")
    monkeypatch.setenv("SCARSEGECG_PACS_PASSWORD", SECRET)
    with server() as (url, seen):
        find_studies(connect(url), {}, 1)
    assert seen[0]["Authorization"] == "Basic " + base64.b64encode(f"reader:{SECRET}".encode()).decode()


def test_the_token_comes_first(monkeypatch) -> None:
    monkeypatch.setenv("SCARSEGECG_PACS_USER", "reader")
    monkeypatch.setenv("SCARSEGECG_PACS_PASSWORD", "other")
    monkeypatch.setenv("SCARSEGECG_PACS_TOKEN", SECRET)
    with server() as (url, seen):
        find_studies(connect(url), {}, 1)
    assert seen[0]["Authorization"] == f"Bearer {SECRET}"
    assert SECRET not in repr(credentials("https://pacs.example.org"))


def test_the_keyring_is_asked_for_the_host(monkeypatch) -> None:
    asked = []

    def get(service: str, user: str | None) -> SimpleCredential:
        asked.append(service)
        return SimpleCredential("reader", SECRET)

    monkeypatch.setattr(keyring, "get_credential", get)
    with server() as (url, seen):
        find_studies(connect(url), {}, 1)
    assert asked == [url.split("/")[2]]
    assert seen[0]["Authorization"].startswith("Basic ")


def test_no_keyring_is_no_fault(monkeypatch) -> None:
    def get(service: str, user: str | None) -> None:
        raise NoKeyringError

    monkeypatch.setattr(keyring, "get_credential", get)
    assert credentials("https://pacs.example.org") is None
    with server() as (url, seen):
        find_studies(connect(url), {}, 1)
    assert "Authorization" not in seen[0]


def test_there_is_no_option_for_a_password() -> None:
    with pytest.raises(SystemExit):
        main(["pacs", "find", "--url", "https://pacs.example.org", "--password", SECRET])


def test_libraries_log_nothing(caplog, monkeypatch) -> None:
    caplog.set_level("DEBUG")
    with server() as (url, _), in_words():
        find_studies(connect(url), {"PatientName": "ZZPATIENT"}, 1)
    assert "ZZPATIENT" not in caplog.text
