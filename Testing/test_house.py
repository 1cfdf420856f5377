"""Rules of the house that no single room can keep alone: structure, packaging, security."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml import ElementTree
from packaging.requirements import Requirement
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it where Python does not have it

ROOT = Path(__file__).resolve().parent.parent
MODULE = ROOT / "ScarSegECG"
LIBRARY = MODULE / "ScarSegECGLib"
ROOMS = ("lge", "ecg", "anatomy", "network", "measure", "report", "view", "export")  # data flows from left to right
SHARED = {"case", "errors", "facts", "facts_ecg", "facts_json", "wording", "wording_texts"}
TELLERS_OF_RESULTS = {"report", "view", "export"}  # they take results and know nothing of how these came about
MAX_LINES = 400


def _python_files(*folders: Path) -> list[Path]:
    return sorted(
        path for folder in folders for path in folder.rglob("*.py") if not {"__pycache__", "build"} & set(path.parts)
    )


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[str]:
    """Dotted names of everything imported anywhere in the file, relative imports resolved."""
    package = path.relative_to(MODULE).with_suffix("").parts[:-1] if MODULE in path.parents else ()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = (*package[: len(package) - node.level + 1],) if node.level else ()
            module = ".".join((*base, node.module)) if node.module else ".".join(base)
            yield from (f"{module}.{alias.name}" for alias in node.names)


@cache
def _project_files() -> tuple[Path, ...]:
    """Files under version control, or about to be; every file where there is no git (an unpacked archive)."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(git, capture_output=True, check=True).stdout.decode().split("\0")
        files = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        files = [p for p in ROOT.rglob("*") if not any(part.startswith(".") for part in p.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in files if path.is_file()))


def _text(path: Path) -> str | None:
    content = path.read_bytes()
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


# Structure


def test_no_file_is_too_long() -> None:
    lines = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in _python_files(MODULE)}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_library_knows_neither_qt_nor_slicer() -> None:
    forbidden = {"qt", "ctk", "slicer", "PySide6", "PySide2", "PyQt5", "PyQt6", "PythonQt", "ScarSegECGPanel"}
    guilty = [
        f"{_name(path)}: {name}"
        for path in _python_files(LIBRARY)
        for name in _imports(path)
        if name.split(".")[0] in forbidden
    ]
    assert guilty == []


def _allowed(room: str) -> set[str]:
    if room in SHARED:
        return SHARED
    upstream = set(ROOMS[: ROOMS.index(room) + 1]) | SHARED
    if room in TELLERS_OF_RESULTS:
        upstream -= {"network", *({"view"} - {room})}  # pictures are handed over
    return upstream


def test_rooms_import_only_what_is_upstream() -> None:
    guilty = []
    prints_itself = ("case", "ScarSegECGLib.report.present.result_lines")  # when printed, as the report tells it
    for path in _python_files(LIBRARY):
        room = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
        if room not in (*ROOMS, *SHARED):
            continue  # pipeline, cli and training use every room
        for name in _imports(path):
            package, _, rest = name.partition(".")
            target = rest.partition(".")[0]
            if (room, name) == prints_itself:
                continue
            if package == LIBRARY.name and target not in ("__version__", "Room") and target not in _allowed(room):
                guilty.append(f"{_name(path)}: {name}")
    assert guilty == []


def test_importing_a_module_loads_no_network() -> None:
    """What Slicer imports when it starts needs numpy alone; PyTorch waits until it is used."""
    code = "import sys, ScarSegECGLib.case, ScarSegECGLib.errors; print({'torch', 'monai'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=MODULE, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == "set()"


