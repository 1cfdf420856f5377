"""What packed ECG data would unpack to, told without unpacking them.

SCP-ECG declares samples and beats as numbers of up to 4 billion; Philips' XLI compression turns one byte into up to
600. Both are bounded here, by what a resting ECG can hold, before a parser allocates anything.
"""

from __future__ import annotations

import struct
from base64 import b64decode
from pathlib import Path
from xml.etree.ElementTree import Element

from ScarSegECGLib.errors import InputError

MOST_LEADS = 32
MOST_SAMPLES = 60 * 4000
MOST_BEATS = 600
_LZW_BITS = 10


def require_scp_bounds(path: Path) -> None:
    """Raise InputError where an SCP-ECG file declares more leads, samples or beats than a resting ECG has.

    Section 3 (EN 1064) has the number of leads, then first and last sample of each; section 4 the number of beats.
    """
    data = path.read_bytes()
    refused = InputError("The ECG file declares more samples than a resting ECG has, or is damaged: export it again.")
    try:
        length = min(struct.unpack_from("<I", data, 10)[0], len(data))
        for position in range(22, 6 + length - 9, 10):
            section, size, index = struct.unpack_from("<HII", data, position)
            body = data[index + 15 : index - 1 + size] if index and size else b""
            if section == 3 and body:
                spans = [struct.unpack_from("<II", body, 2 + 9 * k) for k in range(body[0])]
                if len(spans) > MOST_LEADS or any(last - first >= MOST_SAMPLES for first, last in spans):
                    raise refused
            if section == 4 and len(body) >= 6 and struct.unpack_from("<H", body, 4)[0] > MOST_BEATS:
                raise refused
    except struct.error:
        raise refused from None


def require_sierra_bounds(root: Element) -> None:
    """Raise InputError where the waveforms of a Philips XML file would unpack to more than a resting ECG has.

    An XLI block is a number of chunks, one per lead: 4 bytes of length, 4 others, and codes of 10 bits (LZW) for
    bytes, two of which make a sample.
    """
    for element in root.iter("parsedwaveforms"):
        if not any(value.strip().upper() == "XLI" for value in element.attrib.values()):
            continue
        text = "".join([element.text or "", *(child.tail or "" for child in element)])
        try:
            packed = b64decode("".join(text.split()), validate=True)
        except ValueError:
            continue  # damaged: the parser says so
        chunks = position = 0
        while position + 8 <= len(packed):
            size = int.from_bytes(packed[position : position + 4], "little", signed=True)
            position += 8
            if size <= 0 or size > len(packed) - position:
                break  # not XLI, or damaged
            chunks += 1
            if chunks > MOST_LEADS or _unpacks_beyond(packed[position : position + size], 2 * MOST_SAMPLES):
                raise InputError("The ECG file would unpack to more than a resting ECG: refused.")
            position += size


def _unpacks_beyond(packed: bytes, most: int) -> bool:
    """Whether LZW codes of 10 bits unpack to more than ``most`` bytes; only lengths are followed."""
    lengths = [1] * 256
    total = previous = 0
    for k in range(len(packed) * 8 // _LZW_BITS):
        start = k * _LZW_BITS
        word = int.from_bytes(packed[start // 8 : start // 8 + 3].ljust(3, b"\0"), "big")
        code = (word >> (24 - _LZW_BITS - start % 8)) & 0x3FF
        if code == 0x3FF:
            break
        length = lengths[code] if code < len(lengths) else previous + 1
        if previous and len(lengths) < 0x3FF:
            lengths.append(previous + 1)
        previous = length
        total += length
        if total > most:
            return True
    return False
