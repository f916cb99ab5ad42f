"""Rules of the design that a reader could break without noticing."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for room in ("poc", "core", "server", "xdms") for path in (ROOT / room).rglob("*.py"))


def test_there_are_sources() -> None:
    assert len(SOURCES) > 100


def calls(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            found.append(function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", ""))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_sleeps(path: Path) -> None:
    assert "sleep" not in calls(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", sorted((ROOT / "core").rglob("*.py")), ids=lambda path: path.name)
def test_the_core_knows_no_poc(path: Path) -> None:
    assert not re.search(r"g\.poc|poc-settings", path.read_text())


def test_the_top_level_is_the_one_that_was_asked_for() -> None:
    names = {"pyproject.toml", "README.md", "poc", "core", "server", "xdms", "tests", "docker-compose.yml"}
    assert names - {path.name for path in ROOT.iterdir()} <= {"docker-compose.yml"}
