"""Hostile answers of an image archive for ``run_fuzz.py``: find, pull and push against a list of answers.

The answers are handed to the session in place of a connection, so that everything from the HTTP header on is our own
and the libraries' work, and no socket is opened. What a pull reports as done is looked at once more: as many objects as
were announced, each whole, of one study and one patient.
"""

from __future__ import annotations

import io
import json
import random
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
from dicomweb_client import DICOMwebClient
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

HERE = Path(__file__).resolve().parent
for _folder in (HERE, HERE.parent.parent / "ScarSegECG"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from dicom_mutations import BYTE_CHANGES, MARK, MEANING_CHANGES, flip_bits, truncate  # noqa: E402

from ScarSegECGLib.pacs import connection  # noqa: E402
from ScarSegECGLib.pacs.archive import find_series, find_studies, pull, push  # noqa: E402

URL, STUDY, SERIES = "http://127.0.0.1/dw", "1.2.3.1", "1.2.3.2"
BOUNDARY = "fuzzy"
Answer = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/dicom+json"}
MULTIPART = {"Content-Type": f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'}


class Answers(HTTPAdapter):
    """In place of a connection: the answer by the kind of request."""

    def __init__(self, listed: Answer, objects: Answer, stored: Answer) -> None:
        super().__init__()
        self.listed, self.objects, self.stored = listed, objects, stored

    def send(self, request, **settings):  # type: ignore[no-untyped-def]
        """The answer as requests makes it of what came over a socket."""
        path = request.url.partition("?")[0]
        asks_list = path.endswith(("/studies", "/series"))
        status, headers, body = self.stored if request.method == "POST" else self.listed if asks_list else self.objects
        raw = HTTPResponse(io.BytesIO(body), headers=headers, status=status, preload_content=False)
        return self.build_response(request, raw)


@cache
def _objects() -> tuple[bytes, ...]:
    """Three images of one patient, made up."""
    made = []
    for k in range(3):
        d = Dataset()
        d.file_meta = FileMetaDataset()
        d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        d.SOPClassUID, d.SOPInstanceUID = MRImageStorage, f"1.2.3.3.{k}"
        d.file_meta.MediaStorageSOPClassUID, d.file_meta.MediaStorageSOPInstanceUID = d.SOPClassUID, d.SOPInstanceUID
        d.StudyInstanceUID, d.SeriesInstanceUID = STUDY, SERIES
        d.PatientName, d.PatientID, d.PatientBirthDate = f"{MARK}^Ann", MARK, "19500201"
        d.Rows, d.Columns, d.BitsAllocated, d.BitsStored, d.HighBit = 16, 12, 16, 12, 11
        d.SamplesPerPixel, d.PixelRepresentation, d.PhotometricInterpretation = 1, 0, "MONOCHROME2"
        d.ImagePositionPatient, d.ImageOrientationPatient = [0, 0, 8 * k], [1, 0, 0, 0, 1, 0]
        d.PixelData = np.random.default_rng(k).integers(0, 4096, (16, 12)).astype("<u2").tobytes()
        buffer = io.BytesIO()
        dcmwrite(buffer, d, enforce_file_format=True)
        made.append(buffer.getvalue())
    return tuple(made)


def multipart(objects: list[bytes]) -> bytes:
    parts = [f"\r\n--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + part for part in objects]
    return b"".join(parts) + f"\r\n--{BOUNDARY}--\r\n".encode()


def _series_list(count: object = 3) -> bytes:
    entry = {"0020000E": {"vr": "UI", "Value": [SERIES]}, "00201209": {"vr": "IS", "Value": [count]}}
    return json.dumps([entry]).encode()


def _study_list() -> bytes:
    entry = {
        "0020000D": {"vr": "UI", "Value": [STUDY]},
        "00080020": {"vr": "DA", "Value": ["20240301"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": f"{MARK}^Ann"}]},
        "00201208": {"vr": "IS", "Value": [3]},
    }
    return json.dumps([entry]).encode()


def _stored(uid: str) -> bytes:
    item = {"00081150": {"vr": "UI", "Value": [MRImageStorage]}, "00081155": {"vr": "UI", "Value": [uid]}}
    return json.dumps({"00081199": {"vr": "SQ", "Value": [item]}}).encode()


# ---------------------------------------------------------------- changes

_VALUES = (
    "Infinity",
    "-Infinity",
    "NaN",
    "1e999",
    "-1",
    '"x"',
    "null",
    "[]",
    "{}",
    '"\\u001b[2J"',
    f'"{MARK}"',
    "9" * 400,
)


def json_change(rng: random.Random, data: bytes) -> bytes:
    """A value of a JSON text becomes another, or the text is no JSON any more."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(
            (b"", b"[", b"[" * 100_000, b"null", b"[[]]", b"[1]", b'"x"', b"{}", b"<html>", b"\xff\xfe[]")
        )
    if kind == 1:
        return flip_bits(rng, data)
    if kind == 2:
        return truncate(rng, data)
    text = data.decode()
    words = [
        word
        for word in ('["1.2.3.1"]', '["1.2.3.2"]', "[3]", '"IS"', '"UI"', '"SQ"', '"vr"', '"Value"')
        if word in text
    ]
    old = rng.choice(words)
    return text.replace(old, rng.choice((rng.choice(_VALUES), f"[{rng.choice(_VALUES)}]"))).encode()


_STATUS = (200, 200, 200, 202, 204, 206, 299, 301, 307, 400, 401, 404, 409, 413, 429, 500, 503, 504, 999)
_KINDS = (
    *("", "text/html", "application/dicom", "application/json", "application/dicom+xml", "multipart/related"),
    *("multipart/related; boundary=", "multipart/related; boundary=other", "MULTIPART/RELATED; BOUNDARY=fuzzy"),
    *(f"multipart/related; boundary={BOUNDARY}; boundary=x", "multipart/related; boundary", "multipart/mixed; x=y=z"),
    *(";;;", "multipart/related; boundary=\xff", "application/dicom+json; charset=utf-16"),
)
_RETRY = ("0", "5", "-1", "99999999999999", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "\u0663", "1e9", "")
_PLACES = ("http://other/x", "//other", "/dw/here", "\\\\other", "http://127.0.0.1:99999/", "http://[", "")


def header_change(rng: random.Random, answer: Answer) -> Answer:
    """Another status, kind, coding, place, or word about when to come back."""
    status, headers, body = answer
    changed = dict(headers)
    for _ in range(rng.choice((1, 1, 2))):
        what = rng.randrange(5)
        if what == 0:
            status = rng.choice(_STATUS)
            changed["Retry-After"] = rng.choice(_RETRY)
            changed["Location"] = rng.choice(_PLACES)
        elif what == 1:
            changed["Content-Type"] = rng.choice(_KINDS)
        elif what == 2:
            changed["Content-Encoding"] = rng.choice(("gzip", "br", "identity", "x", ""))
        elif what == 3:
            changed["Content-Length"] = rng.choice(("0", "10", "-5", "x", str(10**20), str(len(body) + 100)))
        else:
            changed.pop("Content-Type", None)
    return status, changed, body


def parts_change(rng: random.Random, objects: list[bytes]) -> bytes:
    """Objects that are missing, twice, another's, cut off or none; or an end that does not come."""
    parts = list(objects)
    at = rng.randrange(len(parts))
    what = rng.randrange(9)
    if what == 0:
        del parts[at]
    elif what == 1:
        parts.append(rng.choice(parts))
    elif what == 2:
        other = dcmread(io.BytesIO(parts[at]))
        keyword, value = rng.choice(
            (
                ("PatientID", "OTHER"),
                ("PatientName", "Other^B"),
                ("StudyInstanceUID", "9.9"),
                ("SOPInstanceUID", "1.2.3.3.0"),
            )
        )
        setattr(other, keyword, value)
        buffer = io.BytesIO()
        dcmwrite(buffer, other)
        parts[at] = buffer.getvalue()
    elif what == 3:
        parts[at] = parts[at][: -rng.choice((1, 2, 100, 380, 500))]
    elif what == 4:
        parts[at] = rng.choice((b"", b"no DICOM", b"\0" * 132, b"\0" * 128 + b"DICM", parts[at] * 2))
    elif what in (5, 6):
        parts[at] = rng.choice(BYTE_CHANGES + MEANING_CHANGES)(rng, parts[at])
    whole = multipart(parts)
    if what == 7:
        return whole[: -rng.choice((3, 6, 12, 200, 700))]
    return flip_bits(rng, whole) if what == 8 else whole


# ---------------------------------------------------------------- what is asked


def _client(listed: Answer, objects: Answer, stored: Answer) -> DICOMwebClient:
    connection.sleep = lambda seconds: None  # type: ignore[assignment]
    guarded = connection.GuardedSession()
    guarded.mount("http://", Answers(listed, objects, stored))
    guarded.trust_env = False
    client = DICOMwebClient(URL, session=guarded, permissive_uid=False)
    client.set_http_retry_params(retry=False)
    client.set_chunk_size(connection.LARGEST_OBJECT)
    return client


def find_case(seed: str, folder: Path) -> object:
    """A list of studies or series."""
    rng = random.Random(seed)
    studies = rng.random() < 0.5
    answer: Answer = (200, JSON, _study_list() if studies else _series_list())
    answer = (200, JSON, json_change(rng, answer[2])) if rng.random() < 0.7 else header_change(rng, answer)
    client = _client(answer, answer, answer)
    return find_studies(client, {}, 10) if studies else find_series(client, STUDY)


def pull_case(seed: str, folder: Path) -> object:
    """A study, or a series of it."""
    rng = random.Random(seed)
    objects = list(_objects())
    listed: Answer = (200, JSON, _series_list())
    sent: Answer = (200, MULTIPART, multipart(objects))
    announced = 3
    what = rng.random()
    if what < 0.15:
        listed = (200, JSON, json_change(rng, listed[2]))
        announced = 0
    elif what < 0.3:
        sent = header_change(rng, sent)
    else:
        sent = (200, MULTIPART, parts_change(rng, objects))
    pulled = pull(_client(listed, sent, sent), STUDY, rng.choice(([], [SERIES])), folder)
    kept = [dcmread(path) for path in folder.rglob("*.dcm")]
    assert len(kept) == pulled.count == len({d.SOPInstanceUID for d in kept}) >= announced, "fewer than were announced"
    assert {str(d.StudyInstanceUID) for d in kept} == {STUDY}, "of another study"
    assert len({str(d.get("PatientID") or MARK).casefold() for d in kept}) == 1, "of two patients"
    return pulled


def push_case(seed: str, folder: Path) -> object:
    """One object, the archive's word that it is kept, and what it gives back."""
    rng = random.Random(seed)
    own = _objects()[0]
    (folder / "a.dcm").write_bytes(own)
    stored: Answer = (200, JSON, _stored("1.2.3.3.0"))
    back: Answer = (200, MULTIPART, multipart([own]))
    what = rng.random()
    if what < 0.3:
        stored = (200, JSON, json_change(rng, stored[2])) if rng.random() < 0.6 else header_change(rng, stored)
    elif what < 0.5:
        back = header_change(rng, back)
    else:
        changed = rng.choice(BYTE_CHANGES + MEANING_CHANGES)(rng, own)
        back = (200, MULTIPART, rng.choice((multipart([changed]), parts_change(rng, [own]))))
    pushed = push(_client(back, back, stored), [folder / "a.dcm"])
    if back[0] == 200 and back[1] == MULTIPART:
        start = back[2].index(b"\r\n\r\n") + 4
        given = dcmread(io.BytesIO(back[2][start:]), force=True)
        sent = dcmread(io.BytesIO(own))
        for keyword in ("SOPInstanceUID", "PatientID", "PatientName", "ImagePositionPatient", "PixelData"):
            assert given.get(keyword) == sent.get(keyword), f"{keyword} changed in silence"
    return pushed


def cases(seed: int, count: int) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """``count`` answers, the same for the same seed."""
    kinds = {"find": find_case, "pull": pull_case, "pull2": pull_case, "push": push_case}
    for number in range(count):
        name = list(kinds)[number % len(kinds)]
        yield f"pacs-{name}-{seed}-{number}", partial(kinds[name], f"{name}-{seed}-{number}")
