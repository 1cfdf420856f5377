"""Broken DICOM for ``run_fuzz.py``: LGE series, enhanced images, archives, DICOMDIRs and ECG waveforms.

The seeds are written here, from made-up pixels and signals, with :data:`MARK` for the patient; where the real DICOM ECG
of the shared data is at hand it is a seed too.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, TwelveLeadECGWaveformStorage

HERE = Path(__file__).resolve().parent
for _folder in (HERE.parent / "lge", HERE.parent.parent / "ScarSegECG"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from dicom_samples import Pose, Study, list_series, write_dicomdir, write_enhanced, write_lge  # noqa: E402

from ScarSegECGLib.ecg.read import read_ecg  # noqa: E402
from ScarSegECGLib.lge.dicom_source import find_source  # noqa: E402
from ScarSegECGLib.lge.read import read_lge  # noqa: E402

MARK = "Zzpatient"
DATA = Path(os.environ.get("SCARSEGECG_DATA", HERE.parent.parent.parent / "shared" / "data"))
Files = dict[str, bytes]
BytesChange = Callable[[random.Random, bytes], bytes]


# ---------------------------------------------------------------- seeds


@cache
def _lge_files() -> tuple[tuple[str, bytes], ...]:
    """Magnitude and PSIR of one patient, six slices each, and two cine images."""
    voxels = np.random.default_rng(4).integers(0, 4096, (6, 40, 36)).astype(np.uint16)
    study = Study("1.2.3.1", "1.2.3.2", f"{MARK}^Ann")

    def change(_k: int, d: Dataset) -> None:
        d.PatientID = d.PatientBirthDate = MARK
        d.RescaleSlope, d.RescaleIntercept, d.RescaleType = 1, -2048 if "PSIR" in d.ImageType else 0, "US"
        d.InversionTime, d.ScanningSequence, d.ContrastBolusAgent = 300, ["GR", "IR"], "Gd"
        d.AcquisitionDateTime = "20210405101112.5"

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_lge(root, voxels, study=study, series="1.2.3.20", number=20, change=change)
        kind = ("DERIVED", "PRIMARY", "PSIR")
        write_lge(root, voxels, study=study, series="1.2.3.21", number=21, image_type=kind, change=change)
        write_lge(root, voxels[:2], study=study, series="1.2.3.22", number=22, text="cine", change=change)
        return tuple((path.name, path.read_bytes()) for path in sorted(root.iterdir()))


@cache
def _enhanced_file() -> bytes:
    voxels = np.random.default_rng(5).integers(0, 4096, (6, 40, 36)).astype(np.uint16)
    study = Study("1.2.3.1", "1.2.3.2", f"{MARK}^Ann")
    with tempfile.TemporaryDirectory() as folder:
        kinds = [("ORIGINAL", "PRIMARY", "M", "ND")] * 6
        return write_enhanced(Path(folder) / "E", voxels, range(6), kinds, study=study).read_bytes()


@cache
def _ecg_files() -> tuple[bytes, ...]:
    """A made-up 12-lead ECG object, and the real one where it is at hand."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, TwelveLeadECGWaveformStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    d = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    d.PatientName, d.PatientID, d.Modality, d.AcquisitionDateTime = f"{MARK}^A", MARK, "ECG", "20210405101112"
    group = Dataset()
    group.MultiplexGroupTimeOffset, group.WaveformOriginality = 0, "ORIGINAL"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples, group.SamplingFrequency = 12, 2500, 250
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.ChannelDefinitionSequence = []
    for number in (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8):
        source, unit, channel = Dataset(), Dataset(), Dataset()
        source.CodeValue, source.CodingSchemeDesignator, source.CodeMeaning = f"5.6.3-9-{number}", "SCPECG", "Lead"
        unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "uV", "UCUM", "microvolt"
        channel.ChannelSourceSequence, channel.ChannelSensitivityUnitsSequence = [source], [unit]
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = 5, 1, 0
        channel.WaveformBitsStored = 16
        group.ChannelDefinitionSequence.append(channel)
    time = np.arange(2500) % 250
    beat = 200 * np.exp(-(((time - 100) / 3.0) ** 2)) + 40 * np.exp(-(((time - 160) / 12.0) ** 2))
    beat += np.random.default_rng(6).normal(0, 2, 2500)
    one, two = beat, 1.5 * beat
    limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    signals = np.stack([*limbs, *(beat * f for f in (-1, -0.5, 0.5, 1, 1.2, 1))], axis=1)
    group.WaveformData = np.rint(signals).astype("<i2").tobytes()
    d.WaveformSequence = [group]
    buffer = io.BytesIO()
    d.save_as(buffer, enforce_file_format=True)
    real = DATA / "ecg" / "formats" / "dicom" / "waveform_ecg.dcm"
    return (buffer.getvalue(), *((real.read_bytes(),) if real.is_file() else ()))


