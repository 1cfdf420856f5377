"""What Slicer installs, what the extension says of itself, and the tutorial's words."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import sys
import types
from pathlib import Path

import pytest
from defusedxml import ElementTree
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "ScarSegECG"
CMAKE = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
ENTRY = ROOT / "Resources" / "ExtensionsIndex" / "ScarSegECG.json"
SLICER_HAS = {"numpy", "scipy", "vtk", "simpleitk", "pydicom", "requests"}


def cmake(name: str) -> str:
    found = re.search(rf'set\({name} "([^"]*)"\)', CMAKE)
    assert found, name
    return found.group(1)


# Packages


def test_nothing_that_is_there_is_replaced(desk) -> None:
    """pip replaces whatever a new package asks for, unless the versions that are there are given as constraints."""
    desk.packaging.missing = {"wfdb>=4.1.2"}
    assert desk.panel.packages.ready()
    assert desk.packaging.installed == ["wfdb>=4.1.2"]
    for name in ("numpy", "scipy", "vtk"):
        assert f"{name}=={importlib.metadata.version(name)}" in desk.packaging.constraints
    assert not any(line.startswith("wfdb==") for line in desk.packaging.constraints)


def test_slicers_own_packages_are_never_installed(desk) -> None:
    desk.packaging.missing = {"pydicom>=3.0.2"}
    assert not desk.panel.packages.ready()
    assert desk.packaging.installed == []
    assert "own pydicom is too old" in desk.panel.ui.statusLabel.text


@pytest.mark.parametrize("answer", [True, False])
def test_torch_comes_through_the_extension_where_it_is(desk, monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    """PyTorchUtilsLogic.installTorch gives the module, or None where the user declined; it keeps a CUDA build."""
    asked: list[dict] = []

    class PyTorchUtilsLogic:
        def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
            asked.append({"ask": askConfirmation, "version": torchVersionRequirement})
            return types.ModuleType("torch") if answer else None

    module = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    desk.packaging.missing = {"torch>=2.8", "wfdb>=4.1.2"}
    assert desk.panel.packages.ready() == answer
    assert asked == [{"ask": True, "version": ">=2.8"}]
    assert desk.packaging.installed == (["wfdb>=4.1.2"] if answer else [])
    if not answer:
        assert "as you chose" in desk.panel.ui.packagesLabel.text


def test_an_intel_mac_is_told_plainly(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = sys.modules["ScarSegECGPanel.packages"]
    monkeypatch.setattr(packages.sys, "platform", "darwin")
    monkeypatch.setattr(packages.platform, "machine", lambda: "x86_64")
    desk.packaging.missing = {"torch>=2.8"}
    assert not desk.panel.packages.ready()
    assert "Intel Macs" in desk.panel.ui.packagesLabel.text
    assert desk.packaging.installed == []
    monkeypatch.setattr(packages.platform, "machine", lambda: "arm64")
    assert desk.panel.packages.ready()


def test_a_dicomweb_client_is_asked_for_when_it_is_first_used(desk) -> None:
    desk.packaging.missing = {"keyring>=25"}
    assert desk.panel.packages.ready() and desk.packaging.installed == []
    assert desk.panel.packages.ready("requirements-dicomweb.txt")
    assert desk.packaging.installed == ["keyring>=25"]


def test_only_what_inference_needs_is_installed() -> None:
    """Followed through the imports of every file that the panel can reach."""
    needed, seen, queue = set(), set(), [MODULE / "ScarSegECG.py", *(MODULE / "ScarSegECGPanel").glob("*.py")]
    while queue:
        path = queue.pop()
        if path in seen or path.parent.name in ("pacs", "cli", "cohort"):
            continue
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                if name.startswith(("ScarSegECGLib", "ScarSegECGPanel")):
                    file = MODULE / Path(*name.split("."))
                    queue += [found for found in (file.with_suffix(".py"), file / "__init__.py") if found.is_file()]
                else:
                    needed.add(name.split(".")[0])
    carried = importlib.metadata.packages_distributions()
    lines = (MODULE / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    installed = {Requirement(line).name.lower() for line in lines if line and not line.startswith("#")}
    wanted = {distribution.lower() for name in needed for distribution in carried.get(name, [])} - SLICER_HAS
    ours = {"scarsegecg", "slicer-core", "pillow"}  # Pillow comes with matplotlib
    assert wanted - installed - ours == set()
    assert {"monai", "pdfplumber", "dicomweb-client", "keyring", "dask"} & installed == set()


# The extension's own words, and its entry in Slicer's index


def test_the_weights_licence_is_in_the_description() -> None:
    description = cmake("EXTENSION_DESCRIPTION")
    assert "CC BY-NC-SA 4.0" in description and "research" in description.lower()
    assert "CC BY-NC-SA 4.0" in (MODULE / "ScarSegECG.py").read_text(encoding="utf-8")


def test_the_entry_for_the_extensions_index_fits_its_schema() -> None:
    """Slicer's slicer-extension-catalog-entry-schema v1.0.1: these keys, of these types, no others."""
    import jsonschema

    text = {"type": "string"}
    schema = {
        "type": "object",
        "required": ["$schema", "category", "scm_url"],
        "additionalProperties": False,
        "properties": {
            **dict.fromkeys(("$schema", "category", "scm_url", "scm_revision", "build_subdirectory"), text),
            "scm_type": {"enum": ["git", "local"]},
            "build_dependencies": {"type": "array", "items": text},
            "enabled": {"type": "boolean"},
            "tier": {"enum": [1, 3, 5]},
        },
    }
    entry = json.loads(ENTRY.read_text(encoding="utf-8"))
    jsonschema.validate(entry, schema)
    assert entry["$schema"].endswith("/slicer-extension-catalog-entry-schema-v1.0.1.json#")


