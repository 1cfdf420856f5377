"""Sentences without what may name a patient."""

from __future__ import annotations

import re

_FILE_ENDINGS = r"(?:nii(?:\.gz)?|nrrd|nhdr|mh[ad]|img|hdr|dcm|ima|hea|mat|dat|xml|scp|edf|ecg|json|csv|txt|zip)"
_LAST_PART = rf"(?:[^\\/\n:;'\"]*?\.{_FILE_ENDINGS}\b|[^\s\\/:;,'\"]*)"
_PATH = re.compile(
    rf"(?:file:)?(?:"
    rf"(?<![\w/.])~?/(?=[^\s/])(?:[^/\n:;'\"]+/)+{_LAST_PART}"
    rf"|\b[A-Za-z]:[\\/](?:[^\\/\n:;'\"]+[\\/])*{_LAST_PART}"
    rf"|\\\\(?:[^\\\n:;'\"]+\\)+{_LAST_PART}"
    rf"|[^\s'\"]+\.{_FILE_ENDINGS}\b"
    rf")",
    re.IGNORECASE,
)


def without_paths(sentence: str) -> str:
    """The sentence with every path or file name replaced by "[file]": such names often hold a patient's name."""
    found = 1
    while found:  # behind a name may come more of its path
        sentence, found = _PATH.subn("[file]", sentence)
    return sentence