def test_every_module_can_be_imported() -> None:
    """What one room takes away, another may still ask for."""
    for module in pkgutil.walk_packages([str(LIBRARY)], "ScarSegECGLib."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


# A fact is a type, a sentence is for people


# How a name tells that it holds words made for people.
_FOR_PEOPLE = re.compile(
    r"(^|_)(notes?|warnings?|reasons?|said|remarks?|doubts?|messages?|sentences?|words|told|described|why(_\w+)?|method"
    r"|mode|remote|conduction|explanation)$"
)
_LOOKS_INTO = {
    "startswith",
    "endswith",
    "removeprefix",
    "removesuffix",
    "find",
    "index",
    "partition",
    "replace",
    "count",
}
# What is not ours to make a type of, as "file: expression".
DECIDED_BY_TEXT = {
    "ScarSegECGLib/lge/dicom_frames.py: 'PHASE SENSITIVE' in text": "what scanners write into their headers",
    "ScarSegECGLib/lge/dicom_files.py: 'MR Image' in kind.name": "the standard's own names of its storage classes",
    "ScarSegECGLib/lge/volume_file.py: 'space directions' in fields": "the name of a field of the format",
}
NOT_OURS = {"ScarSegECGPanel/packages.py": "reads what pip and PyTorch print, which have no codes"}


def _holds(node: ast.expr) -> str:
    """The name of what an expression holds, "str" for an error's text; "" where it has none."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id == "str" and "error" in ast.unparse(node):
            return "str"
        return _holds(node.func.value) if isinstance(node.func, ast.Attribute) else ""
    if isinstance(node, ast.Subscript):
        return _holds(node.value)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _for_people(node: ast.expr) -> bool:
    name = _holds(node)
    return name == "str" or _FOR_PEOPLE.search(name.lower()) is not None


def _words(node: ast.expr | None, at_least: int) -> bool:
    """Whether a constant is text of several words."""
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, str) and len(re.findall(r"[^\W\d_]{2,}", value)) >= at_least and " " in value


def _decided_by_text(tree: ast.Module) -> Iterator[ast.expr]:
    """Comparisons and calls that look into text made for people."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
                if isinstance(operator, (ast.In, ast.NotIn)):
                    a_set = isinstance(right, (ast.Tuple, ast.List, ast.Set, ast.Dict))
                    named = isinstance(right, ast.Name | ast.Call) and _for_people(right) and not _plural(right)
                    text = isinstance(left, ast.Constant) and isinstance(left.value, str)
                    if not a_set and (_words(left, 2) or named or (text and _for_people(right))):
                        yield node
                elif isinstance(operator, (ast.Eq, ast.NotEq)) and (_words(left, 2) or _words(right, 2)):
                    yield node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            sought = _words(node.args[0] if node.args else None, 2)
            if node.func.attr in _LOOKS_INTO and (sought or _for_people(node.func.value)):
                yield node


def _plural(node: ast.expr) -> bool:
    return _holds(node).lower().endswith("s")


def test_nothing_is_decided_by_looking_into_a_sentence() -> None:
    """A sentence may be reworded or translated without changing a result: decide by an enum or a field instead."""
    found = [
        f"{name}: {ast.unparse(node)}"
        for path in _python_files(MODULE)
        if (name := path.relative_to(MODULE).as_posix()) not in NOT_OURS
        for node in _decided_by_text(_tree(path))
    ]
    assert set(DECIDED_BY_TEXT) <= set(found), "an exception that is none any more"
    assert [line for line in found if line not in DECIDED_BY_TEXT] == []


# Texts that are no prose about results, though they stand outside wording.py and report/.
NO_PROSE = {
    "anatomy/lv.py": "why there is no left ventricle: a refusal",
    "cli/__init__.py": "the help",
    "cli/cohort.py": "what became of a cohort's cases",
    "cli/crew.py": "what became of a worker",
    "view/viewer/__init__.py": "HTML and script",
    "cli/evaluate.py": "figures of many cases against experts",
    "cli/export.py": "where the objects were written",
    "cli/measure.py": "the help",
    "cli/options.py": "the help, and what an option wants",
    "cli/pacs.py": "what became of a transfer",
    "cli/train.py": "how a training goes",
    "cli/segment.py": "what an option wants, and where the result was written",
    "cli/terminal.py": "what became of the print",
    "cohort/tables.py": "why a case has no result: a refusal",
    "cohort/discover.py": "what is in doubt about files: remarks in the manifest",
    "cohort/engine.py": "why there is no cluster",
    "cohort/group_pictures.py": "axes of pictures",
    "cohort/manifest.py": "mistakes in a table",
    "cohort/review.py": "mistakes in a table",
    "cohort/run.py": "why a case has no result",
    "cli/bench.py": "names of what was timed",
    "cli/demo.py": "a simulated patient beside its truth",
    "ecg/read.py": "which kinds of files are no ECG: a part of a refusal",
    "ecg/dicom_waveform.py": "why an ECG is refused",
    "ecg/recording.py": "why an ECG is refused",
    "export/atomic.py": "why a folder cannot be written",
    "face.py": "why DICOM objects were not written",
    "export/dicom/codes.py": "meanings of codes, which are written into DICOM as they are",
    "export/dicom/objects.py": "names of DICOM series",
    "export/dicom/write.py": "why images carry no objects: a refusal",
    "export/images.py": "names that Slicer gives its terminologies",
    "lge/labels.py": "why labels are refused",
    "lge/study.py": "why a series is refused, or none was taken: shown by scarsegecg lge",
    "lge/volume_file.py": "why a file is refused",
    "lge/series_kind.py": "patterns of series names, and why a series was taken or not: shown by scarsegecg lge",
    "pacs/archive.py": "an archive's failures",
    "pacs/connection.py": "an archive's failures",
}
# Training writes cards and tables of its own.
TELLERS = {"wording.py", "wording_texts.py", "report", "training"}


def _prose(tree: ast.Module) -> Iterator[str]:
    """Texts of four words and more that are neither docstring, refusal (which ``intact`` makes too) nor help."""
    passed: set[int] = set()
    refused: set[str] = set()
    for node in ast.walk(tree):
        called = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Raise) or called.endswith("Error") or called in _HELP:
            passed |= {id(inner) for inner in ast.walk(node)}
            refused |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(id(node.value))
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            passed |= {id(inner) for inner in ast.walk(node)}
        elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            passed |= {id(inner) for inner in ast.walk(node.annotation)}
    for node in tree.body:
        if isinstance(node, ast.Assign) and {ast.unparse(target) for target in node.targets} <= refused:
            passed |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in passed:
            continue
        if isinstance(node, ast.JoinedStr):
            passed |= {id(inner) for inner in ast.walk(node)}
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        pattern = any(sign in text for sign in ("(?", "\\b", ")?", "]*"))
        if not pattern and len(re.findall(r"\b[^\W\d_]{2,}\b", text)) >= 4 and " " in text:
            yield text