def test_the_entry_passes_the_indexs_own_checks() -> None:
    """What its check_description_files.py looks at, as far as it can be told without the network."""
    entry = json.loads(ENTRY.read_text(encoding="utf-8"))
    assert ENTRY.stem == re.search(r"project\((\w+)\)", CMAKE).group(1)
    assert entry["scm_url"].startswith("https://")
    assert Path(entry["scm_url"]).stem == f"Slicer{ENTRY.stem}"
    assert entry["category"] == cmake("EXTENSION_CATEGORY") == "Cardiac"
    assert " ".join(entry["build_dependencies"]) == cmake("EXTENSION_DEPENDS") == "PyTorch"
    homepage = cmake("EXTENSION_HOMEPAGE")
    assert entry["scm_url"] == f"{homepage}.git"
    pictures = [cmake("EXTENSION_ICONURL"), *cmake("EXTENSION_SCREENSHOTURLS").split()]
    assert len(pictures) > 1
    for url in pictures:
        start = f"{homepage}/raw/{entry['scm_revision']}/"
        assert url.startswith(start) and (ROOT / url.removeprefix(start)).is_file(), url
    assert (ROOT / "LICENSE").is_file()


# The tutorial


FORM = ElementTree.parse(MODULE / "Resources" / "UI" / "ScarSegECG.ui").getroot()
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


def controls() -> set[str]:
    """What can be read on the panel."""
    told = {prop.findtext("string") or "" for prop in FORM.iter("property") if prop.get("name") in ("text", "title")}
    return {text.rstrip(":") for text in told if text}


def test_the_first_users_path_has_at_most_seven_steps() -> None:
    path = TUTORIAL.split("## Seven steps")[1].split("\n\nKeys:")[0]
    steps = re.findall(r"^(\d+)\. ", path, re.MULTILINE)
    assert steps == [str(n) for n in range(1, len(steps) + 1)] and len(steps) <= 7


def test_every_control_that_the_tutorial_names_is_there() -> None:
    text = re.sub(r"!\[.*?\]\(.*?\)|^\*[^*]{60,}\*$", "", TUTORIAL.replace("**", ""), flags=re.MULTILINE | re.DOTALL)
    named = {" ".join(found.split()).rstrip(":") for found in re.findall(r"(?<!\*)\*([^*\n][^*]{1,59})\*", text)}
    assert len(named) > 25
    assert named - controls() == set()


def test_the_keys_that_the_tutorial_names_are_there(desk) -> None:
    told = TUTORIAL.split("\nKeys:")[1].split("\n\n")[0]
    named = set(re.findall(r"`([^`]+)`", told))
    actions = desk.panel.correct.actions()
    assert named <= set(actions)
    assert len([key for key in actions if key.isdigit()]) == 7
