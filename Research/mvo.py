"""Microvascular obstruction found inside an expert's scar, against what the expert drew as such."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ScarSegECGLib.anatomy.aha import divide
from ScarSegECGLib.case import MVO
from ScarSegECGLib.facts import Contrast
from ScarSegECGLib.lge.read import with_contrast
from ScarSegECGLib.measure.expert import case_folders, load_case
from ScarSegECGLib.measure.measurements import contours_of, drawn_scar, measure


def main() -> None:
    """Print how much of the experts' MVO is found, and how much is found where they drew none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path, metavar="DIR", help="a folder of Case_*/Case_*_{img,seg}.nii.gz")
    rows = []
    for folder in case_folders(parser.parse_args().cases):
        case = load_case(folder)
        stack, labels = with_contrast(case.stack, Contrast.PSIR), case.labels
        scar, drawn = drawn_scar(labels)
        if not scar.any():
            continue
        found = measure(stack, divide(stack, *contours_of(labels)), scar).parts.labels == MVO
        both = np.count_nonzero(found & drawn)
        rows.append((*(stack.voxel_ml * np.count_nonzero(mask) for mask in (found, drawn)), stack.voxel_ml * both))
    for half, name in enumerate(("the limit was chosen on", "tested on")):
        found, drawn, both = np.array(rows[half::2]).T
        has = drawn > 0
        dice = 2 * both[has] / (found + drawn)[has]
        off = (found - drawn)[has]
        print(f"{name}: {len(found)} patients with infarct, in {has.sum()} of whom the expert drew MVO")
        print(
            f"  there {found[has].sum():.1f} of {drawn[has].sum():.1f} ml found, mean Dice {dice.mean():.2f}, ", end=""
        )
        print(f"off by {np.median(off):+.1f} ml (median), {off[np.abs(off).argmax()]:+.1f} at worst")
        print(f"  in the others {found[~has].mean():.2f} ml on average, {found[~has].max():.2f} at most")


if __name__ == "__main__":
    main()
