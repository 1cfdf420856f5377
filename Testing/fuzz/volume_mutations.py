"""Broken NIfTI and NRRD files for ``run_fuzz.py``: images, label maps and masks.

Numbers at their limits and beyond, every encoding that NRRD knows, names that are no text. What our readers give is
held against nibabel and pynrrd where these read the file: voxels, and the matrix where nothing was noted. A difference
is a failure: nothing may be wrong in silence.
"""

from __future__ import annotations

import gzip
import random
import struct
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import nibabel
import nrrd
import numpy as np
from dicom_mutations import BYTE_CHANGES

from ScarSegECGLib.lge.labels import read_contours, read_mask
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.lge.volume_file import Volume, read_volume

MARK = "Zzpatient"
SHAPE = (6, 40, 36)
MATRIX = np.array([[-1.05, 0.45, 4.9, 20], [-0.93, -0.51, -4.9, 90], [0.02, -1.22, 3.9, -60], [0, 0, 0, 1]])
MATRIX[:3, :3] = np.linalg.qr(MATRIX[:3, :3])[0] * [1.4, 1.4, 8.0]
FLOATS = (float("nan"), float("inf"), float("-inf"), 0.0, -0.0, -1.0, 1e38, -1e38, 1e-38, 0.5, 1.0, 1e5, 352.0, 351.9)
SHORTS = (0, 1, -1, 2, 3, 4, 7, 8, 16, 32767, -32768, 40, 1000)
# where the numbers of a NIfTI-1 header stand
NIFTI_FLOATS = (*range(76, 124, 4), *range(256, 280, 4), *range(280, 328, 4))
NIFTI_SHORTS = (*range(40, 56, 2), 68, 70, 72, 252, 254)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NUMBERS = (*_words("nan inf -inf 1e999 1e300 0 -1 1_0 ² ３ 0x10 1e-300 none +1.5"), "", "1" * 1100)
ENCODINGS = (*_words("raw gzip gz ascii text txt hex bzip2 bz2 zrl RAW Gzip"), "", "raw gzip", "gzip\t")
FIELDS = (
    *_words("type dimension sizes space endian encoding kinds spacings datafile centers content min number"),
    *("space directions", "space origin", "byte skip", "line skip", "data file", "space units", "space dimension"),
    *("Segment0_LabelValue:", "Segment0_Layer:", "Segment0_Name:", "old max", "axis mins"),
)
WORDS = (
    *_words("float double block int64 left-posterior-superior RAS scanner-xyz little big ../x /etc/passwd LIST Scar"),
    *("unsigned char", "3D-right-handed", "none none none", "(1,0,0) (0,1,0) (0,0,1)", "a%d.raw 1 2 1", MARK),
    *('"mm" "cm" "m"', "domain domain domain", "RGB-color domain domain", "36 40 6", "2 36 40 6", "36 40"),
    *("LV cavity", "99999 99999 99999"),
)


@cache
def voxels(kind: str) -> np.ndarray:
    """A heart-like label map, or an image; [slice, row, column]."""
    _, row, column = np.indices(SHAPE)
    radius = np.hypot(row - 20, column - 18)
    labels = ((radius < 8) * 1 + ((radius >= 8) & (radius < 13)) * 2).astype(np.uint8)
    labels[(labels == 2) & (column > 24)] = 3
    noise = np.random.default_rng(1).integers(0, 900, SHAPE)
    return labels if kind == "labels" else (noise + 100 * labels).astype(np.int16)


@cache
def seed_file(kind: str, form: str) -> bytes:
    """A sound file of one form."""
    with tempfile.TemporaryDirectory() as folder:
        if form.startswith("nii"):
            image = nibabel.Nifti1Image(voxels(kind).T, MATRIX)
            image.set_qform(MATRIX, 1)
            image.header["descrip"] = MARK.encode()
            path = Path(folder) / f"a.{form}"
            nibabel.save(image, path)
        else:
            directions = (np.diag([-1, -1, 1]) @ MATRIX[:3, :3]).T
            origin = np.diag([-1, -1, 1]) @ MATRIX[:3, 3]
            header = {"space": "left-posterior-superior", "space directions": directions, "space origin": origin}
            header |= {"encoding": form, "content": MARK, "kinds": ["domain"] * 3}
            if kind == "labels":
                for k, name in enumerate(("LV cavity", "Myocardium", "Scar")):
                    header |= {f"Segment{k}_Name": name, f"Segment{k}_LabelValue": str(k + 1), f"Segment{k}_Layer": "0"}
            path = Path(folder) / "a.nrrd"
            nrrd.write(str(path), voxels(kind).T, header)
            head, gap, rest = path.read_bytes().partition(b"\n\n")  # without the comment that tells today's date
            lines = [line for line in head.split(b"\n") if not line.startswith(b"#")]
            return b"\n".join(lines) + gap + rest
        return path.read_bytes()


# ---------------------------------------------------------------- changes


def nifti_numbers(rng: random.Random, data: bytes) -> bytes:
    """One number of the header, or several, at a limit, not finite, or another one's."""
    packed = data[:2] == b"\x1f\x8b"
    changed = bytearray(gzip.decompress(data) if packed else data)
    if rng.random() < 0.1:  # the other byte order, whose numbers then make no sense
        changed[0:4] = changed[0:4][::-1]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if rng.random() < 0.7:
            struct.pack_into("<f", changed, rng.choice(NIFTI_FLOATS), rng.choice(FLOATS))
        else:
            struct.pack_into("<h", changed, rng.choice(NIFTI_SHORTS), rng.choice(SHORTS))
    if rng.random() < 0.1:
        del changed[-rng.choice((1, 2, 100)) :]
    return gzip.compress(bytes(changed), 1) if packed else bytes(changed)