_HELP = {"intact", "option", "add_argument", "add_parser", "ArgumentParser", "add_argument_group", "tell"}


def test_what_is_said_of_a_result_is_worded_in_one_place() -> None:
    found = [
        f"{LIBRARY.name}/{name}: {text[:80]}"
        for path in _python_files(LIBRARY)
        if (name := path.relative_to(LIBRARY).as_posix()) not in NO_PROSE and name.split("/")[0] not in TELLERS
        for text in _prose(_tree(path))
    ]
    assert found == []


# Security


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def test_nothing_unpickles_or_evaluates() -> None:
    forbidden_modules = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    forbidden_calls = {"eval", "exec", "torch.load", "torch.jit.load", "torch.hub.load", "yaml.load", "os.system"}
    guilty = []
    for path in _python_files(MODULE):
        guilty += [f"{_name(path)}: {name}" for name in _imports(path) if name.split(".")[0] in forbidden_modules]
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call):
                keywords = {k.arg: k.value for k in node.keywords}
                allow = keywords.get("allow_pickle")
                unsafe = allow is not None and not (isinstance(allow, ast.Constant) and allow.value is False)
                if unsafe or _called(node) in forbidden_calls:
                    guilty.append(f"{_name(path)}:{node.lineno}: {ast.unparse(node)[:60]}")
    assert guilty == []


def test_xml_is_read_by_defusedxml_alone() -> None:
    harmless = {"Element", "ElementTree", "ParseError"}  # types and an error: they read nothing
    guilty = []
    for path in _python_files(MODULE):
        for name in _imports(path):
            top, last = name.split(".")[0], name.split(".")[-1]
            if top == "lxml" or (top == "xml" and last not in harmless):
                guilty.append(f"{_name(path)}: {name}")
    assert guilty == []


