"""``pacs pull --studies`` on one of Dask's workers, from an archive of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from test_pacs_hostile_archive import MULTIPART, multipart, of_study, server

from ScarSegECGLib.cli import main

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'scarsegecg[cohort]'")

STUDIES = ("1.2.31", "1.2.32", "1.2.33")


def test_many_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")  # a worker has it from here
    for name in ("USER", "PASSWORD", "TOKEN", "URL", "CA"):
        monkeypatch.delenv(f"SCARSEGECG_PACS_{name}", raising=False)
    (tmp_path / "uids.txt").write_text("\n".join(STUDIES))
    out = tmp_path / "out"
    with server() as (url, seen):

        def hold(study: str) -> None:
            held = of_study(study, 2)
            seen.announce(study, **{str(dataset.SeriesInstanceUID): 1 for dataset in held})
            seen.at[f"/dw/studies/{study}"] = (200, MULTIPART, multipart(*held))

        def pull(code: int) -> str:
            words = ["--studies", str(tmp_path / "uids.txt"), "--workers", "1", "--memory", "1GB"]
            assert main(["pacs", "pull", "-q", "--url", url, "--out", str(out), *words]) == code
            return capsys.readouterr().err

        hold(STUDIES[0])
        hold(STUDIES[2])
        told = pull(2)
        assert "warning: study0002: The archive holds no such study" in told and "1 studies are missing" in told
        assert sorted(path.name for path in out.iterdir()) == ["study0001", "study0003"]
        asked = len(seen)
        hold(STUDIES[1])
        assert pull(0) == ""
    again = {path for method, path, *_ in seen[asked:]}
    assert all(STUDIES[1] in path for path in again) and again  # what was there is not fetched twice
    for number, study in enumerate(STUDIES, 1):
        files = sorted((out / f"study{number:04d}").rglob("*.dcm"))
        assert [dcmread(file).StudyInstanceUID for file in files] == [study] * 2


def test_a_list_that_is_too_long_is_refused_whole(tmp_path, monkeypatch) -> None:
    """Cut off, its last line might be another study's UID."""
    from ScarSegECGLib.cli.pacs import _listed_uids
    from ScarSegECGLib.errors import InputError

    path = tmp_path / "uids.txt"
    path.write_text("1.2.34\n1.2.35\n")
    assert _listed_uids(path) == ["1.2.34", "1.2.35"]
    path.write_text("1.2.34\n" * (2**24 // 7 + 1))
    with pytest.raises(InputError, match="cannot be read"):
        _listed_uids(path)
