"""An archive that leads elsewhere, answers without end, or says things that are not for a terminal."""

from __future__ import annotations

import gzip
import json
import shutil
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keyring
import pytest
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from ScarSegECGLib.cli import main
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.pacs import archive, session
from ScarSegECGLib.pacs.archive import find_series, find_studies, pull, push
from ScarSegECGLib.pacs.connection import connect

NAME = "ZZMARK^NAME"
JSON = "application/dicom+json"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, archive or proxy of the machine that runs the tests."""
    for name in ("USER", "PASSWORD", "TOKEN", "URL", "CA"):
        monkeypatch.delenv(f"SCARSEGECG_PACS_{name}", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(keyring, "get_credential", lambda service, user: None)


class Seen(list):
    """Requests: method, path, headers, body. ``answer`` is status, headers, pieces of the body; ``at`` by path."""

    at: dict[str, tuple[int, dict[str, str], list[bytes]]] = {}
    answer: tuple[int, dict[str, str], list[bytes]] = (200, {"Content-Type": JSON}, [b"[]"])


@contextmanager
def server(tls: tuple[Path, Path] | None = None) -> Iterator[tuple[str, Seen]]:
    seen = Seen()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append((self.command, self.path, dict(self.headers), body))
            status, headers, pieces = seen.at.get(self.path, seen.answer)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for piece in pieces:
                    self.wfile.write(piece)
            except OSError:
                pass  # the other side has heard enough

        do_POST = do_GET

        def log_message(self, *arguments: object) -> None: ...

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{httpd.server_port}/dw", seen
    finally:
        httpd.shutdown()
        httpd.server_close()


def named_object() -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.PatientName, dataset.PatientID = NAME, "ZZMARKID"
    return dataset


@pytest.fixture
def named_file(tmp_path: Path) -> Path:
    dcmwrite(tmp_path / "x.dcm", named_object(), enforce_file_format=True)
    return tmp_path / "x.dcm"


# ---------------------------------------------------------------- led elsewhere


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_leads_to_another_place(certificate, named_file, status) -> None:
    with server(certificate) as (url, seen), server() as (elsewhere, stolen):
        seen.answer = (status, {"Location": f"{elsewhere}/studies", "Content-Length": "0"}, [])
        client = connect(url, certificate[0])
        with pytest.raises(InputError, match="another address"):
            push(client, [named_file])
        with pytest.raises(InputError, match="another address"):
            find_studies(client, {"PatientID": "ZZMARKID"}, 1)
        assert len(seen) == 2 and stolen == []


def test_no_redirect_leads_from_https_to_http_on_the_same_host(certificate) -> None:
    with server(certificate) as (url, seen):
        seen.answer = (307, {"Location": url.replace("https", "http"), "Content-Length": "0"}, [])
        with pytest.raises(InputError, match="another address"):
            find_studies(connect(url, certificate[0]), {}, 1)
        assert len(seen) == 1


def test_a_redirect_within_the_archive_is_followed() -> None:
    with server() as (url, seen):
        seen.at = {"/dw/here": seen.answer}
        seen.answer = (307, {"Location": "/dw/here", "Content-Length": "0"}, [])
        assert find_studies(connect(url), {}, 1) == ()
        assert len(seen) == 2


def test_nothing_that_is_not_encrypted_goes_through_a_proxy(monkeypatch, named_file) -> None:
    monkeypatch.setenv("SCARSEGECG_PACS_TOKEN", "ZZSECRET")
    with server() as (url, seen), server() as (proxy, stolen):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("all_proxy", proxy)
        find_studies(connect(url), {"PatientID": "ZZMARKID"}, 1)
        with pytest.raises(InputError):
            push(connect(url), [named_file])  # the answer says nothing
        assert len(seen) == 2 and stolen == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_given_certificate_counts_whatever_the_environment_says(
    certificate, tmp_path, monkeypatch, variable
) -> None:
    other = tmp_path / "other.pem"
    shutil.copy(requests_bundle(), other)
    monkeypatch.setenv(variable, str(other))
    with server(certificate) as (url, seen):
        assert find_studies(connect(url, certificate[0]), {}, 1) == ()
        monkeypatch.setenv(variable, str(certificate[0]))
        assert find_studies(connect(url), {}, 1) == ()  # the environment's, where none was given
        client = connect(url, other)
        client.set_http_retry_params(retry=False)
        with pytest.raises(InputError, match="certificate cannot be verified"):
            find_studies(client, {}, 1)
        assert len(seen) == 2


def requests_bundle() -> str:
    import certifi

    return certifi.where()


# ---------------------------------------------------------------- without end


def test_packed_answers_are_not_unpacked(at_most_mb) -> None:
    packed = gzip.compress(b"[" + b" " * 2**24 + b"]")
    with server() as (url, seen):
        seen.answer = (200, {"Content-Type": JSON, "Content-Encoding": "gzip"}, [packed])
        client = connect(url)
        with at_most_mb(5), pytest.raises(InputError, match="packs its answers"):
            find_studies(client, {}, 1)
        assert seen[0][2]["Accept-Encoding"] == "identity"


def test_an_endless_list_is_not_read_to_its_end(monkeypatch) -> None:
    monkeypatch.setattr(session, "LARGEST_JSON", 2**20)
    with server() as (url, seen):
        seen.answer = (200, {"Content-Type": JSON}, [b"[", *[b" " * 2**16] * 400])
        with pytest.raises(InputError, match="far larger"):
            find_series(connect(url), "1.2.3")


@pytest.mark.parametrize("kind", ['multipart/related; type="application/dicom"; boundary=abc', "multipart/related"])
def test_an_endless_object_is_not_read_to_its_end(monkeypatch, tmp_path, kind) -> None:
    monkeypatch.setattr(session, "LARGEST_OBJECT", 2**20)
    with server() as (url, seen):
        seen.answer = (200, {"Content-Type": kind}, [b"--abc\r\n\r\n", *[bytes(2**16)] * 400])
        with pytest.raises(InputError, match="far larger"):
            pull(connect(url), "1.2.3", [], tmp_path)


def multipart(*objects: Dataset) -> list[bytes]:
    from io import BytesIO

    pieces = []
    for dataset in objects:
        buffer = BytesIO()
        dcmwrite(buffer, dataset, enforce_file_format=True)
        pieces.append(b"\r\n--abc\r\nContent-Type: application/dicom\r\n\r\n" + buffer.getvalue())
    return [*pieces, b"\r\n--abc--"]


def of_study(study: str, count: int) -> list[Dataset]:
    objects = [named_object() for _ in range(count)]
    for dataset in objects:
        dataset.StudyInstanceUID = study
        dataset.PixelData = bytes(20_000)
        dataset.BitsAllocated = 8
    return objects


def test_many_objects_are_more_than_one_may_be(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(session, "LARGEST_OBJECT", 50_000)
    study = generate_uid()
    with server() as (url, seen):
        seen.answer = (200, {"Content-Type": "multipart/related; boundary=abc"}, multipart(*of_study(study, 8)))
        client = connect(url)
        client.set_chunk_size(7000)  # so that boundaries fall between pieces
        assert pull(client, study, [], tmp_path) == 8
        monkeypatch.setattr(archive, "MOST_OBJECTS", 7)
        with pytest.raises(InputError, match="over 7 images"):
            pull(client, study, [], tmp_path)


def test_deflated_objects_are_not_inflated(tmp_path) -> None:
    study = generate_uid()
    pieces = [p.replace(b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.1.99") for p in multipart(*of_study(study, 1))]
    with server() as (url, seen):
        seen.answer = (200, {"Content-Type": "multipart/related; boundary=abc"}, pieces)
        with pytest.raises(InputError, match="deflated"):
            pull(connect(url), study, [], tmp_path)


def test_no_more_is_listed_than_was_asked_for() -> None:
    many = [{"0020000D": {"vr": "UI", "Value": [f"1.2.{k}"]}} for k in range(500)]
    with server() as (url, seen):
        seen.answer = (200, {"Content-Type": JSON}, [json.dumps(many).encode()])
        assert len(find_studies(connect(url), {}, 50)) == 50


def test_a_tower_of_brackets_is_an_answer_in_words() -> None:
    with server() as (url, seen):
        seen.answer = (200, {"Content-Type": JSON}, [b"[" * 100_000])
        with pytest.raises(InputError):
            find_studies(connect(url), {}, 50)


# ---------------------------------------------------------------- what is shown


def test_what_the_archive_says_is_cleaned_before_it_is_shown(capsys) -> None:
    study = Dataset()
    study.StudyInstanceUID, study.StudyDate = "1.2.3", "20240101"
    study.PatientName, study.PatientID, study.PatientBirthDate = "Secret^Li", "ZZID7", "19500201"
    study.StudyDescription = "CMR SECRET Li 01.02.1950 ZZID7 \x1b]0;owned\x07\x1b[31m"
    answer = study.to_json_dict()
    answer["0020000D"]["Value"] = ["1.2.3\x1b[2J"]
    answer["00080020"]["Value"] = ["2024\x1b[2J"]
    answer["00080061"] = {"vr": "CS", "Value": ["MR\x1b[2J", "SEG"]}
    with server() as (url, seen):
        seen.answer = (200, {"Content-Type": JSON}, [json.dumps([answer]).encode()])
        assert main(["pacs", "find", "--url", url]) == 0
        hidden = capsys.readouterr().out
        assert main(["pacs", "find", "--url", url, "--show-patient"]) == 0
        shown = capsys.readouterr().out
    for text in (hidden, shown):
        assert all(c.isprintable() or c == "\n" for c in text), text
        assert "CMR" in text and "MR" in text
    for secret in ("secret", " li ", "1950", "zzid7"):
        assert secret not in hidden.lower()
    assert "Secret^Li" in shown and "19500201" in shown
