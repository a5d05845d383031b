"""What pages say about files, commands and options exists."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from art_training.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + [
    path
    for path in sorted((ROOT / "docs").rglob("*.md"))
    if not {"_build", "jupyter_execute"} & set(path.relative_to(ROOT).parts)
]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def command_lines(text: str) -> Iterator[str]:
    """Calls of `art` in code spans, in shell and pipeline blocks, and behind a `$`."""
    yield from re.findall(r"`(art(?: [^`\n]+)?)`", text)
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if language in {"sh", "console", "yaml"}:
            yield from re.findall(r"^(?:\$ |- run: )?(?:\w+=\S+ )*(art(?: [^\n>|#]+)?)", block, re.MULTILINE)


def options() -> dict[str, set[str]]:
    from typer.main import get_command

    group = get_command(app)
    known = {
        name: {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }
    return {**known, "": {option for one in group.params for option in one.opts} | {"--help"}}


def test_calls_of_the_program_are_found_in_prose_and_in_blocks() -> None:
    text = "Type `art run --json`.\n```console\n$ ART_STORE=x art gc --all > file\n```\n```yaml\n- run: art plan\n```\n"
    assert [line.strip() for line in command_lines(text)] == ["art run --json", "art gc --all", "art plan"]


@pytest.mark.parametrize("path", PAGES + SOURCES, ids=name_of)
def test_commands_and_options_that_are_mentioned_exist(path: Path) -> None:
    known = options()
    for line in command_lines(path.read_text()):
        words = [word for word in line.split()[1:] if word not in {"COMMAND", "..."}]
        name = words[0] if words and not words[0].startswith("-") else ""
        assert name in known, f"`{line}`: there is no command {name!r}"
        for option in (word.partition("=")[0] for word in words if word.startswith("-")):
            assert option in known[name], f"`{line}`: `art {name}` has no option {option}"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_to_files_resolve(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?://|mailto:|#", target):
            assert (path.parent / target.partition("#")[0]).exists(), f"{target} of {name_of(path)} does not exist"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_pages_hold_no_paths_of_the_machine_they_were_written_on(path: Path) -> None:
    assert not re.findall(r"(?:/home|/root|/Users|/tmp|/work)/\S+", path.read_text())


def test_notebooks_are_kept_without_outputs() -> None:
    for path in [*(ROOT / "docs").rglob("*.ipynb"), *(ROOT / "examples").rglob("*.ipynb")]:
        if not {"_build", "jupyter_execute"} & set(path.relative_to(ROOT).parts):
            cells = json.loads(path.read_text())["cells"]
            assert not any(cell.get("outputs") for cell in cells), name_of(path)


@pytest.mark.parametrize("path", [path for path in TUTORIALS if path.stem != "index"], ids=name_of)
def test_tutorials_are_executed_when_they_are_built(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("---\nfile_format: mystnb\n")
    assert "```{code-cell}" in text
    assert "```python" not in text, "code of a tutorial is in code cells, so that it is run"