def nrrd_fields(rng: random.Random, data: bytes) -> bytes:
    """One field of the header, or several, changed, doubled, taken away or made up."""
    head, gap, rest = data.partition(b"\n\n")
    lines = head.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(1, len(lines)) if len(lines) > 1 else 0
        name, colon, value = lines[at].partition(b":")
        how = rng.randrange(6)
        if how == 0:
            parts = value.split(b" ")
            parts[rng.randrange(len(parts))] = rng.choice(NUMBERS).encode()
            lines[at] = name + colon + b" ".join(parts)
        elif how == 1:
            lines[at] = name + colon + b" " + rng.choice((*WORDS, *ENCODINGS, *NUMBERS)).encode()
        elif how == 2:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif how == 3 and len(lines) > 1:
            del lines[at]
        elif how == 4:
            lines.insert(max(at, 1), f"{rng.choice(FIELDS)}: {rng.choice((*WORDS, *NUMBERS))}".encode())
        else:
            lines[at] = value + colon + name
    return b"\n".join(lines) + gap + rest


def nrrd_encoding(rng: random.Random, data: bytes) -> bytes:
    """Another encoding than the data are in, with data that its parsers stumble over."""
    head, gap, rest = data.partition(b"\n\n")
    encoding = rng.choice(ENCODINGS)
    lines = [b"encoding: " + encoding.encode() if line.startswith(b"encoding") else line for line in head.split(b"\n")]
    body = rng.choice(
        (rest, b"1 " * 8640, b"7" * 1100 + b" 1" * 8640, b"ff" * 17280, gzip.compress(rest), b"", b"BZh9" + rest)
    )
    return b"\n".join(lines) + gap + body


# ---------------------------------------------------------------- reading, and what others read


def compared(path: Path) -> Volume:
    """Our reading, held against nibabel's or pynrrd's where these read the file too."""
    volume = read_volume(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs, matrix = _nrrd(path) if path.read_bytes()[:4] == b"NRRD" else _nifti(path)
        except Exception:
            return volume  # they read less than we do, or stumble
    assert theirs.shape == volume.voxels.shape, f"shape {volume.voxels.shape}, others read {theirs.shape}"
    same = np.isclose(theirs, volume.voxels, rtol=1e-5, atol=1e-30) | (np.abs(theirs) > 1e37)
    assert same.all(), "voxels differ from what others read"
    if matrix is not None and volume.orientation_known and not volume.notes:
        assert np.allclose(matrix, volume.ijk_to_ras, rtol=1e-4, atol=1e-3), "the matrix differs from what others read"
    return volume


def _nifti(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    data = path.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    image = nibabel.Nifti1Image.from_bytes(data)
    values = np.asanyarray(image.dataobj).astype(np.float64)
    unit = image.header.get_xyzt_units()[0]
    return values.reshape(values.shape[:3]).T, image.affine if unit in ("mm", "unknown") else None


def _nrrd(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    values, header = nrrd.read(str(path))
    sign = {"left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1), "right-anterior-superior": (1, 1, 1)}
    turn = sign.get(str(header.get("space", "")).lower())
    others = any(name != name.lower() for name in header)  # Teem, and we, know "Space Origin"; pynrrd does not
    if turn is None or others or "space directions" not in header or "space units" in header:
        return values.astype(np.float64).T, None
    matrix = np.eye(4)
    matrix[:3, :3] = np.asarray(header["space directions"], np.float64).T
    matrix[:3, 3] = header.get("space origin", (0, 0, 0))
    return values.astype(np.float64).T, np.diag([*turn, 1]) @ matrix


def volume_case(change: Callable[[random.Random, bytes], bytes], form: str, seed: str, folder: Path) -> object:
    """An image file changed, and read as an image."""
    rng = random.Random(seed)
    path = _named(rng, folder, form)
    path.write_bytes(change(rng, seed_file("image", form)))
    compared(path)
    return read_lge(path)


def label_case(change: Callable[[random.Random, bytes], bytes], form: str, seed: str, folder: Path) -> object:
    """A label file changed, and read beside its sound image, as contours or as a mask."""
    rng = random.Random(seed)
    (folder / "lge.nii").write_bytes(seed_file("image", "nii"))
    stack = read_lge(folder / "lge.nii")
    path = _named(rng, folder, form)
    path.write_bytes(change(rng, seed_file("labels", form)))
    if rng.random() < 0.5:
        return read_mask(path, stack)
    labels, notes = read_contours(path, stack)
    assert labels.max() <= 4 and labels.shape == stack.voxels.shape
    return labels, notes


def _named(rng: random.Random, folder: Path, form: str) -> Path:
    ending = form if form.startswith("nii") else "nrrd"
    name = rng.choice((f"a.{ending}", "a", f"M\udcfcller.{ending}", f"{MARK}.{ending}", f"\u202e\n.{ending}", "a.dcm"))
    return folder / name


def cases(seed: int, count: int) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Yield exactly ``count`` cases, the same ones for the same seed."""
    rng = random.Random(seed)
    for number in range(count):
        maker = rng.choices((volume_case, label_case), (3, 2))[0]
        form = rng.choice(("nii", "nii.gz", "raw", "gzip"))
        ours = (nifti_numbers,) if form.startswith("nii") else (nrrd_fields, nrrd_fields, nrrd_encoding)
        change = rng.choice(ours) if rng.random() < 0.75 else rng.choice(BYTE_CHANGES[:5])
        kind = maker.__name__.removesuffix("_case")
        name = f"volume-{kind}-{form}-{change.__name__}-{seed}-{number}"
        yield name, partial(maker, change, form, name)
