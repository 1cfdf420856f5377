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
    Interval,
    LgeStack,
    ScarResult,
    SegmentRow,
    Storage,
    TimeGap,
)
from ScarSegECGLib.facts import Conduction, Contrast, from_plain, to_plain
from ScarSegECGLib.measure.islands import island_patterns
from ScarSegECGLib.measure.parts import scar_parts
from ScarSegECGPanel.arrays import packed, unpacked

VERSION = 2


def digestOf(voxels: NDArray) -> str:
    """What tells one image from another."""
    return hashlib.sha256(np.ascontiguousarray(voxels, np.float32).tobytes()).hexdigest()


def toDict(result: ScarResult, conduction: Conduction) -> dict[str, Any]:
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
        "conduction": str(conduction),
        "arrays": packed(arrays),
        "stack": {
            "axes": stack.storage.axes,
            "flips": stack.storage.flips,
            "ijk_to_ras": stack.ijk_to_ras.tolist(),
            "stored_ijk_to_ras": stack.stored_ijk_to_ras.tolist(),
            "acquired": _fromDate(stack.acquired),
            "contrast": str(stack.contrast),
            "orientation_known": stack.orientation_known,
            "sha256": stack.sha256,
            "notes": to_plain(stack.notes),
        },
        "ecg": None
        if ecg is None
        else {
            "rate": ecg.rate,
            "acquired": _fromDate(ecg.acquired),
            "date_trusted": ecg.date_trusted,
            "device_ms": ecg.device_ms,
            "sha256": ecg.sha256,
            "notes": to_plain(ecg.notes),
            "stated_paced": ecg.stated_paced,
        },
        "use": {
            "amplitude": result.ecg_use.amplitude,
            "reasons": to_plain(result.ecg_use.reasons),
            "days": result.ecg_use.gap.days,
            "event_between": result.ecg_use.gap.event_between,
            "problem": to_plain(result.ecg_use.gap.problem),
        },
        "anatomy": {
            "division": to_plain(anatomy.division),
            "imaged": anatomy.imaged,
            "notes": to_plain(anatomy.notes),
        },
        "scar": dataclasses.asdict(result.scar),
        "scar_image_only": dataclasses.asdict(result.scar_image_only),
        "mvo": dataclasses.asdict(result.mvo) if result.mvo else None,
        "ecg_findings": _fromFindings(result.ecg_findings),
        "segments": [{name: to_plain(value) for name, value in vars(row).items()} for row in result.segments],
        "cavity_ml": result.cavity_ml,
        "myocardium_ml": result.myocardium_ml,
        "method": to_plain(result.method),
        "weights_sha256": result.weights_sha256,
        "warnings": to_plain(result.warnings),
        "input_warnings": to_plain(result.input_warnings),
        "interval": dataclasses.asdict(result.interval) if result.interval else None,
        "confidence": to_plain(result.confidence),
        "timings": result.timings,
    }


def fromDict(saved: dict[str, Any], storedVoxels: NDArray) -> tuple[ScarResult, Conduction]:
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
        contrast=Contrast(kept["contrast"]),
        orientation_known=kept["orientation_known"],
        sha256=kept["sha256"],
        notes=from_plain(kept["notes"]),
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
            notes=from_plain(meta["notes"]),
            stated_paced=meta["stated_paced"],
        )
    use = saved["use"]
    gap = TimeGap(use["days"], use["event_between"], from_plain(use["problem"]))
    result = ScarResult(
        stack=stack,
        ecg=ecg,
        ecg_use=EcgUse(use["amplitude"], from_plain(use["reasons"]), gap),
        anatomy=Anatomy(
            cavity=arrays["cavity"],
            myocardium=arrays["myocardium"],
            aha=arrays["aha"],
            centres_mm=arrays["centres"],
            insertions_deg=arrays["insertions"],
            insertion_confidence=arrays["confidence"],
            division=from_plain(saved["anatomy"]["division"]),
            imaged=tuple(saved["anatomy"]["imaged"]),
            notes=from_plain(saved["anatomy"]["notes"]),
            insertions_raw_deg=arrays.get("raw_insertions"),
        ),
        labels=arrays["labels"],
        scar_probability=arrays["probability"],
        scar_probability_image_only=arrays["alone"],
        cavity_ml=saved["cavity_ml"],
        myocardium_ml=saved["myocardium_ml"],
        scar=Burden(**saved["scar"]),
        scar_image_only=Burden(**saved["scar_image_only"]),
        segments=tuple(SegmentRow(**{k: from_plain(v) for k, v in row.items()}) for row in saved["segments"]),
        method=from_plain(saved["method"]),
        weights_sha256=saved["weights_sha256"],
        warnings=from_plain(saved["warnings"]),
        input_warnings=from_plain(saved["input_warnings"]),
        timings=saved["timings"],
        ecg_findings=_toFindings(saved.get("ecg_findings")),
        mvo=Burden(**saved["mvo"]) if saved.get("mvo") else None,
        interval=_toInterval(saved["interval"]),
        confidence=from_plain(saved["confidence"]),
    )
    cavity, wall, scar = result.anatomy.cavity, result.anatomy.myocardium, result.labels == SCAR
    # What the scar is made of follows from the images.
    patterns = island_patterns(scar, cavity, wall, stack.spacing)
    result = dataclasses.replace(result, parts=scar_parts(stack, cavity, wall, scar), patterns=patterns)
    return result, Conduction(saved["conduction"])


_PER_LEAD = ("q_ms", "q_mv", "r_ms", "r_mv", "s_ms", "s_mv")


def _fromFindings(found: EcgFindings | None) -> dict[str, Any] | None:
    if found is None:
        return None
    saved = dataclasses.asdict(found)
    saved["features"]["conduction"] = str(found.features.conduction)
    for name in _PER_LEAD:
        saved["features"][name] = getattr(found.features, name).tolist()
    for name in ("q_waves_remark", "score_remark"):
        saved[name] = to_plain(getattr(found, name))
    return saved


def _toFindings(saved: dict[str, Any] | None) -> EcgFindings | None:
    if saved is None:
        return None
    features = dict(saved["features"])
    for name in _PER_LEAD:
        features[name] = np.array(features[name], np.float32)
        if features[name].shape != (len(LEADS),):
            raise ValueError("the ECG's waves are not those of 12 leads")
    features["conduction"] = Conduction(features["conduction"])
    leads = saved["q_waves"]
    told = {**saved, "q_waves": None if leads is None else tuple(leads)}
    told |= {name: from_plain(saved[name]) for name in ("q_waves_remark", "score_remark")}
    try:
        told["features"] = EcgFeatures(**{**features, "from_device": tuple(features["from_device"])})
        return EcgFindings(**told)
    except TypeError:
        raise ValueError("the ECG's findings are not as they were written") from None


def _toInterval(saved: dict[str, Any] | None) -> Interval | None:
    return Interval(tuple(saved["ml"]), tuple(saved["percent_of_lv"]), saved["level"]) if saved else None


def _fromDate(date: datetime | None) -> str:
    return date.isoformat() if date else ""


def _toDate(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
