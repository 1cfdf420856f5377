"""Broken ECG files: real samples where they are at hand, and files written by the tests, mutated by a seeded plan.

The interface is the one :mod:`run_fuzz` describes. Of every ten cases nine mutate a seed file (bits flipped, bytes
replaced, pieces cut out, doubled or taken from another file, numbers made huge, text replaced), one is hostile by
construction (entity bombs, traversal, links, sizes that lie, streams that unpack to gigabytes).
"""

from __future__ import annotations

import base64
import functools
import os
import re
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
for _folder in (ROOT / "Testing" / "ecg", ROOT / "ScarSegECG"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import exported_files as exported  # noqa: E402
from ecg_files import dicom_ecg, multiplex_group, save, write_wfdb  # noqa: E402
from synthetic_ecg import synthetic_ecg  # noqa: E402

from ScarSegECGLib.case import LEADS  # noqa: E402
from ScarSegECGLib.ecg.median_beat import median_beat  # noqa: E402
from ScarSegECGLib.ecg.read import read_ecg  # noqa: E402
from ScarSegECGLib.report.ecg import file_lines  # noqa: E402

MARK = exported.PATIENT
# One seed is one or more files; the first is the one that is read.
Seed = tuple[tuple[str, bytes], ...]
LARGEST_SEED = 500_000


def read(path: Path) -> object:
    """What a user's file goes through: reading, the preview, and, where it is read, the median beat."""
    ecg = read_ecg(path)
    if not np.isfinite(ecg.millivolts).all() or ecg.lead_mask.sum() < 8:
        raise AssertionError("an ECG came through that has missing values or leads")
    file_lines(ecg)
    return median_beat(ecg)


@functools.cache
def seeds() -> dict[str, Seed]:
    """The files to start from, by name; the samples are left out where they are not at hand."""
    found: dict[str, Seed] = {}
    ecg = synthetic_ecg(seconds=4.0)[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, write in (
            ("muse.xml", exported.write_muse),
            ("aecg.xml", exported.write_aecg),
            ("sierra.xml", exported.write_sierra),
            ("scp.scp", exported.write_scp),
            ("edf.edf", exported.write_edf),
            ("ishne.ecg", exported.write_ishne),
            ("csv.csv", exported.write_csv),
        ):
            written = write(folder / kind, ecg)
            found[f"generated {kind}"] = ((kind, written.read_bytes()),)
        dataset = dicom_ecg(multiplex_group(ecg))
        dataset.PatientName = dataset.PatientID = MARK
        found["generated dicom.dcm"] = (("dicom.dcm", save(dataset, folder / "d").read_bytes()),)
        for label, header in (
            ("generated wfdb", write_wfdb(folder, ecg, comments=(f"Name: {MARK}",))),
            ("generated cinc", exported.write_cinc(folder, ecg).with_suffix(".hea")),
        ):
            signal = next(path for path in folder.glob(f"{header.stem}.*") if path != header)
            found[label] = ((header.name, header.read_bytes()), (signal.name, signal.read_bytes()))
    shared = Path(os.environ.get("SCARSEGECG_DATA", ROOT.parent / "shared" / "data")) / "ecg"
    for path in sorted([*shared.glob("formats*/*/*"), *shared.glob("cinc2021/E0750*.hea")]):
        if path.name == "LICENSE" or path.stat().st_size > LARGEST_SEED:
            continue
        files = [path] if path.suffix != ".hea" else [path, path.with_suffix(".mat")]
        found[f"sample {path.name}"] = tuple((one.name, one.read_bytes()) for one in files)
    return found


# Mutations of one file's bytes.


def flip_bits(data: bytearray, random: np.random.Generator, _other: bytes) -> bytearray:
    """A few bits, anywhere or in the first kilobyte."""
    reach = len(data) if random.random() < 0.5 else min(len(data), 1024)
    for place in random.integers(0, max(reach, 1), size=int(random.integers(1, 12))):
        if place < len(data):
            data[place] ^= 1 << int(random.integers(8))
    return data


def overwrite(data: bytearray, random: np.random.Generator, _other: bytes) -> bytearray:
    """A run of bytes by 0, 255 or noise."""
    start = int(random.integers(0, max(len(data), 1)))
    length = min(int(random.integers(1, 64)), len(data) - start)
    fill = [bytes(length), b"\xff" * length, random.bytes(length)][int(random.integers(3))]
    data[start : start + length] = fill
    return data


def truncate(data: bytearray, random: np.random.Generator, _other: bytes) -> bytearray:
    """The end is missing."""
    return data[: int(random.integers(0, max(len(data), 1)))]


def cut_out(data: bytearray, random: np.random.Generator, _other: bytes) -> bytearray:
    """A piece is missing."""
    start = int(random.integers(0, max(len(data), 1)))
    del data[start : start + int(random.integers(1, 4096))]
    return data


def double(data: bytearray, random: np.random.Generator, _other: bytes) -> bytearray:
    """A piece comes twice."""
    start = int(random.integers(0, max(len(data), 1)))
    piece = data[start : start + int(random.integers(1, 4096))]
    return data[:start] + piece * int(random.integers(2, 5)) + data[start:]


def splice(data: bytearray, random: np.random.Generator, other: bytes) -> bytearray:
    """The beginning of one file, the end or a piece of another."""
    start = int(random.integers(0, max(len(data), 1)))
    begin = int(random.integers(0, max(len(other), 1)))
    if random.random() < 0.5:
        return data[:start] + bytearray(other[begin:])
    return data[:start] + bytearray(other[begin : begin + 2048]) + data[start:]


def huge_number(data: bytearray, random: np.random.Generator, _other: bytes) -> bytearray:
    """Digits of the text replaced by more, or a binary number in the first kilobyte by an extreme one."""
    numbers = list(re.finditer(rb"\d+(\.\d+)?", bytes(data[:200_000])))
    extreme = [b"99999999999", b"0", b"-1", b"4294967295", b"1e308", b"nan", b"2147483648", b"0.0000001"]
    if numbers and random.random() < 0.6:
        match = numbers[int(random.integers(len(numbers)))]
        return data[: match.start()] + extreme[int(random.integers(len(extreme)))] + data[match.end() :]
    place = int(random.integers(0, max(min(len(data), 1024) - 4, 1)))
    value = [0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF][int(random.integers(8))]
    data[place : place + 4] = struct.pack("<I", value)
    return data


def other_text(data: bytearray, random: np.random.Generator, _other: bytes) -> bytearray:
    """A word of the text replaced by something that text should not hold."""
    words = list(re.finditer(rb"[A-Za-z]{3,}", bytes(data[:200_000])))
    if not words:
        return flip_bits(data, random, b"")
    match = words[int(random.integers(len(words)))]
    odd = [b"", b"\0", b"../../etc/passwd", b"%s%n", b"A" * 5000, b"\xff\xfe", "\u202e\u0130".encode(), b"<", b"&x;"]
    return data[: match.start()] + odd[int(random.integers(len(odd)))] + data[match.end() :]


MUTATIONS = (flip_bits, overwrite, truncate, cut_out, double, splice, huge_number, other_text)


# Files that are hostile by construction.


def entity_bomb(folder: Path, random: np.random.Generator) -> Path:
    """Billion laughs, a quadratic blow-up, or an outside entity, inside each kind of XML ECG."""
    root = ["AnnotatedECG", "RestingECG", "restingecgdata"][int(random.integers(3))]
    kind = int(random.integers(3))
    if kind == 0:
        entities = '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 12))
        body = "&a11;"
    elif kind == 1:
        entities, body = f'<!ENTITY a "{"x" * 50_000}">', "&a;" * 50_000
    else:
        entities, body = '<!ENTITY a SYSTEM "file:///etc/passwd">', "&a;"
    path = folder / "bomb.xml"
    encoding = ["utf-8", "utf-16", "latin-1"][int(random.integers(3))]
    text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE {root} [{entities}]><{root}>{body}</{root}>'
    path.write_bytes(text.encode(encoding))
    return path


def deep_xml(folder: Path, random: np.random.Generator) -> Path:
    """Elements within elements, or hundreds of thousands beside each other."""
    root = ["AnnotatedECG", "RestingECG", "restingecgdata"][int(random.integers(3))]
    count = int(random.integers(1000, 400_000))
    body = "<a>" * count + "</a>" * count if random.random() < 0.5 else "<a/>" * count
    path = folder / "deep.xml"
    path.write_text(f"<{root}>{body}</{root}>")
    return path


def lzw_bomb(folder: Path, random: np.random.Generator) -> Path:
    """Philips' compression made to unpack to hundreds of times its size."""
    size = int(random.integers(10_000, 400_000))
    codes = [256 + k for k in range(767)] if random.random() < 0.5 else [1022]
    bits = format(65, "010b") + "".join(format(codes[min(k, len(codes) - 1)], "010b") for k in range(size))
    packed = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    chunk = struct.pack("<IHH", len(packed), 0, 0) + packed
    ecg = synthetic_ecg(seconds=4.0)[0]
    path = exported.write_sierra(folder / "lzw.xml", ecg)
    text = path.read_bytes().decode("utf-16")
    data = base64.b64encode(chunk * 2).decode()
    attribute = ['compression="XLI"', 'compressmethod="xli" other=">"'][int(random.integers(2))]
    text = re.sub(r"<parsedwaveforms ([^>]*)>[^<]*", lambda m: f"<parsedwaveforms {attribute} {m[1]}>{data}", text)
    path.write_bytes(text.encode("utf-16"))
    return path


def header_elsewhere(folder: Path, random: np.random.Generator) -> Path:
    """A WFDB header that names a signal file outside its folder, or a link to one."""
    ecg = synthetic_ecg(seconds=4.0)[0]
    inside = folder / "inside"
    inside.mkdir()
    names = [
        "../rec.dat",
        str(folder / "rec.dat"),
        "/etc/passwd",
        "http://example.org/rec.dat",
        "..\\rec.dat",
        "rec.dat",
    ]
    write_wfdb(folder, ecg)
    name = names[int(random.integers(len(names)))]
    header = write_wfdb(inside, ecg, signal_file=name)
    if name == "rec.dat":
        (inside / "rec.dat").unlink()
        (inside / "rec.dat").symlink_to(folder / "rec.dat" if random.random() < 0.5 else "/dev/zero")
    return header


def lying_sizes(folder: Path, random: np.random.Generator) -> Path:
    """Headers that declare billions of samples, leads or records."""
    ecg = synthetic_ecg(seconds=4.0)[0]
    huge = int(2 ** random.integers(17, 32)) - 1
    kind = int(random.integers(6))
    if kind == 0:
        header = write_wfdb(folder, ecg)
        text = header.read_text().replace(f" {ecg.millivolts.shape[1]}\n", f" {huge}\n", 1)
        if random.random() < 0.5:
            text = text.replace(".dat 16 ", f".dat {['8', '212', '16x100000', '508', '24+999999999'][huge % 5]} ")
        header.write_text(text)
        return header
    if kind == 1:
        path = exported.write_scp(folder / "a.scp", ecg)
        data = path.read_bytes()
        return _written(path, data.replace(struct.pack("<I", ecg.millivolts.shape[1]), struct.pack("<I", huge)))
    if kind == 2:
        path = exported.write_edf(folder / "a.edf", ecg)
        data = bytearray(path.read_bytes())
        where, length = [(236, 8), (244, 8), (252, 4), (184, 8)][int(random.integers(4))]
        data[where : where + length] = str(huge)[:length].ljust(length).encode()
        return _written(path, bytes(data))
    if kind == 3:
        path = exported.write_ishne(folder / "a.ecg", ecg)
        data = bytearray(path.read_bytes())
        data[int(random.choice([10, 14, 18, 22, 156, 272])) :][:4] = struct.pack("<I", huge)
        return _written(path, bytes(data))
    if kind == 4:
        group = multiplex_group(ecg)
        group.NumberOfWaveformSamples = huge
        return save(dicom_ecg(group), folder / "a.dcm")
    path = exported.write_cinc(folder, ecg)
    return _written(path, struct.pack("<5i", 30, 12, huge & 0x7FFFFFFF, 0, 4) + path.read_bytes()[20:])


def odd_table(folder: Path, random: np.random.Generator) -> Path:
    """Tables whose statements, names or cells are not what they should be."""
    ecg = synthetic_ecg(seconds=4.0)[0]
    path = exported.write_csv(folder / "table.csv", ecg)
    odd = ["1e999", "nan", "inf", "", "0x10", "1,5", "١", "'", '"', "=1+1", MARK]
    lines = path.read_text().splitlines()
    for _ in range(int(random.integers(1, 4))):
        row = int(random.integers(0, 12))
        parts = re.split(r"([,:])", lines[row])
        parts[int(random.integers(len(parts)))] = odd[int(random.integers(len(odd)))]
        lines[row] = "".join(parts)
    if random.random() < 0.3:
        nested = "[" * 100_000 if random.random() < 0.5 else '{"rate_hz": 1e400, "unit": ["mV"]}'
        (folder / "table.json").write_text(nested)
        lines = lines[2:]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def xml_counts(folder: Path, random: np.random.Generator) -> Path:
    """Counts of channels, samples and seconds in XML at and beyond any limit."""
    ecg = synthetic_ecg(seconds=4.0)[0]
    write, encoding = [
        (exported.write_sierra, "utf-16"),
        (exported.write_muse, "latin-1"),
        (exported.write_aecg, "utf-8"),
    ][int(random.integers(3))]
    path = write(folder / "counts.xml", ecg)
    text = path.read_bytes().decode(encoding)
    counts = list(re.finditer(r"(?<=[\">])\d{1,6}(\.\d+)?(?=[\"<])", text))
    match = counts[int(random.integers(len(counts)))]
    odd = ["999999999", "4294967296", "-1", "0", "1e308", "inf", "nan", "9" * 300, "1_0", "²", "0x7fffffff", "1e-308"]
    text = text[: match.start()] + odd[int(random.integers(len(odd)))] + text[match.end() :]
    return _written(path, text.encode(encoding))


def odd_names(folder: Path, random: np.random.Generator) -> Path:
    """Leads named as nobody expects: signs, brackets, other scripts, twice the same, a patient's name."""
    ecg = synthetic_ecg(seconds=4.0)[0]
    odd = [
        "-aVR",
        "aVR(-)",
        "I-II",
        "DI",
        "\u2160",
        "II",
        "V1",
        "(",
        "[mV]",
        "-",
        "\u2212",
        "--I",
        "I" * 63,
        MARK,
        "\u202e",
        "",
    ]
    names = list(LEADS)
    for _ in range(int(random.integers(1, 6))):
        names[int(random.integers(12))] = odd[int(random.integers(len(odd)))]
    if random.random() < 0.5:
        return write_wfdb(folder, ecg, labels=tuple(name or "x" for name in names))
    path = exported.write_csv(folder / "names.csv", ecg)
    first, second, _, *rows = path.read_text().splitlines()
    path.write_text("\n".join([first, second, ",".join(names), *rows]) + "\n", encoding="utf-8")
    return path


def odd_gains(folder: Path, random: np.random.Generator) -> Path:
    """Gains, offsets and rates that are 0, negative, infinite or no number."""
    ecg = synthetic_ecg(seconds=4.0)[0]
    odd = ["0", "-1", "1e308", "-1e308", "1e-308", "nan", "inf", "-inf", "", "1,5", "1e"][int(random.integers(11))]
    kind = int(random.integers(4))
    if kind == 0:
        return write_wfdb(folder, ecg, gain=f"{odd}/mV")
    if kind == 1:
        group = multiplex_group(ecg)
        channel = group.ChannelDefinitionSequence[int(random.integers(12))]
        names = ("ChannelSensitivity", "ChannelSensitivityCorrectionFactor", "ChannelBaseline", "ChannelTimeSkew")
        name = names[int(random.integers(4))]
        setattr(channel, name, "7")
        path = save(dicom_ecg(group), folder / "a.dcm")
        tag = struct.pack("<HH", channel[name].tag.group, channel[name].tag.element) + b"DS"
        text = (odd[:4] or " ").encode().ljust(len(odd[:4] or " ") + len(odd[:4] or " ") % 2)
        data = path.read_bytes().replace(tag + b"\x02\x007 ", tag + struct.pack("<H", len(text)) + text)
        return _written(path, data)
    if kind == 2:
        path = exported.write_edf(folder / "a.edf", ecg)
        data = bytearray(path.read_bytes())
        signals = int(data[252:256])
        where = 256 + [104, 112, 120, 128][int(random.integers(4))] * signals + 8 * int(random.integers(12))
        data[where : where + 8] = odd[:8].ljust(8).encode()
        return _written(path, bytes(data))
    path = exported.write_aecg(folder / "a.xml", ecg)
    text = path.read_text()
    old = ['scale value="2.5"', 'origin value="0"', 'increment value="'][int(random.integers(3))]
    new = old.replace("2.5", odd).replace('"0"', f'"{odd}"') if "increment" not in old else f'increment value="{odd}'
    return _written(path, text.replace(old, new, 1 + int(random.integers(12))).encode())


HOSTILE = (
    entity_bomb,
    deep_xml,
    lzw_bomb,
    header_elsewhere,
    lying_sizes,
    odd_table,
    xml_counts,
    odd_names,
    odd_gains,
)


def cases(seed: int, count: int) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Yield ``count`` cases; case k of a seed is the same whatever the count."""
    names = sorted(seeds())
    for k in range(count):
        random = np.random.default_rng((seed, k))
        if k % 10 == 9:
            make = HOSTILE[(k // 10) % len(HOSTILE)]
            yield f"{seed}/{k} {make.__name__}", functools.partial(_hostile, make, seed, k)
            continue
        start = names[int(random.integers(len(names)))]
        mutation = MUTATIONS[int(random.integers(len(MUTATIONS)))]
        yield f"{seed}/{k} {start} {mutation.__name__}", functools.partial(_mutated, start, mutation, seed, k)


def _hostile(make: Callable[[Path, np.random.Generator], Path], seed: int, k: int, folder: Path) -> object:
    return read(make(folder, np.random.default_rng((seed, k, 1))))


def _mutated(start: str, mutation: Callable, seed: int, k: int, folder: Path) -> object:
    random = np.random.default_rng((seed, k, 1))
    files = list(seeds()[start])
    others = sorted(seeds())
    other = seeds()[others[int(random.integers(len(others)))]][0][1]
    hit = int(random.integers(len(files)))
    for _ in range(int(random.choice([1, 1, 2, 4]))):
        name, data = files[hit]
        files[hit] = (name, bytes(mutation(bytearray(data), random, other)))
    for name, data in files:
        (folder / name).write_bytes(data)
    return read(folder / files[0][0])


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
