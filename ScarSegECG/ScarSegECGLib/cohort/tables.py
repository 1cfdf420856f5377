"""The tables for statistics. What a column is called, means and is taken from stands once, in ``columns.csv``."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from ScarSegECGLib.cohort.cells import as_csv
from ScarSegECGLib.cohort.flags import Flag, Weight, shared_inputs, words_of
from ScarSegECGLib.cohort.records import CASES, CaseRecord, failure_of, record_of, result_of
from ScarSegECGLib.export.atomic import whole_file, write_text

TABLES = ("patients", "segments", "ecg")
DICTIONARY = "data_dictionary.csv"
DONE, NO_RESULT = "done", "no result"


@dataclass(frozen=True)
class Column:
    """A column; ``source`` is where its value stands in a :class:`Patient`, names joined by dots."""

    table: str
    name: str
    kind: str
    unit: str
    meaning: str
    source: str


@dataclass(frozen=True)
class Patient:
    """All that is kept of one case: ``record`` and ``result`` are as their JSON, ``flags`` also those of the cohort."""

    case: str
    record: CaseRecord | None
    result: dict[str, Any] | None
    flags: tuple[Flag, ...]
    trouble: str = ""
    review: Mapping[str, str] | None = None

    @property
    def status(self) -> str:
        """Whether there is a result."""
        return NO_RESULT if self.result is None else DONE

    @property
    def alarms(self) -> int:
        """Flags that say that the figures are probably wrong."""
        return sum(flag.weight is Weight.ALARM for flag in self.flags)


@cache
def columns() -> tuple[Column, ...]:
    """Every column of every table."""
    text = (resources.files(__package__) / "columns.csv").read_text(encoding="utf-8")
    return tuple(Column(*row) for row in list(csv.reader(text.splitlines()))[1:])


def patients_of(out: Path, names: Sequence[str], reviews: Mapping[str, Mapping[str, str]]) -> list[Patient]:
    """Every case of the manifest, in its order, with what is kept of it.

    Where its last try failed, a result of other input or options that lies there still does not count.
    """
    records = {name: failure_of(out, name) or record_of(out, name) for name in names}
    hashes = {
        name: {what: state.sha256 for what, state in record.inputs.items()}
        for name, record in records.items()
        if record is not None
    }
    shared = shared_inputs(hashes)
    told = []
    for name in names:
        record = records[name]
        result = result_of(out, name) if record is not None and not record.trouble else None
        own = (*shared.get(name, ()), *(record.flags if record else ()))
        flags = tuple(flag for flag in Flag if flag in own)
        trouble = record.words if record else ""
        if record is None and (out / CASES / name).exists():
            trouble = "made by an earlier version, or changed by hand: call cohort run again"
        told.append(Patient(name, record, result, flags, trouble, reviews.get(name)))
    return told


def write_tables(out: Path, patients: Sequence[Patient]) -> None:
    """Write every table as CSV and as Parquet, and the data dictionary.

    Raises
    ------
    InputError
        A file cannot be written.
    """
    rows: dict[str, list[tuple[Patient, dict[str, Any] | None]]] = {
        "patients": [(patient, None) for patient in patients],
        "segments": [(patient, segment) for patient in patients if patient.result for segment in _segments(patient)],
        "ecg": [(patient, None) for patient in patients if patient.result and patient.result["ecg"]["present"]],
    }
    for name in TABLES:
        _write_table(out, name, [column for column in columns() if column.table == name], rows[name])
    told = [(c.table, c.name, c.kind, c.unit, c.meaning, c.source) for c in columns()]
    told += [("flags", f.value, f.weight.value, "", ": ".join(words_of(f)), "patients.flags") for f in Flag]
    write_text(out / DICTIONARY, as_csv(("table", "column", "type", "unit", "meaning", "source"), told))


def _segments(patient: Patient) -> Iterable[dict[str, Any]]:
    assert patient.result is not None
    expert = patient.record.expert if patient.record else None
    shares = expert["segments"] if expert else []
    for k, segment in enumerate(patient.result["segments"]):
        yield segment | {"expert_scar_percent": shares[k] if k < len(shares) else None}


def _write_table(
    out: Path, name: str, chosen: Sequence[Column], rows: Sequence[tuple[Patient, dict[str, Any] | None]]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = [[value_of(column, patient, segment) for column in chosen] for patient, segment in rows]
    write_text(out / f"{name}.csv", as_csv([column.name for column in chosen], values))
    kinds = {"text": pa.string(), "number": pa.float64(), "integer": pa.int64(), "yes/no": pa.bool_()}
    fields = [
        pa.field(c.name, kinds[c.kind], metadata={"unit": c.unit, "meaning": c.meaning, "source": c.source})
        for c in chosen
    ]
    by_column = list(zip(*values, strict=True)) if values else [()] * len(chosen)
    arrays = [pa.array(cells, field.type) for cells, field in zip(by_column, fields, strict=True)]
    with whole_file(out / f"{name}.parquet") as partial:
        pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), partial)


def value_of(column: Column, patient: Patient, segment: Mapping[str, Any] | None = None) -> Any:
    """One cell: text, float, int, bool or None."""
    at: Any = {"segment": segment} if column.source.startswith("segment.") else patient
    for name in column.source.split("."):
        if at is None:
            return None
        if isinstance(at, Mapping):
            at = at.get(name)
        elif isinstance(at, list | tuple):
            at = at[int(name)]
        else:
            at = getattr(at, name)
    if isinstance(at, list | tuple):
        return " ".join(str(one.value if isinstance(one, Flag) else one) for one in at)
    if column.kind == "number" and at is not None:
        return float(at)
    return at