# ---------------------------------------------------------------- changes of bytes


def _spot(rng: random.Random, data: bytes) -> int:
    """A place in a file, three times out of four in its first part, where the header is."""
    return rng.randrange(min(len(data), 2500) if rng.random() < 0.75 else len(data)) if data else 0


def flip_bits(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        changed[_spot(rng, data)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: _spot(rng, data)]


def splice(rng: random.Random, data: bytes) -> bytes:
    start, at, length = _spot(rng, data), _spot(rng, data), rng.choice((2, 8, 40, 400))
    return data[:at] + data[start : start + length] + data[at + rng.choice((0, length)) :]


def cut_out(rng: random.Random, data: bytes) -> bytes:
    at = _spot(rng, data)
    return data[:at] + data[at + rng.choice((1, 2, 7, 30, 300)) :]


def noise(rng: random.Random, data: bytes) -> bytes:
    at = _spot(rng, data)
    return data[:at] + rng.randbytes(rng.choice((1, 4, 16, 64))) + data[at:]


def huge_length(rng: random.Random, data: bytes) -> bytes:
    """One element declares far more bytes than there are."""
    places = [i for vr in (b"OW\0\0", b"OB\0\0", b"SQ\0\0", b"UN\0\0", b"UT\0\0") for i in _all(data, vr)]
    short = [i for vr in (b"DS", b"LO", b"UI", b"CS", b"US", b"IS", b"DT", b"SH") for i in _all(data, vr)]
    if places and rng.random() < 0.5:
        at = rng.choice(places) + 4
        length = rng.choice((0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF, 0x80000000, 0x10000000, len(data)))
        return data[:at] + struct.pack("<I", length) + data[at + 4 :]
    at = (rng.choice(short) if short else _spot(rng, data)) + 2
    return data[:at] + struct.pack("<H", rng.choice((0xFFFF, 0x8000, 0x7FFE, 1, 3))) + data[at + 2 :]


def new_kind(rng: random.Random, data: bytes) -> bytes:
    """An element's value representation becomes another one."""
    kinds = (b"DS", b"IS", b"UI", b"CS", b"US", b"LO", b"SQ", b"OB", b"UN", b"FD", b"FL", b"AT", b"PN", b"DA", b"XX")
    places = [i for kind in kinds for i in _all(data, kind)]
    if not places:
        return data
    at = rng.choice(places)
    return data[:at] + rng.choice(kinds) + data[at + 2 :]


def _all(data: bytes, word: bytes) -> list[int]:
    found, at = [], data.find(word)
    while at >= 0 and len(found) < 200:
        found.append(at)
        at = data.find(word, at + 1)
    return found


BYTE_CHANGES: tuple[BytesChange, ...] = (flip_bits, truncate, splice, cut_out, noise, huge_length, new_kind)


# ---------------------------------------------------------------- changes of meaning

_NUMBERS = ("", "abc", "nan", "inf", "-inf", "1e308", "-1", "0", "65535", "999999999999", "1\\2", "0\\0\\0\\0\\0\\0")
_TEXTS = ("", "\x00", "\u202e" * 20, "\\" * 50, "A" * 20000, "\x1b$B\x7f", "'; --", "../../x", MARK)


def _raw(tag: int, kind: bytes, value: bytes) -> bytes:
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + kind
    if kind in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return head + b"\0\0" + struct.pack("<I", len(value)) + value
    return head + struct.pack("<H", min(len(value), 0xFFFE)) + value[:0xFFFE]


def nonsense_value(rng: random.Random, data: bytes) -> bytes:
    """One element holds nonsense, or is gone, with everything else as it was."""
    d = _header(data)
    tags = [e.tag for e in d if e.tag != 0x7FE00010]
    tag = rng.choice(tags)
    element = d[tag]
    if rng.random() < 0.25:
        del d[tag]
        return _saved(d)
    text = rng.choice(_NUMBERS if element.VR in ("DS", "IS", "FD", "US", "UL", "FL") else _TEXTS + _NUMBERS)
    if element.VR == "US":
        raw = struct.pack("<H", rng.choice((0, 1, 7, 8, 12, 32, 64, 4096, 65535)))
    elif element.VR in ("FD", "FL", "UL"):
        raw = rng.randbytes(8 if element.VR == "FD" else 4)
    else:
        raw = text.encode("utf-8")
    raw += b" " * (len(raw) % 2)
    old = _saved(d)
    start = old.find(struct.pack("<HH", tag.group, tag.element) + element.VR.encode())
    if start < 0 or element.VR in ("SQ", "OB", "OW", "UN", "UT"):
        return flip_bits(rng, data)
    length = struct.unpack_from("<H", old, start + 6)[0]
    return old[:start] + _raw(int(tag), element.VR.encode(), raw) + old[start + 8 + length :]


def nested(rng: random.Random, data: bytes) -> bytes:
    """Sequences within sequences, thousands deep."""
    depth = rng.choice((50, 400, 3000, 30000))
    tag, item = struct.pack("<HH", 0x0008, 0x1140), struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    opened = (tag + b"SQ\0\0" + struct.pack("<I", 0xFFFFFFFF) + item) * depth
    at = data.find(struct.pack("<HH", 0x0010, 0x0010))
    return data[:at] + opened + data[at:]


def many_elements(rng: random.Random, data: bytes) -> bytes:
    """Hundreds of thousands of empty elements before the patient's name."""
    count = rng.choice((1000, 60000, 400000))
    empty = b"".join(struct.pack("<HH2sH", 0x0009, k & 0xFFFF, b"SH", 0) for k in range(0x1010, 0x1010 + 1000))
    at = data.find(struct.pack("<HH", 0x0010, 0x0010))
    return data[:at] + empty * (count // 1000) + data[at:]


def huge_image(rng: random.Random, data: bytes) -> bytes:
    """Rows, columns, frames or bits that promise gigabytes."""
    d = _header(data)
    d.Rows, d.Columns = rng.choice(((65535, 65535), (65535, 40), (8192, 8192), (40, 65535)))
    if rng.random() < 0.5:
        d.NumberOfFrames = rng.choice((2, 1000, 2**31 - 1))
    if rng.random() < 0.3:
        d.BitsAllocated = rng.choice((1, 8, 24, 32, 64))
    if rng.random() < 0.3:
        run = bytes([129, 0]) * 5000
        d.PixelData = pydicom.encaps.encapsulate([struct.pack("<16I", 2, 64, 64 + len(run), *[0] * 13) + run * 2])
        d["PixelData"].VR, d.file_meta.TransferSyntaxUID = "OB", RLELossless
    return _saved(d)


def other_syntax(rng: random.Random, data: bytes) -> bytes:
    """Another transfer syntax than the bytes are in, a bomb for the deflated one among them."""
    d = _header(data)
    syntaxes = [uid for uid in pydicom.uid.AllTransferSyntaxes if not uid.is_private]
    syntax = rng.choice(syntaxes)
    saved = _saved(d)
    old, new = ExplicitVRLittleEndian.encode(), syntax.encode()
    changed = saved.replace(old + b"\0" * (len(old) % 2), (new + b"\0" * (len(new) % 2)), 1)
    at = changed.find(b"UI", changed.find(struct.pack("<HH", 2, 0x10))) + 2
    changed = changed[:at] + struct.pack("<H", len(new) + len(new) % 2) + changed[at + 2 :]
    if syntax.is_deflated:
        end = at + 2 + len(new) + len(new) % 2
        return changed[:end] + _deflated_zeros(rng.choice((1, 200)))
    return changed


@cache
def _deflated_zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(megabytes)) + packer.flush()


def _header(data: bytes) -> FileDataset:
    return pydicom.dcmread(io.BytesIO(data), force=True)


def _saved(d: FileDataset) -> bytes:
    buffer = io.BytesIO()
    d.save_as(buffer)
    return buffer.getvalue()


MEANING_CHANGES: tuple[BytesChange, ...] = (nonsense_value, nested, many_elements, huge_image, other_syntax)


# ---------------------------------------------------------------- what is written and read


def _write(folder: Path, files: Files) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _read_image(path: Path, rng: random.Random) -> object:
    if rng.random() < 0.2:
        return list_series(path)
    stack = read_lge(path, image=rng.choice((None, None, "magnitude", "psir")), series=rng.choice((None, None, "21")))
    return stack, find_source(stack)


def series_case(change: BytesChange, seed: str, folder: Path) -> object:
    """One file of a study, or several, changed."""
    rng = random.Random(seed)
    files = dict(_lge_files())
    wanted = sorted(files) if rng.random() < 0.15 else [rng.choice(sorted(files))]
    heavy = change in (nested, many_elements, huge_image)
    for name in wanted[: 2 if heavy else None]:
        files[name] = change(rng, files[name])
    _write(folder, files)
    return _read_image(folder, rng)


def enhanced_case(change: BytesChange, seed: str, folder: Path) -> object:
    """One multi-frame file changed."""
    rng = random.Random(seed)
    (folder / "E").write_bytes(change(rng, _enhanced_file()))
    stack = read_lge(folder / "E")
    return stack, find_source(stack)


def ecg_case(change: BytesChange, seed: str, folder: Path) -> object:
    """One ECG object changed."""
    rng = random.Random(seed)
    (folder / "ecg.dcm").write_bytes(change(rng, rng.choice(_ecg_files())))
    return read_ecg(folder / "ecg.dcm")


def zip_case(change: BytesChange | None, seed: str, folder: Path) -> object:
    """A study in an archive whose bytes, names, sizes or kinds are changed."""
    rng = random.Random(seed)
    buffer = io.BytesIO()
    names = ("../x", "/x", "..\\x", "a/../../x", "C:x", "", ".", "\0", "S" * 300, "DICOMDIR", "\u202e.dcm")
    how = rng.choice(("names", "bomb", "links", "method", "crypt", "many", "bomb of one", "twice"))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in _lge_files():
            archive.writestr(name, data)
        if change is None and how == "names":
            archive.writestr(zipfile.ZipInfo(rng.choice(names)), b"x" * 300)
        elif change is None and how == "bomb":
            for k in range(rng.choice((3, 12))):
                archive.writestr(f"zeros{k}", bytes(60 * 2**20))
        elif change is None and how == "bomb of one":
            archive.writestr("zeros", bytes(rng.choice((70, 130)) * 2**20))
        elif change is None and how == "links":
            entry = zipfile.ZipInfo("S20I0000")
            entry.external_attr = 0o120777 << 16
            archive.writestr(entry, "/etc/passwd")
        elif change is None and how == "method":
            archive.writestr("x", b"x" * 5000, compress_type=rng.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)))
        elif change is None and how == "many":
            for k in range(rng.choice((3000, 21000))):
                archive.writestr(zipfile.ZipInfo(f"f{k}"), b"")
        elif change is None and how == "twice":
            archive.writestr(_lge_files()[0][0] + ".", _lge_files()[0][1])
    data = buffer.getvalue()
    if change is not None:
        at = data.rfind(b"PK\x01\x02", 0, len(data) // 2 or 1)
        directory = max(at, data.find(b"PK\x01\x02"))
        data = data[:directory] + change(rng, data[directory:]) if rng.random() < 0.6 else change(rng, data)
    elif how == "crypt":
        at = data.find(b"PK\x01\x02") + 8
        data = data[:at] + b"\x01" + data[at + 1 :]
    (folder / "study.zip").write_bytes(data)
    return _read_image(folder / "study.zip", rng)


def dicomdir_case(change: BytesChange | None, seed: str, folder: Path) -> object:
    """A DICOMDIR whose bytes or file names are changed."""
    rng = random.Random(seed)
    _write(folder, {f"IMAGES/IM{k}": data for k, (_, data) in enumerate(_lge_files())})
    ids: list[list[str]] = [["IMAGES", f"IM{k}"] for k in range(len(_lge_files()))]
    evil = (
        ["..", "x"],
        ["/etc/passwd"],
        ["IMAGES", "..", "..", "x"],
        [""],
        ["."],
        ["IMAGES"],
        ["LINK"],
        ["LOOP", "IM1"],
    )
    if change is None:
        (folder / "LINK").symlink_to("/etc/passwd")
        (folder / "LOOP").symlink_to(folder / "LOOP")
        ids.insert(rng.randrange(len(ids)), rng.choice(evil))
        if rng.random() < 0.2:
            ids *= 500
    path = write_dicomdir(folder, ids)
    if change is not None:
        path.write_bytes(change(rng, path.read_bytes()))
    return _read_image(path, rng)


def folder_case(_change: BytesChange | None, seed: str, folder: Path) -> object:
    """A sound study among links, pipes, devices and deep folders."""
    rng = random.Random(seed)
    _write(folder, dict(_lge_files()))
    traps = rng.sample(("loop", "outside", "device", "pipe", "deep", "empty", "self", "bare", "unnamed"), 4)
    for trap in traps:
        if trap == "loop":
            (folder / "loop").symlink_to(folder, target_is_directory=True)
        elif trap == "outside":
            (folder / "etc").symlink_to("/etc", target_is_directory=True)
        elif trap == "device":
            (folder / "zero").symlink_to("/dev/zero")
        elif trap == "pipe":
            os.mkfifo(folder / "pipe")
        elif trap == "deep":
            folder.joinpath(*["d"] * 60).mkdir(parents=True)
        elif trap == "empty":
            (folder / "empty").write_bytes(b"")
        elif trap == "self":
            (folder / "self").symlink_to(folder / "self")
        elif trap == "bare":
            (folder / "bare").write_bytes(bytes(128) + b"DICM")
        else:
            shutil.copy(folder / _lge_files()[0][0], folder / "\u202e\n copy")
    return _read_image(folder, rng)


def shuffled_case(_change: BytesChange | None, seed: str, folder: Path) -> object:
    """Places and kinds of sound slices mixed up: gaps, doubles, other series' identifiers."""
    rng = random.Random(seed)
    files = {}
    for name, data in rng.sample(_lge_files(), rng.randrange(1, len(_lge_files()) + 1)):
        d = _header(data)
        if rng.random() < 0.3:
            d.ImagePositionPatient = Pose().position(rng.choice((0, 1, 2.5, 7, 1e5, -3)))
        if rng.random() < 0.2:
            d.SeriesInstanceUID, d.SeriesNumber = rng.choice(("1.2.3.20", "1.2.3.21", "")), rng.choice((20, 99, None))
        if rng.random() < 0.2:
            d.ImageType = rng.choice((["ORIGINAL", "PRIMARY", "P"], ["DERIVED", "PRIMARY", "PSIR"], None, "M"))
        if rng.random() < 0.1:
            d.PixelSpacing = rng.choice(([0, 0], [1e-30, 1], [1e30, 1e30], [-1, 1]))
        if rng.random() < 0.1:
            d.ImageOrientationPatient = rng.choice(([0] * 6, [1, 0, 0, 1, 0, 0], [1, 0, 0, 0, 1, 0]))
        if rng.random() < 0.1:
            d.RescaleSlope = rng.choice((0, 1e30, -1, 1e-30))
        files[name] = _saved(d)
    _write(folder, files)
    return _read_image(folder, rng)


def cases(seed: int, count: int) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Yield exactly ``count`` cases, the same ones for the same seed."""
    rng = random.Random(seed)
    makers = (series_case, enhanced_case, ecg_case, zip_case, dicomdir_case, folder_case, shuffled_case)
    for number in range(count):
        maker = rng.choices(makers, (30, 15, 20, 15, 8, 2, 10))[0]
        change: BytesChange | None = rng.choice(BYTE_CHANGES)
        if maker in (series_case, enhanced_case, ecg_case) and rng.random() < 0.4:
            change = rng.choices(MEANING_CHANGES, (10, 1, 1, 3, 3))[0]
        elif maker in (folder_case, shuffled_case) or (maker in (zip_case, dicomdir_case) and rng.random() < 0.3):
            change = None
        how = change.__name__ if change is not None else "made"
        name = f"dicom-{maker.__name__.removesuffix('_case')}-{how}-{seed}-{number}"
        yield name, partial(maker, change, name)