# Words that would tie the project to one machine; put together here so that this file does not hold them.
MACHINE_WORDS = [
    r"(?<![\w.])/" + r"work/(?:main|shared)",
    r"(?<![\w.])/" + r"opt/(?:wheels|pypi)",
    r"(?<![\w.])/" + r"root/",
    r"--(?:extra-)?" + r"index-url",
    r"--" + r"find-links",
    r"\b(?:artifactory|devpi|nexus)[.\w-]*\." + r"\w+",
]


# Somebody's home folder; a test may have one as made-up input.
HOME_WORDS = [r"(?<![\w.])/(?:home|Users)/[a-z]\w*/", r"[A-Z]:\\Users\\"]


def test_no_file_names_a_machine_or_a_package_host() -> None:
    everywhere, outside_tests = re.compile("|".join(MACHINE_WORDS)), re.compile("|".join(MACHINE_WORDS + HOME_WORDS))
    guilty = []
    for path in _project_files():
        text = _text(path)
        if text is None or path == Path(__file__).resolve():
            continue
        pattern = everywhere if ROOT / "Testing" in path.parents else outside_tests
        guilty += [
            f"{_name(path)}:{number}: {found.group()}"
            for number, line in enumerate(text.splitlines(), 1)
            if (found := pattern.search(line))
        ]
    assert guilty == []


# Packaging


def _cmake_patterns() -> list[str]:
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    globs = re.findall(r"file\(GLOB_RECURSE \w+(.*?)\)", text, flags=re.DOTALL)
    words = " ".join(globs).replace("${CMAKE_CURRENT_SOURCE_DIR}", "").split()
    return [word for word in words if word not in {"RELATIVE", "CONFIGURE_DEPENDS"}]


def _packaged_by_cmake() -> set[Path]:
    """GLOB_RECURSE applies a pattern's last part in the named folder and in all below it."""
    found = {MODULE / "ScarSegECG.py"}
    for pattern in _cmake_patterns():
        folder, _, last = pattern.rpartition("/")
        found |= set((MODULE / folder).rglob(last))
    return found


def test_cmake_packages_every_file() -> None:
    ignored = {"__pycache__", ".mypy_cache", ".ruff_cache", "scarsegecg.egg-info"}
    present = {
        path
        for path in MODULE.rglob("*")
        if path.is_file() and path.name != "CMakeLists.txt" and not ignored & set(path.relative_to(MODULE).parts)
    }
    assert sorted(_name(path) for path in present - _packaged_by_cmake()) == []


