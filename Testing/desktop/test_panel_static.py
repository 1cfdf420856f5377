"""What can be told of the panel without running it: names, forms, files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from defusedxml import ElementTree

MODULE = Path(__file__).resolve().parents[2] / "ScarSegECG"
PANEL = sorted((MODULE / "ScarSegECGPanel").glob("*.py"))
SCRIPTS = [MODULE / "ScarSegECG.py", *PANEL]
FORM = ElementTree.parse(MODULE / "Resources" / "UI" / "ScarSegECG.ui").getroot()
WIDGET = re.compile(r"(?:self|self\.panel|panel)\.ui\.(\w+)")
NAMED = re.compile(r"\w+(?:Button|SpinBox|CheckBox)")
WIDGETS = {widget.get("name"): widget.get("class") for widget in FORM.iter("widget")}


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for path in SCRIPTS:
        yield path.name, ast.parse(path.read_text(encoding="utf-8"))


def _source(node: ast.AST) -> str:
    return ast.unparse(node)


def _widget_of(node: ast.AST, local: dict[str, str]) -> str:
    """Name of the form's widget that an expression stands for, "" if it stands for none."""
    found = WIDGET.fullmatch(_source(node))
    return found.group(1) if found else local.get(_source(node), "")


def _uses() -> Iterator[tuple[str, str, str]]:
    """(file, widget, attribute) for every attribute used on a widget of the form, also through a local name."""
    for name, tree in _trees():
        for function in [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.Lambda))]:
            local: dict[str, str] = {}
            for node in ast.walk(function):
                if isinstance(node, ast.Assign):
                    targets, values = node.targets[0], node.value
                    pairs = (
                        zip(targets.elts, values.elts, strict=False)
                        if isinstance(targets, ast.Tuple) and isinstance(values, ast.Tuple)
                        else [(targets, values)]
                    )
                    for target, value in pairs:
                        widget = _widget_of(value, {})
                        if isinstance(target, ast.Name) and widget:
                            local[target.id] = widget
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute):
                    widget = _widget_of(node.value, local)
                    if widget:
                        yield name, widget, node.attr


def _form_names_used() -> set[str]:
    used = set()
    for _name, tree in _trees():
        for node in ast.walk(tree):
            widget = WIDGET.fullmatch(_source(node)) if isinstance(node, ast.Attribute) else None
            if widget:
                used.add(widget.group(1))
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if NAMED.fullmatch(text):  # getattr(self.ui, name)
                used.add(text)
    return used


def test_every_name_used_is_in_the_form() -> None:
    used = _form_names_used()
    assert len(used) > 40
    assert used - set(WIDGETS) == set()


def test_every_attribute_used_on_a_widget_exists_in_slicer() -> None:
    pytest.importorskip("PySide6")
    from standin_qt import API, offered, qt_class

    uses = sorted(set(_uses()))
    assert len(uses) > 50
    missing = []
    for file, widget, attribute in uses:
        kind = WIDGETS[widget]
        if kind in API:
            known = offered(kind)
        else:
            meta = qt_class(kind).staticMetaObject
            known = set(dir(qt_class(kind))) | {meta.property(i).name() for i in range(meta.propertyCount())}
        if attribute not in known | {"connect", "disconnect"}:
            missing.append(f"{file}: {widget} ({kind}).{attribute}")
    assert missing == []


def test_no_property_is_called_like_a_method() -> None:
    """``edit.text()`` works with PySide and fails inside Slicer."""
    pytest.importorskip("PySide6")
    from standin_qt import API, properties, qt_class

    guilty = []
    for name, tree in _trees():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            widget = _widget_of(node.func.value, {})
            if not widget:
                continue
            kind = WIDGETS[widget]
            if kind in API:
                found = node.func.attr in properties(kind)
            else:
                found = qt_class(kind).staticMetaObject.indexOfProperty(node.func.attr) >= 0
            if found:
                guilty.append(f"{name}:{node.lineno}: {_source(node)}")
    assert guilty == []


def test_the_form_sets_only_properties_that_its_classes_have() -> None:
    pytest.importorskip("PySide6")
    from standin_qt import API, offered, qt_class

    wrong = []
    for widget in FORM.iter("widget"):
        kind = widget.get("class")
        names = {p.get("name") for p in widget.findall("property")} - {"SlicerParameterName"}
        if kind in API:
            known = set(offered(kind))
        else:
            meta = qt_class(kind).staticMetaObject
            known = {meta.property(i).name() for i in range(meta.propertyCount())}
        wrong += [f"{widget.get('name')} ({kind}).{name}" for name in names - known]
    assert wrong == []


def test_names_of_the_form_are_unique() -> None:
    names = [element.get("name") for kind in ("widget", "layout", "spacer") for element in FORM.iter(kind)]
    assert len(names) == len(set(names))


def test_the_form_binds_only_known_parameters() -> None:
    tree = dict(_trees())["casework.py"]
    (state,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "ScarSegECGParameterNode")
    fields = {_source(node.target) for node in state.body if isinstance(node, ast.AnnAssign)}
    bound = [p.findtext("string") for p in FORM.iter("property") if p.get("name") == "SlicerParameterName"]
    assert len(bound) == len(set(bound))
    # What has no widget: paths, which have no connector for text, and the nodes that the panel makes itself.
    own = {"ecgPath", "outputTable", "resultText", "insertionPoints", "alignedVolume", "influenceVolume"}
    assert set(bound) == fields - own


def test_every_script_is_packaged() -> None:
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "ScarSegECGPanel/*.py" in text
    for path in PANEL:
        assert path.parent.name == "ScarSegECGPanel"
    for suffix in {path.suffix for path in (MODULE / "Resources").rglob("*") if path.is_file()}:
        assert f"Resources/*{suffix}" in text


def test_no_file_of_the_panel_is_long() -> None:
    long = {p.name: n for p in SCRIPTS if (n := len(p.read_text(encoding="utf-8").splitlines())) >= 400}
    assert long == {}


def test_the_list_of_slicer_classes_covers_the_form() -> None:
    pytest.importorskip("PySide6")
    from standin_qt import API, QT_MODULES

    unknown = {k for k in WIDGETS.values() if k not in API and not any(hasattr(m, k) for m in QT_MODULES)}
    assert unknown == set()


def test_the_form_says_what_the_module_is_for() -> None:
    from ScarSegECGLib.wording import RESEARCH_USE

    (label,) = [w for w in FORM.iter("widget") if w.get("name") == "purposeLabel"]
    assert next(p for p in label if p.get("name") == "text").findtext("string") == RESEARCH_USE
