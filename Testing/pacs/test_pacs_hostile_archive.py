"""An archive that leads elsewhere, answers without end, or says things that are not for a terminal."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keyring
import pytest
import requests
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from ScarSegECGLib.cli import main
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.pacs import archive, connection
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

    answer: tuple[int, dict[str, str], Iterable[bytes]] = (200, {"Content-Type": JSON}, [b"[]"])

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, tuple[int, dict[str, str], Iterable[bytes]]] = {}

    def announce(self, study: str, **counts: int) -> None:
        """Let the archive say that the study has so many objects in each series."""
        answer = [
            {"0020000E": {"vr": "UI", "Value": [uid]}, "00201209": {"vr": "IS", "Value": [count]}}
            for uid, count in counts.items()
        ]
        self.at[f"/dw/studies/{study}/series"] = (200, {"Content-Type": JSON}, [json.dumps(answer).encode()])


@contextmanager
def server(tls: tuple[Path, Path] | None = None) -> Iterator[tuple[str, Seen]]:
    seen = Seen()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append((self.command, self.path, dict(self.headers), body))
            status, headers, pieces = seen.at.get(self.path.partition("?")[0], seen.answer)
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
    monkeypatch.setattr(connection, "LARGEST_JSON", 2**20)
    with server() as (url, seen):
        seen.answer = (200, {"Content-Type": JSON}, [b"[", *[b" " * 2**16] * 400])
        with pytest.raises(InputError, match="far larger"):
            find_series(connect(url), "1.2.3")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ('multipart/related; type="application/dicom"; boundary=abc', "far larger"),
        ("multipart/related", "names no boundary"),
        ("application/dicom", "far larger"),
    ],
)
def test_an_endless_object_is_not_read_to_its_end(monkeypatch, tmp_path, kind, says) -> None:
    monkeypatch.setattr(connection, "LARGEST_OBJECT", 2**20)
    with server() as (url, seen):
        seen.announce("1.2.3", **{"1.2.4": 1})
        seen.answer = (200, {"Content-Type": kind}, [b"--abc\r\n\r\n", *[bytes(2**16)] * 400])
        with pytest.raises(InputError, match=says):
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
    monkeypatch.setattr(connection, "LARGEST_OBJECT", 50_000)
    study = generate_uid()
    with server() as (url, seen):
        objects = of_study(study, 8)
        seen.announce(study, **{str(d.SeriesInstanceUID): 1 for d in objects})
        seen.answer = (200, {"Content-Type": "multipart/related; boundary=abc"}, multipart(*objects))
        client = connect(url)
        client.set_chunk_size(7000)  # so that boundaries fall between pieces
        assert pull(client, study, [], tmp_path).count == 8
        monkeypatch.setattr(archive, "MOST_OBJECTS", 7)
        with pytest.raises(InputError, match="announces over 7 objects"):
            pull(client, study, [], tmp_path)


def test_the_same_object_again_and_again_is_not_taken_for_ever(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(archive, "MOST_OBJECTS", 5)
    study = generate_uid()
    with server() as (url, seen):
        (one,) = of_study(study, 1)
        seen.announce(study, **{str(one.SeriesInstanceUID): 1})
        seen.answer = (200, {"Content-Type": "multipart/related; boundary=abc"}, multipart(*[one] * 6))
        with pytest.raises(InputError, match="sends over 5 images"):
            pull(connect(url), study, [], tmp_path)


def test_deflated_objects_are_not_inflated(tmp_path) -> None:
    study = generate_uid()
    pieces = [p.replace(b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.1.99") for p in multipart(*of_study(study, 1))]
    with server() as (url, seen):
        seen.announce(study, **{"1.2.4": 1})
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


# ---------------------------------------------------------------- broken off, late, busy, or no answer at all


MULTIPART = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=abc'}


def pulled(tmp_path: Path, answer: tuple[int, dict[str, str], Iterable[bytes]], count: int = 2) -> str:
    """What is said of a pull that is answered so; the announcement is in order."""
    with server() as (url, seen):
        seen.announce("1.2.3", **{"1.2.4": count})
        seen.answer = answer
        with pytest.raises(InputError) as caught:
            pull(connect(url), "1.2.3", [], tmp_path)
    return str(caught.value)


def objects(count: int = 2) -> list[Dataset]:
    made = of_study("1.2.3", count)
    for dataset in made:
        dataset.SeriesInstanceUID = "1.2.4"
    return made


def test_no_closing_boundary(tmp_path) -> None:
    assert "breaks off" in pulled(tmp_path, (200, MULTIPART, multipart(*objects())[:-1]))


def test_an_object_that_breaks_off(tmp_path) -> None:
    pieces = multipart(*objects())
    assert "cut off" in pulled(tmp_path, (200, MULTIPART, [pieces[0], pieces[1][:-5000], pieces[2]]))


def test_less_than_the_length_that_was_said(tmp_path) -> None:
    whole = b"".join(multipart(*objects()))
    said = pulled(tmp_path, (200, MULTIPART | {"Content-Length": str(len(whole))}, [whole[:-9000]]))
    assert "breaks off" in said


@pytest.mark.parametrize(
    "body",
    [f"\r\n--abc\r\n{part}--abc--".encode() for part in ("\r\nno DICOM\r\n", "\r\n\r\n", "x\r\n", "")] + [b""],
)
def test_parts_that_are_no_objects(tmp_path, body) -> None:
    assert pulled(tmp_path, (200, MULTIPART, [body]))


@pytest.mark.parametrize("kind", [JSON, "text/html", "application/dicom+xml", "", "application/dicom"])
def test_another_kind_of_answer(tmp_path, kind) -> None:
    assert pulled(tmp_path, (200, {"Content-Type": kind} if kind else {}, [b"{}"]))


@pytest.mark.parametrize("value", ['"Infinity"', "1e999", '"x"', "[1]", "null", "-5", '"12345678901234567890"'])
def test_a_count_that_is_none(value) -> None:
    answer = '[{"0020000D": {"vr": "UI", "Value": ["1.2"]}, "00201208": {"vr": "IS", "Value": [COUNT]}}]'
    with server() as (url, seen):
        seen.answer = (200, {"Content-Type": JSON}, [answer.replace("COUNT", value).encode()])
        with contextlib.suppress(InputError):  # nothing else may come of it
            find_studies(connect(url), {}, 1)


@pytest.mark.parametrize("status", [429, 503, 504])
def test_a_busy_archive_is_asked_again_when_it_says_so(monkeypatch, status) -> None:
    waited: list[float] = []
    with server() as (url, seen):
        seen.answer = (status, {"Retry-After": "7", "Content-Length": "0"}, [])

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 2:
                seen.answer = (200, {"Content-Type": JSON}, [b"[]"])

        monkeypatch.setattr(connection, "sleep", sleep)
        assert find_studies(connect(url), {}, 1) == ()
        assert waited == [7.0, 7.0] and len(seen) == 3


@pytest.mark.parametrize(
    ("after", "says", "tries"), [("3600", "in 3600 s", 1), ("0", "in 0 s", 3), ("soon", "later", 3)]
)
def test_an_archive_that_stays_busy(monkeypatch, after, says, tries) -> None:
    monkeypatch.setattr(connection, "sleep", lambda seconds: None)
    with server() as (url, seen):
        seen.answer = (503, {"Retry-After": after, "Content-Length": "0"}, [])
        with pytest.raises(InputError, match=rf"busy \(503\): try again {says}"):
            find_studies(connect(url), {}, 1)
        assert len(seen) == tries


def test_an_archive_that_names_a_date(monkeypatch) -> None:
    answer = requests.Response()
    answer.headers["Retry-After"] = "Wed, 21 Oct 2015 07:28:00 GMT"
    assert connection.retry_after_s(answer) == 0.0
    answer.headers["Retry-After"] = "Wed, 21 Oct 9999999 07:28:00 GMT"
    assert connection.retry_after_s(answer) is None


pause = threading.Event().wait


def drip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """One byte after the other, each soon enough for a limit between two of them."""
    for piece in pieces:
        for k in range(len(piece)):
            pause(0.02)
            yield piece[k : k + 1]


@pytest.mark.parametrize("kind", [MULTIPART, {"Content-Type": JSON}])
def test_a_slow_drip_ends(monkeypatch, tmp_path, kind) -> None:
    monkeypatch.setattr(connection, "LONGEST_S", 0.3)
    with server() as (url, seen):
        seen.announce("1.2.3", **{"1.2.4": 1})
        seen.answer = (200, kind, drip([b"\r\n--abc\r\n\r\n", b" " * 10**6]))
        with pytest.raises(InputError, match="in time"):
            if kind is MULTIPART:
                pull(connect(url), "1.2.3", [], tmp_path)
            else:
                find_studies(connect(url), {}, 1)


def test_a_slow_drip_of_headers_ends(monkeypatch) -> None:
    monkeypatch.setattr(connection, "LONGEST_S", 0.3)
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(2**16)
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 10**5:
                connection.send(bytes([byte]))
                pause(0.02)

    threading.Thread(target=answer, daemon=True).start()
    before = threading.enumerate()
    with listening, pytest.raises(InputError, match="in time"):
        find_studies(connect(f"http://127.0.0.1:{listening.getsockname()[1]}"), {}, 1)
    for thread in set(threading.enumerate()) - set(before):  # none waits on, with its connection, for the rest
        thread.join(5)
        assert not thread.is_alive()


def test_what_is_heard_gives_more_time(monkeypatch) -> None:
    now = 0.0
    monkeypatch.setattr(connection, "monotonic", lambda: now)
    time = connection.Time(carried=10 * connection.SLOWEST)
    now = 305.0
    assert time.limit(lambda: pause(0.05)) is False
    now = 308.0
    time.add(100 * connection.SLOWEST)
    now = 409.0
    assert time.limit(lambda: pause(0.05)) is False
    now = 411.0
    with pytest.raises(requests.Timeout):
        time.limit(lambda: pause(0.05))


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
