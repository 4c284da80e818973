"""The rooms of the package, as docs/architecture.md shows them: who may import whom."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "shoal"

# A room imports from rows above its own and from rooms named earlier in its row. A room may be planned: named here before it exists.
ROWS = (
    (
        *("errors", "interval", "measurements", "recipe", "records", "parameters", "space", "default_space", "storage"),
        *("explanations", "settings_file", "recipe_file", "space_file", "saved_run", "live_record", "progress"),
    ),
    (
        *("data", "losses", "metrics", "averages", "noise", "orthogonal", "calibration", "decision", "ensemble_selection"),
        *("nets", "suitability"),
    ),
    ("schedules", "optimisers"),
    ("training", "probes"),
    ("devices", "population", "model", "trainer"),
    ("references", "gradcheck", "experiments", "diagnose", "answers"),
    (
        *(
            "samplers",
            "halving",
            "rehearsal",
            "plan",
            "effort",
            "ensemble",
            "distillation",
            "study",
            "run_folder",
            "recording",
            "search",
            "planner",
            "winner",
            "sampler_comparison",
            "report",
            "live_recording",
            "loggers",
        ),
        *(
            "diagnosis",
            "loop",
            "assessment",
            "result",
            "intake",
            "job",
            "improve",
            "comparison",
            "refit",
            "try_change",
            "measure_more",
            "new_rows",
            "augmented_pictures",
        ),
    ),
    ("estimators", "export"),
    ("__init__", "commands", "cli"),
)
ORDER = [room for row in ROWS for room in row]
RECORDS_ONLY = {*ROWS[0], "report"}
"""Rooms that work without the engine, and so never load it."""
ENGINE = {"jax", "jaxlib", "optax", "torch"}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}
LONGEST_FILE = 650

SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = {".".join(("shoal", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path for path in SOURCES}


def room_of(module: str) -> str:
    """``shoal.data.tables`` is in the room ``data``, ``shoal`` itself is ``__init__``."""
    return [*module.split("."), "__init__"][1]


def package_of(module: str) -> str:
    is_package = module in MODULES and MODULES[module].name == "__init__.py"
    return module if is_package else module.rpartition(".")[0]


def imported_names(module: str, node: ast.AST) -> list[str]:
    """The dotted names that an import statement asks for: ``from shoal.data import tables`` gives ``shoal.data.tables``."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parents = package_of(module).split(".")
            base = ".".join(filter(None, [*parents[: len(parents) - node.level + 1], base]))
        return [f"{base}.{alias.name}" for alias in node.names]
    return []


def owner(name: str) -> str:
    """The module behind a dotted name: of ``shoal.recipe.Recipe`` it is ``shoal.recipe``, of ``shoal.__version__`` it is ``shoal``."""
    while "." in name and name not in MODULES and not (name.count(".") == 1 and room_of(name) in ORDER):
        name = name.rpartition(".")[0]
    return name


def is_internal(name: str) -> bool:
    return name == "shoal" or name.startswith("shoal.")


def violations(module: str, source: str) -> Iterator[str]:
    """Every way in which a module with this source breaks the rules, in words."""
    room = room_of(module)
    if room not in ORDER:
        yield f"{module} is in no room: add it to ROWS and to docs/architecture.md"
        return
    if DRAWERS & set(module.split(".")):
        yield f"{module} is a drawer for leftovers: name it after what it holds"
    if len(source.splitlines()) > LONGEST_FILE:
        yield f"{module} has more than {LONGEST_FILE} lines: split it by noun"
    earlier = set(ORDER[: ORDER.index(room)]) if room not in RECORDS_ONLY else set(ROWS[0]) & set(ORDER[: ORDER.index(room)])
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for name in imported_names(module, node):
            if room in RECORDS_ONLY and name.split(".")[0] in ENGINE:
                yield f"{module} imports {name.split('.')[0]}, but works on records alone"
            if is_internal(name) and room_of(owner(name)) not in {*earlier, room}:
                yield f"{module} imports {owner(name)}, which is not above it"
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        lazy_table_of_contents = module == "shoal" and getattr(function, "name", "") == "__getattr__"
        for node in ast.walk(function):
            if any(is_internal(name) for name in imported_names(module, node)):
                yield f"{module} imports from shoal inside a function (line {getattr(node, 'lineno', '?')})"
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func).endswith(("import_module", "__import__"))
                and not lazy_table_of_contents
            ):
                yield f"{module} imports by name inside a function (line {node.lineno})"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_keeps_to_its_room(module: str):
    assert list(violations(module, MODULES[module].read_text())) == []


def test_no_two_modules_import_each_other():
    graph = {module: set[str]() for module in MODULES}
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            graph[module] |= {owner(name) for name in imported_names(module, node) if is_internal(name)} - {module, "shoal"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("shoal.losses", "from shoal.training import Trainer", "not above it"),
        ("shoal.losses", "import shoal.improve", "not above it"),
        ("shoal.losses", "from shoal import improve", "not above it"),
        ("shoal.losses", "from shoal import __version__", "not above it"),
        ("shoal.losses", "from .train import Trainer", "not above it"),
        ("shoal.nets.layers", "from ..train import Trainer", "not above it"),
        ("shoal.recipe", "if TYPE_CHECKING:\n    from shoal.records import Run", "not above it"),
        ("shoal.report.page", "from shoal.metrics import score", "not above it"),
        ("shoal.report.page", "import jax.numpy as jnp", "works on records alone"),
        ("shoal.records", "def read():\n    from jax import numpy", "works on records alone"),
        ("shoal.improve", "def improve():\n    from shoal.data import tables", "inside a function"),
        ("shoal.improve", "def improve():\n    importlib.import_module('shoal.data')", "by name inside a function"),
        ("shoal", "def __getattr__(name):\n    from shoal import improve", "inside a function"),
        ("shoal.data.utils", "", "drawer for leftovers"),
        ("shoal.kitchen_sink", "", "in no room"),
        ("shoal.training", "\n" * (LONGEST_FILE + 1), f"more than {LONGEST_FILE} lines"),
    ],
)
def test_a_violation_is_caught(module: str, source: str, complaint: str):
    found = list(violations(module, source))
    assert len(found) >= 1
    assert any(complaint in text for text in found), found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("shoal.records", "from shoal.recipe import Recipe"),
        ("shoal.training", "import jax\nfrom shoal import losses, optimisers\nfrom shoal.nets.layers import dense"),
        ("shoal.data.tables", "from shoal.data.columns import Column\nfrom .columns import Column"),
        ("shoal.report.page", "import plotly\nfrom shoal.records import Run"),
        ("shoal.gradcheck", "def of_module(module):\n    import torch"),
        ("shoal.cli", "from shoal import __version__\nfrom shoal.improve import improve"),
        ("shoal", "def __getattr__(name):\n    return getattr(importlib.import_module(HOMES[name]), name)"),
    ],
)
def test_good_manners_pass(module: str, source: str):
    assert list(violations(module, source)) == []


def test_the_architecture_page_shows_the_same_rooms():
    rows: dict[int, list[str]] = {}
    for line in (ROOT / "docs" / "architecture.md").read_text().splitlines():
        if cells := re.match(r"\| (\d) \| ([^|]+) \|", line):
            rows.setdefault(int(cells[1]), []).extend(re.findall(r"`(\w+)(?:\.py|/)`", cells[2]))
    assert rows == {number: list(row) for number, row in enumerate(ROWS)}
