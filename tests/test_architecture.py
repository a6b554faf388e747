"""The shape of the package: layers, sizes, and what an import must leave alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import trimtab
from trimtab.bench.imports import HEAVY

PACKAGE = Path(trimtab.__file__).parent
ROOT = PACKAGE.parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PACKAGES = (
    "agents",
    "app",
    "bench",
    "cli",
    "datasets",
    "domains",
    "evals",
    "graphs",
    "ledger",
    "models",
    "rag",
    "release",
    "search",
    "tracking",
    "training",
)
MAX_LINES = 300
# spelled in halves, so that this file does not find itself
LEFT_OPEN = tuple(a + b for a, b in (("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK")))
DUMPING_GROUNDS = {"utils", "common", "helpers", "core", "manager", "base", "misc"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_of_the_design_exists_and_says_what_it_is(package: str) -> None:
    source = (PACKAGE / package / "__init__.py").read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source))


def test_packages_are_one_level_deep() -> None:
    assert [_name(path) for path in SOURCES if len(path.relative_to(PACKAGE).parts) > 2] == []


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_module_has_a_docstring_and_at_most_300_lines(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source))
    lines = source.count("\n")
    assert lines <= MAX_LINES


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=_name)
def test_nothing_is_left_open_and_nothing_is_mocked(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert [word for word in LEFT_OPEN if word in source] == []
    imported = {
        alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    } | {
        node.module or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
    }
    assert not {name for name in imported if "mock" in name.split(".")}


def test_no_module_is_a_dumping_ground() -> None:
    assert [_name(path) for path in SOURCES if path.stem in DUMPING_GROUNDS] == []


def test_no_module_shadows_the_standard_library() -> None:
    # inside a package a name is safe; at the top level it would be found first from the root
    top = {path.stem for path in PACKAGE.glob("*.py")}
    assert not {name for name in top if name in sys.stdlib_module_names and name != "__init__"}


def test_package_files_re_export_and_do_nothing_else() -> None:
    doing = [
        _name(PACKAGE / package / "__init__.py")
        for package in PACKAGES
        for node in ast.parse((PACKAGE / package / "__init__.py").read_text()).body
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr | ast.Assign)
    ]
    assert doing == []


def test_the_layers_and_borders_hold() -> None:
    # in a process of its own: the linter switches off the loggers of whatever runs it
    code = "import sys, importlinter.cli as c; sys.exit(c.lint_imports(no_cache=True))"
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stdout + child.stderr


def test_the_import_leaves_heavy_libraries_alone() -> None:
    code = "import json, sys, trimtab; print(json.dumps(sorted(sys.modules)))"
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(json.loads(child.stdout)).isdisjoint(HEAVY)


def test_the_import_touches_neither_environment_nor_logging() -> None:
    code = (
        "import logging, os; before = dict(os.environ); import trimtab;"
        "assert dict(os.environ) == before; assert not logging.getLogger().handlers"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
