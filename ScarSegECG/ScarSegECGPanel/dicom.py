"""What Slicer's DICOM database knows about the patient of a volume: dates, ECGs, source files."""

from dataclasses import dataclass
from datetime import datetime

import slicer

from ScarSegECGLib.facts import Contrast

DATES_REMOVED = "0028,0303"
SUBJECT = {
    "PatientID": "0010,0020",
    "PatientSex": "0010,0040",
    "PatientAge": "0010,1010",
    "PatientBirthDate": "0010,0030",
    "StudyDate": "0008,0020",
}
ECG_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.9.1.1",  # 12-lead ECG waveform storage
    "1.2.840.10008.5.1.4.1.1.9.1.2",  # general ECG waveform storage
)


@dataclass(frozen=True)
class StoredEcg:
    """An ECG of the same patient."""

    path: str
    date: datetime | None


def database():
    """The open DICOM database, or None."""
    found = slicer.app.dicomDatabase()
    return found if found and found.isOpen else None


def instanceUids(volumeNode) -> list[str]:
    return (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()


def sourceFiles(volumeNode) -> list[str]:
    """The DICOM files the volume came from; empty where it was not loaded from the database."""
    db = database()
    return [db.fileForInstance(uid) for uid in instanceUids(volumeNode)] if db else []


def mriDateFromDicom(volumeNode) -> str:
    """Acquisition date, "YYYY-MM-DD"; "" where there is none or the study's dates were removed or changed."""
    uids, db = instanceUids(volumeNode), database()
    if not uids or not db or db.instanceValue(uids[0], DATES_REMOVED) in ("REMOVED", "MODIFIED"):
        return ""
    date = _date(db.instanceValue(uids[0], "0008,0022") or db.instanceValue(uids[0], "0008,0021"))
    return date.strftime("%Y-%m-%d") if date else ""


def contrastFromDicom(volumeNode) -> Contrast | None:
    """Where the image type says so."""
    uids, db = instanceUids(volumeNode), database()
    kinds = set(db.instanceValue(uids[0], "0008,0008").upper().split("\\")) if uids and db else set()
    if kinds & {"PSIR", "R"}:
        return Contrast.PSIR
    return Contrast.MAGNITUDE if kinds & {"M", "MAGNITUDE"} else None


def subjectFromDicom(volumeNode):
    """Whose images they are, in memory alone: compared with the ECG's, and for criteria that depend on age and sex."""
    from ScarSegECGLib.ecg.subject import subject_of_dicom

    uids, db = instanceUids(volumeNode), database()
    return subject_of_dicom(
        {name: db.instanceValue(uids[0], tag) for name, tag in SUBJECT.items()} if uids and db else {}
    )


def ecgsOfPatient(volumeNode) -> list[StoredEcg]:
    """ECGs in the patient's studies, the nearest to the MRI first."""
    uids, db = instanceUids(volumeNode), database()
    if not uids or not db:
        return []
    series = db.seriesForFile(db.fileForInstance(uids[0]))
    patient = db.patientForStudy(db.studyForSeries(series))
    found = []
    for study in db.studiesForPatient(patient):
        for other in db.seriesForStudy(study):
            files = db.filesForSeries(other)
            if files and db.fileValue(files[0], "0008,0016") in ECG_CLASSES:
                found.append(StoredEcg(files[0], _date(db.fileValue(files[0], "0008,0022"))))
    here = _date(db.instanceValue(uids[0], "0008,0022"))
    far = float("inf")
    return sorted(found, key=lambda ecg: abs((ecg.date - here).days) if ecg.date and here else far)


def _date(value: str) -> datetime | None:
    try:
        return datetime.strptime(value[:8], "%Y%m%d")
    except ValueError:
        return None
