"""A study pulled from an archive, segmented, and what came out pushed, fetched again and compared."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def namespace() -> list[str]:
    """Command that starts another in a network namespace of its own, where Orthanc can be reached by nobody else."""
    if not (shutil.which("Orthanc") or Path("/usr/sbin/Orthanc").is_file()) or not PLUGIN.is_file():
        pytest.skip("Orthanc or its DICOMweb plug-in is not installed: apt-get install orthanc orthanc-dicomweb")
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("unshare or ip is not installed: apt-get install util-linux iproute2")
    for unshare in (["unshare", "-n"], ["unshare", "-r", "-n"]):
        if subprocess.run([*unshare, "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0:
            return [*unshare, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    pytest.skip("no network namespace can be made here (needs root or user namespaces): Orthanc is not started")


def test_from_archive_to_archive(tmp_path: Path) -> None:
    done = subprocess.run(
        [*namespace(), sys.executable, str(HERE / "round_trip.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    laps = json.loads(done.stdout.splitlines()[-1])
    print(laps)
    said = done.stdout + done.stderr
    for secret in ("not-a-secret", "PHANTOM-1", "Made Up", "Traceback", "19500101"):
        assert secret not in said, secret
    assert "who you are (401)" in done.stderr
    assert "(404)" in done.stderr or "no such study" in done.stderr
