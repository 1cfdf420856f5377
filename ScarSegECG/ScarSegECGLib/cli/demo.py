"""``scarsegecg demo``: the embedded phantom patient through the main job."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("--out", type=Path, default=Path("demo-output"), metavar="DIR", help="default: demo-output")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another number makes another phantom patient")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="where the networks run")
