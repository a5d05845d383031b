"""The tables that say which test shows what name tests that there are, and the public table names pages that there are."""

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
INDEX = ROOT / "docs" / "recipe" / "index.md"


def rows_of(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def functions_of(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", ["test_rows.py", "test_lessons.py"])
def test_every_test_that_a_table_names_exists(name: str) -> None:
    named = [row[1] for row in rows_of(ast.get_docstring(ast.parse((HERE / name).read_text())) or "")]
    assert len(named) > 10
    for test in named:
        file, _, function = test.rpartition("::")
        path = ROOT / file if file else HERE / name
        assert path.is_file(), f"{name} names {file}, which does not exist"
        assert function in functions_of(path), f"{name} names {test}, which does not exist"


def test_every_item_of_the_public_table_is_shown_by_a_test_and_has_a_page() -> None:
    tested = {
        row[0].split(" ")[0] for row in rows_of(ast.get_docstring(ast.parse((HERE / "test_rows.py").read_text())) or "")
    }
    items = [row for row in rows_of(INDEX.read_text()) if re.match(r"\d\.\d+", row[0])]
    assert len(items) > 25
    for number, *_, page in ((row[0], *row[1:]) for row in items):
        assert number in tested, f"no test shows item {number}"
        assert re.search(r"\]\([\w./-]+(#[\w-]+)?\)", page), f"item {number} links to no page"
