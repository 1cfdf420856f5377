"""Which device the networks run on."""

from __future__ import annotations

import ctypes
import re
from contextlib import suppress
from typing import TypeVar

import torch
from torch import nn

from ScarSegECGLib.errors import InputError

Network = TypeVar("Network", bound=nn.Module)
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h


def choose_device(wish: str = "auto") -> torch.device:
    """``auto`` (a GPU if torch can use one), ``cpu``, ``cuda`` or ``cuda:N``.

    InputError: an unknown name, or a GPU that is not there.
    """
    if wish == "auto":
        wish = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:(0|[1-9]\d?))?", wish, re.ASCII):
        raise InputError(f"device '{wish}' is not known; use auto, cpu, cuda or cuda:N")
    device, count = torch.device(wish), torch.cuda.device_count()
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device that torch can use was found; use --device cpu or auto")
    if device.type == "cuda" and (device.index or 0) >= count:
        raise InputError(f"there is no {wish}, only {count} CUDA device(s); use --device auto")
    return device


def place(network: Network, device: torch.device) -> Network:
    """Move a network to a device, its weights laid out channels last, which convolutions run fastest on."""
    return network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def give_back_memory() -> None:
    """Give what is free to the system, where the C library keeps it."""
    _ask_c_library("malloc_trim", 0)


def leave_no_holes() -> None:
    """From now on arrays of a megabyte and more come from the system and go back to it when they are free.

    Else the C library keeps holes of up to 32 MB, which add up to a third of what a stack of a hundred slices takes. It
    costs some time, so this is for such stacks.
    """
    _ask_c_library("mallopt", _MMAP_THRESHOLD, 2**20)


def _ask_c_library(function: str, *numbers: int) -> None:
    with suppress(OSError, AttributeError):  # not glibc
        getattr(ctypes.CDLL("libc.so.6"), function)(*numbers)
