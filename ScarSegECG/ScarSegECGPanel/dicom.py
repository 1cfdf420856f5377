"""What Slicer's DICOM database knows about the patient of a volume: dates, ECGs, source files."""

from datetime import datetime

import slicer

from ScarSegECGLib.facts import Contrast

ACQUISITION_DATE, DATES_REMOVED = "0008,0022", "0028,0303"
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


def database():
    """The open DICOM database, or None."""
    found = slicer.app.dicomDatabase()
    return found if found and found.isOpen else None


def sourceFiles(volumeNode) -> list[str]:
    """The DICOM files the volume came from; empty where it was not loaded from the database."""
    uids, db = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split(), database()
    return [db.fileForInstance(uid) for uid in uids] if db else []


def _header(volumeNode, *tags: str) -> list[str]:
    """What the first image says under these tags; "" each where there is none."""
    uids, db = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split(), database()
    return [db.instanceValue(uids[0], tag) if uids and db else "" for tag in tags]


def mriDateFromDicom(volumeNode) -> str:
    """Acquisition date, "YYYY-MM-DD"; "" where there is none or the study's dates were removed or changed."""
    acquired, series, removed = _header(volumeNode, ACQUISITION_DATE, "0008,0021", DATES_REMOVED)
    date = None if removed in ("REMOVED", "MODIFIED") else _date(acquired or series)
    return date.strftime("%Y-%m-%d") if date else ""


def contrastFromDicom(volumeNode) -> Contrast | None:
    """Where the image type says so."""
    kinds = set(_header(volumeNode, "0008,0008")[0].upper().split("\\"))
    if kinds & {"PSIR", "R"}:
        return Contrast.PSIR
    return Contrast.MAGNITUDE if kinds & {"M", "MAGNITUDE"} else None


def subjectFromDicom(volumeNode):
    """Whose images they are, in memory alone: compared with the ECG's, and for criteria that depend on age and sex."""
    from ScarSegECGLib.ecg.subject import subject_of_dicom

    return subject_of_dicom(dict(zip(SUBJECT, _header(volumeNode, *SUBJECT.values()), strict=True)))


def ecgsOfPatient(volumeNode) -> list[str]:
    """Files of the ECGs in the patient's studies, the nearest to the MRI first."""
    files, db = sourceFiles(volumeNode), database()
    if not files:
        return []
    here = _date(_header(volumeNode, ACQUISITION_DATE)[0])
    found = {}
    for study in db.studiesForPatient(db.patientForStudy(db.studyForSeries(db.seriesForFile(files[0])))):
        for series in db.seriesForStudy(study):
            first = next(iter(db.filesForSeries(series)), "")
            if first and db.fileValue(first, "0008,0016") in ECG_CLASSES:
                date = _date(db.fileValue(first, ACQUISITION_DATE))
                found[first] = abs((date - here).days) if date and here else float("inf")
    return sorted(found, key=found.__getitem__)


def _date(value: str) -> datetime | None:
    try:
        return datetime.strptime(value[:8], "%Y%m%d")
    except ValueError:
        return None
