"""The notebook of docs/ runs from top to bottom, and what is shown in it is what it gives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra docs")
nbclient = pytest.importorskip("nbclient", reason="needs the extra docs")

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "example.ipynb"


def outputs(notebook) -> list[list[str]]:
    """Kinds of what every code cell shows."""
    return [
        [kind for output in cell.outputs for kind in sorted(output.get("data", {output.output_type: ""}))]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "ScarSegECG"), os.environ.get("PYTHONPATH", "")]))
    shown = nbformat.read(NOTEBOOK, as_version=4)
    run = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(run, timeout=600, kernel_name="python3").execute()
    assert outputs(run) == outputs(shown), "jupyter execute --inplace docs/example.ipynb"
    assert any("image/png" in kinds for kinds in outputs(run))
