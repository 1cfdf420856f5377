"""A result as a dict for JSON, for a scene's text node and for the journal: arrays as compressed base64.

The images themselves are not in it: they are the volume node's. What the scar is made of is measured again from
them. Nothing in it names a patient.
"""

import dataclasses
import hashlib
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import (
    LEADS,
    SCAR,
    Anatomy,
    Burden,
    Ecg,
    EcgFeatures,
    EcgFindings,
    EcgUse,
    LgeStack,
    ScarResult,
    SegmentRow,
    Storage,
    TimeGap,
)
from ScarSegECGLib.measure.doubts import mask_doubts
from ScarSegECGLib.measure.pattern import island_patterns
from ScarSegECGLib.measure.result import counted
from ScarSegECGLib.measure.scar_parts import scar_parts
from ScarSegECGPanel.arrays import packed, unpacked
from ScarSegECGPanel.recompute import imageOnly

VERSION = 1


def digestOf(voxels: NDArray) -> str:
    """What tells one image from another."""
    return hashlib.sha256(np.ascontiguousarray(voxels, np.float32).tobytes()).hexdigest()


def toDict(result: ScarResult, conduction: str) -> dict[str, Any]:
    """Everything but the images."""
    stack, ecg, anatomy = result.stack, result.ecg, result.anatomy
    arrays: dict[str, NDArray] = {
        "labels": result.labels,
        "probability": result.scar_probability,
        "alone": result.scar_probability_image_only,
        "cavity": anatomy.cavity,
        "myocardium": anatomy.myocardium,
        "aha": anatomy.aha,
        "centres": anatomy.centres_mm,
        "insertions": anatomy.insertions_deg,
        "confidence": anatomy.insertion_confidence,
    }
    if anatomy.insertions_raw_deg is not None:
        arrays["raw_insertions"] = anatomy.insertions_raw_deg
    if ecg is not None:
        arrays |= {"millivolts": ecg.millivolts, "leads": ecg.lead_mask}
    return {
        "version": VERSION,
        "image": digestOf(stack.voxels),
        "conduction": conduction,
        "arrays": packed(arrays),
        "stack": {
            "axes": stack.storage.axes,
            "flips": stack.storage.flips,
            "ijk_to_ras": stack.ijk_to_ras.tolist(),
            "stored_ijk_to_ras": stack.stored_ijk_to_ras.tolist(),
            "acquired": _fromDate(stack.acquired),
            "contrast": stack.contrast,
            "orientation_known": stack.orientation_known,
            "sha256": stack.sha256,
            "notes": stack.notes,
        },
        "ecg": None
        if ecg is None
        else {
            "rate": ecg.rate,
            "acquired": _fromDate(ecg.acquired),
            "date_trusted": ecg.date_trusted,
            "device_ms": ecg.device_ms,
            "sha256": ecg.sha256,
            "notes": ecg.notes,
        },
        "use": {**dataclasses.asdict(result.ecg_use), "gap": dataclasses.asdict(result.ecg_use.gap)},
        "anatomy": {"mode": anatomy.mode, "imaged": anatomy.imaged, "notes": anatomy.notes},
        "scar": dataclasses.asdict(result.scar),
        "scar_image_only": dataclasses.asdict(result.scar_image_only),
        "mvo": dataclasses.asdict(result.mvo) if result.mvo else None,
        "ecg_findings": _fromFindings(result.ecg_findings),
        "segments": [dataclasses.asdict(row) for row in result.segments],
        "cavity_ml": result.cavity_ml,
        "myocardium_ml": result.myocardium_ml,
        "method": result.method,
        "weights_sha256": result.weights_sha256,
        "warnings": result.warnings,
        "input_warnings": result.input_warnings,
        "timings": result.timings,
    }


