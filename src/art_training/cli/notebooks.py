"""A page whose code is run when the documentation is built, as a notebook or as a script."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from art_training.cli.pages import as_markdown

_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_CODE = re.compile(r"^```\{code-cell\}[^\n]*\n((?::[^\n]*\n)*)(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_SHOW = "_show"
_SHOWING = f'''def {_SHOW}(value):
    """What a notebook does with the last line of a cell."""
    if value is not None:
        print(value)'''
_ONLY_NOTEBOOK = "notebook-only"  # a tag of cells that show what only a notebook can


class Cell(NamedTuple):
    """Prose or code.

    Attributes:
        code: whether it is code.
        text: Markdown or Python, without blank lines around it.
        in_scripts: whether a script has it, too.
    """

    code: bool
    text: str
    in_scripts: bool = True


def cells_of(page: str) -> tuple[Cell, ...]:
    """The cells of a page in MyST Markdown. In prose, what only a browser shows is left out, and links are commands."""
    return tuple(cell for cell in _cells(_FRONT.sub("", page)) if cell.text)


def _cells(text: str) -> Iterator[Cell]:
    end = 0
    for found in _CODE.finditer(text):
        yield _prose(text[end : found.start()])
        yield Cell(code=True, text=found[2].strip("\n"), in_scripts=_ONLY_NOTEBOOK not in found[1])
        end = found.end()
    yield _prose(text[end:])


def _prose(text: str) -> Cell:
    return Cell(code=False, text=as_markdown(text).strip("\n"))


def as_notebook(page: str) -> str:
    """The page as a Jupyter notebook, format 4.5, without outputs."""
    return json.dumps(
        {
            "cells": [_in_notebook(number, cell) for number, cell in enumerate(cells_of(page), 1)],
            "metadata": {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        },
        indent=1,
        ensure_ascii=False,
    )


def _in_notebook(number: int, cell: Cell) -> dict[str, Any]:
    common = {"id": f"cell-{number}", "metadata": {}, "source": cell.text.splitlines(keepends=True)}
    if cell.code:
        return {"cell_type": "code", "execution_count": None, "outputs": [], **common}
    return {"cell_type": "markdown", **common}


def as_script(page: str) -> str:
    """The page as a script. Prose is comments; what a notebook shows below a cell is printed."""
    parts = [_printing(cell.text) if cell.code else _comment(cell.text) for cell in cells_of(page) if cell.in_scripts]
    if any(f"{_SHOW}(" in part for part in parts):
        parts.insert(1, _SHOWING)
    return "\n\n".join(parts) + "\n"


def _comment(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in text.splitlines())


def _printing(code: str) -> str:
    """Code that prints the value of its last line, where that is an expression and has one."""
    body = ast.parse(code).body
    if not body or not isinstance(last := body[-1], ast.Expr):
        return code
    value = last.value
    if isinstance(value, ast.Call):
        if isinstance(value.func, ast.Name) and value.func.id == "print":
            return code
        how = _SHOW
    else:
        how = "print"
    return "\n".join([*code.splitlines()[: last.lineno - 1], f"{how}({ast.get_source_segment(code, value)})"])
