"""Myocardial scar in LGE MRI with the help of the 12-lead ECG and the AHA-17 anatomy.

>>> from ScarSegECGLib import bullseye, export, measure, read_ecg, read_lge, segment  # doctest: +SKIP
>>> result = segment(read_lge("lge.nii.gz"), read_ecg("ecg.hea"), mri_date="2024-03-14")  # doctest: +SKIP
>>> print(result)  # doctest: +SKIP
>>> measure(result, "fwhm", contrast="magnitude").scar.percent_of_lv  # doctest: +SKIP
>>> bullseye(result).figure.savefig("eye.png")  # doctest: +SKIP
>>> export(result, "result")  # doctest: +SKIP
"""

import os
from importlib import import_module
from types import ModuleType
from typing import Any

# Idle threads of torch's OpenMP wait instead of spinning: on a busy machine spinning ones made a case take ten times as
# long. Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KMP_BLOCKTIME", "0")

__version__ = "0.2.0"
__all__ = ["bullseye", "export", "measure", "read_ecg", "read_lge", "segment"]


class Room(ModuleType):
    """``measure`` and ``export`` are rooms of the library and, called, what the public face has under that name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Do what the function of the same name in :mod:`ScarSegECGLib.face` does."""
        return getattr(import_module("ScarSegECGLib.face"), self.__name__.rpartition(".")[2])(*arguments, **options)


def __getattr__(name: str) -> Any:
    """Load the face when it is asked for: Slicer imports the package when it starts, and PyTorch is to wait."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in ("export", "measure"):
        return import_module(f"{__name__}.{name}")
    return getattr(import_module(f"{__name__}.face"), name)
