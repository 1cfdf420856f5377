"""A verb whose packages a plain installation leaves out says which extra brings them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ScarSegECGLib.cli import EXTRAS, main


@pytest.mark.parametrize("package", [package for packages in EXTRAS.values() for package in packages])
def test_a_missing_package_names_its_extra(package: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def missing(_name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{package}.client'", name=f"{package}.client")

    monkeypatch.setattr("ScarSegECGLib.cli.import_module", missing)
    assert main(["pacs", "find"]) == 2
    said = capsys.readouterr().err
    (extra,) = (extra for extra, packages in EXTRAS.items() if package in packages)
    assert said == f"scarsegecg pacs: this needs more packages: pip install 'scarsegecg[{extra}]'\n"


def test_nothing_of_an_extra_is_loaded_without_its_verb() -> None:
    """What a plain installation brings is enough for the face and for every verb but the extras' own."""
    left_out = [package for packages in EXTRAS.values() for package in packages]
    code = (
        f"import sys, importlib\nfor package in {left_out!r}: sys.modules[package] = None\n"
        "from ScarSegECGLib import segment\n"
        "for verb in ('segment', 'measure', 'export', 'ecg', 'lge', 'demo', 'evaluate', 'bench'):\n"
        "    importlib.import_module(f'ScarSegECGLib.cli.{verb}')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
