"""Tutorials as notebooks and as scripts."""

import json

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.cli.notebooks import as_notebook, as_script, cells_of
from art_training.cli.tutorials import tutorial_called, tutorials
from art_training.errors import UsageError

PAGE = """---
file_format: mystnb
---

# Of a page

Prose with [a link](../howto/stale.md), and

:::{note}
what only a browser shows.
:::

```{code-cell}
:tags: [remove-output]

x = [
    1,
]
x
```

```{code-cell}
print(x)
```

```{code-cell}
:tags: [notebook-only]
picture(x)
```

```{code-cell}
x.append(2)
```

The end.
"""


def text(name: str) -> str:
    return tutorials()[name].page.file.read_text(encoding="utf-8")


def test_a_page_becomes_cells_of_prose_and_code():
    cells = cells_of(PAGE)
    assert [cell.code for cell in cells] == [False, True, True, True, True, False]
    assert cells[0].text.startswith("# Of a page\n\nProse with a link (`art docs stale`), and")
    assert "browser" not in cells[0].text
    assert cells[1].text == "x = [\n    1,\n]\nx"


WORDS = st.text("abc xyz'\"#()=", min_size=1).map(str.strip).filter(bool)


@given(st.lists(st.tuples(st.booleans(), st.lists(WORDS, min_size=1).map("\n".join)), min_size=1))
def test_no_line_of_code_is_lost_or_changed(parts):
    page = "\n".join(f"```{{code-cell}}\n{text}\n```\n" if code else f"{text}\n" for code, text in parts)
    assert [cell.text for cell in cells_of(page) if cell.code] == [text for code, text in parts if code]


def test_a_script_prints_what_a_notebook_shows_and_nothing_that_it_does_not(capsys):
    script = as_script(PAGE)
    assert "picture" not in script
    exec(compile(script, "page", "exec"), {})
    assert capsys.readouterr().out == "[1]\n[1]\n"


@pytest.mark.parametrize("name", tutorials())
def test_every_tutorial_is_a_valid_notebook_with_all_of_its_code(name):
    notebook = nbformat.reads(as_notebook(text(name)), as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds.count("code") == text(name).count("```{code-cell}")
    assert kinds[0] == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    assert not any("```{" in cell.source or ":::" in cell.source for cell in notebook.cells)


@pytest.mark.parametrize("name", tutorials())
def test_every_tutorial_is_a_script_that_compiles(name):
    script = as_script(text(name))
    compile(script, name, "exec")
    assert script.startswith("# # ")


@pytest.mark.parametrize("name", tutorials())
def test_every_tutorial_says_how_long_it_takes(name):
    assert tutorials()[name].minutes > 0


def test_every_page_of_the_folder_is_in_the_list():
    (folder,) = {one.page.file.parent for one in tutorials().values()}
    assert set(tutorials()) == {file.stem for file in folder.glob("*.md")} - {"index"}


def test_a_tutorial_that_there_is_not_is_told():
    with pytest.raises(UsageError, match=r"'digts' \(did you mean 'digits'\?\); `art learn` lists them"):
        tutorial_called("digts")


def test_cells_have_no_outputs_of_whoever_wrote_them():
    cells = json.loads(as_notebook(PAGE))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