def fromDict(saved: dict[str, Any], storedVoxels: NDArray) -> tuple[ScarResult, str]:
    """The result and the ECG's conduction class.

    Parameters
    ----------
    storedVoxels : array
        The volume node's, in the file's own order.

    Raises
    ------
    ValueError
        Another version, another image than the one that was segmented, or arrays that are not a case's.
    """
    if saved.get("version") != VERSION:
        raise ValueError("saved by another version")
    kept = saved["stack"]
    storage = Storage(tuple(kept["axes"]), tuple(kept["flips"]))
    voxels = storage.to_canonical(np.asarray(storedVoxels, np.float32))
    if digestOf(voxels) != saved["image"]:
        raise ValueError("the images are not the ones that were segmented")
    stack = LgeStack(
        voxels=voxels,
        ijk_to_ras=np.array(kept["ijk_to_ras"]),
        storage=storage,
        stored_ijk_to_ras=np.array(kept["stored_ijk_to_ras"]),
        acquired=_toDate(kept["acquired"]),
        contrast=kept["contrast"],
        orientation_known=kept["orientation_known"],
        sha256=kept["sha256"],
        notes=tuple(kept["notes"]),
    )
    arrays = unpacked(saved["arrays"], voxels.shape)
    ecg = None
    if saved["ecg"] is not None:
        meta = saved["ecg"]
        ecg = Ecg(
            millivolts=arrays["millivolts"],
            lead_mask=arrays["leads"],
            rate=meta["rate"],
            acquired=_toDate(meta["acquired"]),
            date_trusted=meta["date_trusted"],
            device_ms=meta["device_ms"],
            sha256=meta["sha256"],
            notes=tuple(meta["notes"]),
        )
    use = saved["use"]
    result = ScarResult(
        stack=stack,
        ecg=ecg,
        ecg_use=EcgUse(use["amplitude"], use["reason"], TimeGap(**use["gap"])),
        anatomy=Anatomy(
            cavity=arrays["cavity"],
            myocardium=arrays["myocardium"],
            aha=arrays["aha"],
            centres_mm=arrays["centres"],
            insertions_deg=arrays["insertions"],
            insertion_confidence=arrays["confidence"],
            mode=saved["anatomy"]["mode"],
            imaged=tuple(saved["anatomy"]["imaged"]),
            notes=tuple(saved["anatomy"]["notes"]),
            insertions_raw_deg=arrays.get("raw_insertions"),
        ),
        labels=arrays["labels"],
        scar_probability=arrays["probability"],
        scar_probability_image_only=arrays["alone"],
        cavity_ml=saved["cavity_ml"],
        myocardium_ml=saved["myocardium_ml"],
        scar=Burden(**saved["scar"]),
        scar_image_only=Burden(**saved["scar_image_only"]),
        segments=tuple(SegmentRow(**row) for row in saved["segments"]),
        method=saved["method"],
        weights_sha256=saved["weights_sha256"],
        warnings=tuple(saved["warnings"]),
        input_warnings=tuple(saved.get("input_warnings", ())),
        timings=saved["timings"],
        ecg_findings=_toFindings(saved.get("ecg_findings")),
        mvo=Burden(**saved["mvo"]) if saved.get("mvo") else None,
    )
    cavity, wall, scar = result.anatomy.cavity, result.anatomy.myocardium, result.labels == SCAR
    # What the scar is made of follows from the images.
    patterns = island_patterns(scar, cavity, wall, stack.spacing)
    result = dataclasses.replace(result, parts=scar_parts(stack, cavity, wall, scar), patterns=patterns)
    return _asMeasuredNow(result, saved), saved["conduction"]


def _asMeasuredNow(result: ScarResult, saved: dict[str, Any]) -> ScarResult:
    """What a scene of an earlier version lacks, made from what it has; one of this version as it is."""
    stack, anatomy, scar, use = result.stack, result.anatomy, result.labels == SCAR, result.ecg_use
    if "input_warnings" not in saved:
        ofMasks = mask_doubts(anatomy, scar, stack.spacing, result.patterns)
        told = tuple(line for line in result.warnings if line not in ofMasks)
        result = dataclasses.replace(result, input_warnings=told)
    if all("mvo_ml" in row for row in saved["segments"]):
        return result
    # Its table has no parts of the scar, and its highest transmurality is of another rule.
    alone = imageOnly(result)
    said = [row.ecg_percent for row in result.segments]
    percent = said if any(value is not None for value in said) else None
    figures = counted(stack, anatomy, scar, alone, alone, use, saved["conduction"], percent, result.input_warnings)
    return dataclasses.replace(result, **figures)


_PER_LEAD = ("q_ms", "q_mv", "r_ms", "r_mv", "s_ms", "s_mv")


def _fromFindings(found: EcgFindings | None) -> dict[str, Any] | None:
    if found is None:
        return None
    saved = dataclasses.asdict(found)
    for name in _PER_LEAD:
        saved["features"][name] = getattr(found.features, name).tolist()
    return saved


def _toFindings(saved: dict[str, Any] | None) -> EcgFindings | None:
    if saved is None:
        return None
    features = dict(saved["features"])
    for name in _PER_LEAD:
        features[name] = np.array(features[name], np.float32)
        if features[name].shape != (len(LEADS),):
            raise ValueError("the ECG's waves are not those of 12 leads")
    leads = saved["q_waves"]
    told = {**saved, "q_waves": None if leads is None else tuple(leads)}
    try:
        told["features"] = EcgFeatures(**{**features, "from_device": tuple(features["from_device"])})
        return EcgFindings(**told)
    except TypeError:
        raise ValueError("the ECG's findings are not as they were written") from None


def _fromDate(date: datetime | None) -> str:
    return date.isoformat() if date else ""


def _toDate(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
