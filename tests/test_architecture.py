"""The import rules of the package, checked on its import graph and in fresh interpreters."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SURFACES = ("dover_plugin.cli", "fiftyone_plugin", "vs_filter", "vsdover")
# Code that computes. It must not know how results are shown.
DOMAIN = (
    "io",
    "preprocessing",
    "readers",
    "weights",
    "networks",
    "engines",
    "analysis",
    "batch",
    "evaluation",
    "scorer",
    "scores",
    "calibration",
    "ranks",
)
PRESENTATION = {"rich", "typer", "plotly", "matplotlib", "jinja2"}
# Modules whose product is an image; they draw with matplotlib's colour maps.
DRAWS = {"dover_plugin.analysis.quality_map", "dover_plugin.analysis.quality_map_video"}

# SSIMULACRA 2 is a VapourSynth plugin.
USES_VAPOURSYNTH = {"dover_plugin.analysis.full_reference"}

type Graph = dict[str, set[str]]


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def imports(file: Path, *, lazy: bool) -> set[str]:
    """Modules that a file imports; with ``lazy`` those inside functions, too."""
    tree = ast.parse(file.read_text())
    found: set[str] = set()
    nodes: list[ast.AST] = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not lazy:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        nodes += ast.iter_child_nodes(node)
    return found


def graph(*, lazy: bool) -> Graph:
    files = {name_of(file): file for file in sources("dover_plugin")}
    return {name: imports(file, lazy=lazy) & files.keys() - {name} for name, file in files.items()}


def unit(module: str) -> str:
    """The sub-package of a module, or the module itself at the top level."""
    parts = module.split(".")
    return ".".join(parts[:2])


def by_unit(modules: Graph) -> Graph:
    units: Graph = {}
    for module, imported in modules.items():
        units.setdefault(unit(module), set()).update(unit(each) for each in imported)
    return {name: {each for each in found if each != name} for name, found in units.items()}


def cycles(nodes: Graph) -> list[list[str]]:
    """Each cycle once, as the path that a depth-first search closes."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> None:
        if node in path:
            found.append([*path[path.index(node) :], node])
            return
        if node in done:
            return
        for each in sorted(nodes.get(node, ())):
            visit(each, [*path, node])
        done.add(node)

    for node in sorted(nodes):
        visit(node, [])
    return found


def test_the_search_for_cycles_finds_one() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == [["a", "b", "c", "a"]]
    assert cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_modules_import_each_other_without_cycles() -> None:
    """Imports inside functions count, too."""
    modules = graph(lazy=True)
    modules.pop("dover_plugin")  # exports names lazily from everywhere
    assert cycles({name: found - {"dover_plugin"} for name, found in modules.items()}) == []


def test_sub_packages_import_each_other_without_cycles(capsys: pytest.CaptureFixture[str]) -> None:
    units = by_unit(graph(lazy=True))
    units.pop("dover_plugin")
    units = {name: found - {"dover_plugin"} for name, found in units.items()}
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(units)} units, {sum(map(len, units.values()))} imports between them\n"
        )
    assert cycles(units) == []


def loaded_by(statement: str, names: Iterable[str]) -> set[str]:
    """Which of ``names`` a fresh interpreter has loaded after ``statement``."""
    program = f"{statement}\nimport sys\nprint(*({set(names)!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["dover_plugin", "dover_plugin.cli", "dover_plugin.options", "dover_plugin.scorer"]
)
def test_modules_that_load_without_torch(module: str) -> None:
    assert loaded_by(f"import {module}", ["torch", "cv2", "pandas", "matplotlib"]) == set()


@pytest.mark.parametrize("surface", SURFACES)
def test_surfaces_do_not_import_torch(surface: str) -> None:
    for file in sources(surface.replace(".", "/")):
        assert not any(name.split(".")[0] == "torch" for name in imports(file, lazy=True)), file


def test_evaluation_loads_no_scorer() -> None:
    modules = ["metrics", "datasets", "results"]
    statement = "\n".join(f"import dover_plugin.evaluation.{name}" for name in modules)
    assert loaded_by(statement, ["dover_plugin.scorer", "torch", "av", "matplotlib"]) == set()


def test_domain_modules_import_no_presentation() -> None:
    for file in sources("dover_plugin"):
        module = name_of(file)
        if unit(module).removeprefix("dover_plugin.") not in DOMAIN or module in DRAWS:
            continue
        found = imports(file, lazy=True)
        assert not {name.split(".")[0] for name in found} & PRESENTATION, module
        assert not {name for name in found if unit(name).endswith((".cli", ".reporting"))}, module


def test_the_core_imports_no_surface() -> None:
    for file in sources("dover_plugin"):
        module = name_of(file)
        if unit(module) == "dover_plugin.cli" or module in USES_VAPOURSYNTH:
            continue
        heads = {name.split(".")[0] for name in imports(file, lazy=True)}
        assert not heads & {"fiftyone", "vapoursynth", "fiftyone_plugin", "vs_filter", "vsdover"}, (
            module
        )


def test_imports_open_no_file_of_the_package() -> None:
    """Data files are read when they are needed, not when a module is imported."""
    modules = [
        name_of(file)
        for file in sources("dover_plugin")
        if unit(name_of(file)).removeprefix("dover_plugin.") in (*DOMAIN, "cli", "reporting")
        and "openvino" not in file.name
        and "onnxruntime" not in file.name
        and "ray" not in file.name
    ]
    program = (
        "import importlib, sys\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: opened.append(str(args[0])) "
        "if event == 'open' else None)\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(*(path for path in opened if 'dover_plugin/data' in path))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == []
