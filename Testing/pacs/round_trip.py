"""From archive to archive and back, against a real Orthanc; runs inside a network namespace of its own.

Run by test_pacs_round_trip.py: ``python round_trip.py FOLDER``. Ends with 0 when every check held.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pydicom

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "export" / "dicom"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ScarSegECG"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Research"))

from lge_series import write_series
from phantom import phantom_patient, write_phantom

from ScarSegECGLib.cli import main
from ScarSegECGLib.export.dicom.write import FILES
from ScarSegECGLib.pacs.archive import find_series, find_studies, push
from ScarSegECGLib.pacs.connection import connect

PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
PORT = 18042
URL = f"http://127.0.0.1:{PORT}/dicom-web"
USER, PASSWORD = "tester", "not-a-secret"


def orthanc(folder: Path) -> subprocess.Popen:
    """Start the archive and wait until it answers."""
    folder.mkdir()
    (folder / "orthanc.json").write_text(
        json.dumps(
            {
                "HttpPort": PORT,
                "DicomServerEnabled": False,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": True,
                "RegisteredUsers": {USER: PASSWORD},
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "storage"),
                "Plugins": [PLUGIN],
                "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            }
        )
    )
    log = (folder / "orthanc.log").open("wb")
    program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    server = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/system", timeout=2)
        except urllib.error.HTTPError:  # it wants to know who asks: it answers
            return server
        except OSError:
            time.sleep(0.2)
    server.terminate()
    raise SystemExit("Orthanc did not start: " + (folder / "orthanc.log").read_text()[-2000:])


def trip(folder: Path) -> dict[str, float]:
    """Store a study, find it, pull it, segment it, push what came out, fetch that again, compare."""
    seconds: dict[str, float] = {}
    start = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal start
        seconds[name] = round(time.perf_counter() - start, 2)
        start = time.perf_counter()

    patient = phantom_patient(0)
    images = write_series(folder / "scanner", patient.stack, turn=(False, True, False))
    files = write_phantom(folder / "patient", patient)
    lap("phantom")
    client = connect(URL)
    push(client, [folder / "scanner"])
    assert main(["pacs", "find", "--url", URL]) == 0
    (study,) = find_studies(client, {"ModalitiesInStudy": "MR", "StudyDate": "20240301-20240331"}, 10)
    assert study.instances == len(images)
    (series,) = find_series(client, study.uid)
    pulled = folder / "pulled"
    assert main(["pacs", "pull", "--url", URL, "--study", study.uid, "--series", series.uid, "--out", str(pulled)]) == 0
    before = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, images)}
    after = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, pulled.rglob("*.dcm"))}
    assert before == after
    lap("pull")
    out = folder / "result"
    ecg = ["--ecg", str(files["ecg"])]
    assert main(["segment", "-q", "--lge", str(pulled), *ecg, "--out", str(out), "--device", "cpu"]) == 0
    written = sorted((out / "dicom").iterdir())
    assert {path.name for path in written} >= set(FILES) - {"scar_parts.dcm", "scar_probability_image_only.dcm"}
    lap("segment")
    assert main(["pacs", "push", "--url", URL, str(out)]) == 0
    again = folder / "again"
    assert main(["pacs", "pull", "--url", URL, "--study", study.uid, "--out", str(again)]) == 0
    back = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, again.rglob("*.dcm"))}
    assert len(back) == len(images) + len(written)
    for path in written:
        sent = pydicom.dcmread(path)
        assert back[sent.SOPInstanceUID] == sent, path.name
    lap("push")

    os.environ["SCARSEGECG_PACS_PASSWORD"] = "wrong"
    assert main(["pacs", "find", "--url", URL]) == 2
    os.environ["SCARSEGECG_PACS_PASSWORD"] = PASSWORD
    assert main(["pacs", "pull", "--url", URL, "--study", "1.2.3", "--out", str(folder / "none")]) == 2
    assert not (folder / "none").exists()
    return seconds


if __name__ == "__main__":
    place = Path(sys.argv[1])
    os.environ |= {"SCARSEGECG_PACS_USER": USER, "SCARSEGECG_PACS_PASSWORD": PASSWORD}
    began = time.perf_counter()
    server = orthanc(place / "orthanc")
    try:
        laps = {"start": round(time.perf_counter() - began, 2)} | trip(place)
    finally:
        server.terminate()
        server.wait(timeout=30)
    print(json.dumps(laps))