def test_wheel_packages_every_file_of_the_library() -> None:
    patterns = _pyproject()["tool"]["setuptools"]["package-data"]["ScarSegECGLib"]
    data = {path for pattern in patterns for path in LIBRARY.glob(pattern)}
    present = {
        path
        for path in LIBRARY.rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert sorted(_name(path) for path in present - data) == []
    bare = {_name(path.parent) for path in _python_files(LIBRARY) if not (path.parent / "__init__.py").is_file()}
    assert bare == set(), "a folder with code but without __init__.py is left out of the wheel"


def test_version_stands_in_one_place() -> None:
    import ScarSegECGLib

    project = _pyproject()
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "ScarSegECGLib.__version__"
    assert str(Version(ScarSegECGLib.__version__)) == ScarSegECGLib.__version__
    written = f'"{ScarSegECGLib.__version__}"'
    holders = [_name(path) for path in _python_files(MODULE) if written in path.read_text(encoding="utf-8")]
    assert holders == ["ScarSegECG/ScarSegECGLib/__init__.py"]
    try:
        installed = metadata.version("scarsegecg")
    except metadata.PackageNotFoundError:
        return
    assert installed == ScarSegECGLib.__version__, (
        "run `make test` again: pyproject.toml is older than the installation"
    )


def _requirements(lines: list[str]) -> dict[str, Requirement]:
    wanted = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {requirement.name.lower(): requirement for requirement in wanted}


def _declared(*extras: str) -> dict[str, Requirement]:
    project = _pyproject()["project"]
    return _requirements(
        [*project["dependencies"], *(r for name in extras for r in project["optional-dependencies"][name])]
    )


def test_slicer_installs_what_the_library_declares() -> None:
    """Slicer keeps its own numpy, scipy and the like; what only commands and training need is not for it."""
    declared, resources = _declared("pacs"), MODULE / "Resources"
    files = (resources / "requirements.txt", resources / "requirements-dicomweb.txt")
    in_slicer = _requirements([line for file in files for line in file.read_text(encoding="utf-8").splitlines()])
    slicers_own = {"numpy", "pillow", "requests", "scipy", "urllib3"}
    assert set(declared) - set(in_slicer) - {"pdfplumber", "tqdm"} == slicers_own
    assert {name: str(r) for name, r in in_slicer.items()} == {name: str(declared[name]) for name in in_slicer}


def test_every_direct_dependency_is_pinned_within_its_bounds() -> None:
    pins = _requirements((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    direct = _declared(*_pyproject()["project"]["optional-dependencies"])
    direct.pop("scarsegecg")
    assert set(direct) == set(pins)
    for name, requirement in direct.items():
        (pin,) = pins[name].specifier
        assert pin.operator == "==", pin
        assert requirement.specifier.contains(pin.version), f"{requirement} against {pins[name]}"


# What each extra's packages may be imported by; everything else needs what a plain installation brings.
ROOMS_OF_EXTRAS = {"pacs": ("pacs",), "cohort": ("cohort",)}
# By what carries the module: Slicer itself.
SLICERS_OWN = {"PyTorchUtils", "DICOMLib", "SampleData", "ctk", "qt", "slicer", "vtk"}


def test_everything_imported_is_declared() -> None:
    carried = metadata.packages_distributions()
    guilty = []
    for path in _python_files(MODULE):
        inside = LIBRARY in path.parents
        room = path.relative_to(LIBRARY).parts[0] if inside else "pacs"  # Slicer installs that extra too
        extras = [extra for extra, rooms in ROOMS_OF_EXTRAS.items() if room in rooms or extra == room]
        declared = set(
            _declared(*(extra for extra in extras if extra in _pyproject()["project"]["optional-dependencies"]))
        )
        for name in _imports(path):
            top = name.split(".")[0]
            ours = top.startswith("ScarSegECG") or top in sys.stdlib_module_names
            if ours or (not inside and top in SLICERS_OWN):
                continue
            if not {distribution.lower() for distribution in carried.get(top, [top])} & declared:
                guilty.append(f"{_name(path)}: {name}")
    assert guilty == []


# The Slicer module


def _ui() -> Element:
    return ElementTree.parse(MODULE / "Resources" / "UI" / "ScarSegECG.ui").getroot()


def test_panel_uses_only_widgets_of_its_form() -> None:
    names = {widget.get("name") for widget in _ui().iter("widget")}
    used = {
        node.attr
        for node in ast.walk(_tree(MODULE / "ScarSegECG.py"))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self.ui"
    }
    assert used, "the panel uses no widget?"
    assert used - names == set()


def test_form_binds_only_known_parameters() -> None:
    (state,) = (
        node
        for node in _tree(MODULE / "ScarSegECGPanel" / "casework.py").body
        if isinstance(node, ast.ClassDef) and node.name == "ScarSegECGParameterNode"
    )
    fields = {ast.unparse(node.target) for node in state.body if isinstance(node, ast.AnnAssign)}
    bound = [p.findtext("string") for p in _ui().iter("property") if p.get("name") == "SlicerParameterName"]
    assert len(bound) == len(set(bound))
    assert set(bound) <= fields  # which have no widget is in Testing/desktop/test_panel_static.py


def test_commands_are_executable() -> None:
    for name in (".ci/run",):
        assert (ROOT / name).stat().st_mode & 0o111, f"chmod +x {name}"
