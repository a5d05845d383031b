"""The reference is complete: whatever a user can name has its entry."""

import inspect
import re
from pathlib import Path

import pytest

import art_training
from art_training import checks, errors, records, standards, steps
from art_training.cli.app import app
from art_training.records.codes import CODES

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
SOURCE = ROOT / "src" / "art_training"

# What steps cannot be made without.
NEEDS = {
    "Regularize": {"candidates": {"dropout": art_training.Variant(hparams={"dropout": 0.5})}},
    "Tune": {"space": {"lr": art_training.space.log_uniform(1e-5, 1e-1)}, "trials": 1},
}


def page(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text()


def entries(text: str) -> set[str]:
    """Names that a page has an entry for: an autodoc directive or a term of a definition list."""
    directives = re.findall(r"^\.\. auto(?:class|function|exception):: ([\w.]+)$", text, re.MULTILINE)
    terms = re.findall(r"^`(\w+)`\n: ", text, re.MULTILINE)
    headings = re.findall(r"^#+ (?:art )?(\w+(?:, \w+)*)$", text, re.MULTILINE)
    return {name.rpartition(".")[2] for name in directives} | set(terms) | set(", ".join(headings).split(", "))


def commands() -> dict[str, object]:
    from typer.main import get_command

    return get_command(app).commands  # type: ignore[attr-defined]


def test_every_public_name_of_the_package_has_an_entry() -> None:
    names = set(art_training.__all__) - {"__version__"}
    assert names <= entries(page("python")) | entries(page("records"))


def test_every_step_has_an_entry_and_stands_in_the_table() -> None:
    names = {
        name for name in steps.__all__ if isinstance(one := getattr(steps, name), type) and issubclass(one, steps.Step)
    }
    text = page("steps")
    assert names <= entries(text)
    assert names - {"Step"} <= set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


def test_the_table_of_steps_names_their_default_checks() -> None:
    from art_training.setup.task import Task, TaskKind

    task = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="cross_entropy", classes=10)
    for name, cell in re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", page("steps"), re.MULTILINE):
        documented = [eval(text, vars(checks)) for text in re.findall(r"`(\w+\(.*?\))`", cell)]
        asked = getattr(steps, name)(**NEEDS.get(name, {})).default_checks(task, ["accuracy"])
        assert documented == list(asked), name


@pytest.mark.parametrize(
    ("module", "name"), [(checks, "checks"), (records, "records"), (errors, "errors"), (standards, "standards")]
)
def test_every_exported_name_has_an_entry(module: object, name: str) -> None:
    text = page(name)
    exported = {one for one in module.__all__ if one.upper() != one}  # type: ignore[attr-defined]
    known = entries(text) | set(re.findall(r"`(\w+)`", text)) | set(re.findall(r"[├└]── (\w+)", text)) | {"ARTError"}
    assert exported <= known


def test_the_tree_of_errors_in_the_reference_is_that_of_the_code() -> None:
    documented = re.search(r"```text\n(.*?)```", page("errors"), re.DOTALL)
    assert documented
    assert inspect.cleandoc(errors.__doc__ or "").find(documented[1].strip().replace("\n", "\n    ")) > 0


def test_every_command_has_a_heading_and_its_options() -> None:
    text = page("commands")
    for name in commands():
        assert f"\n## art {name}\n" in text
        assert f"```{{command}} {name}\n" in text


def test_every_option_of_a_command_has_a_help_text() -> None:
    for name, command in commands().items():
        for parameter in command.params:  # type: ignore[attr-defined]
            assert parameter.help or parameter.name == "help", f"art {name}: {parameter.name}"


def test_every_environment_variable_that_is_read_is_documented() -> None:
    text = page("settings")
    read = {name for path in SOURCE.rglob("*.py") for name in re.findall(r"\"(ART_[A-Z_]+)\"", path.read_text())}
    assert "ART_STORE" in read
    assert {name for name in read if f"`{name}`\n: " not in text} == set()


CALLABLES = [
    art_training.Setup,
    art_training.ArtProject,
    art_training.ArtProject.run,
    art_training.data,
    art_training.from_torch,
    *(getattr(steps, name) for name in steps.__all__ if inspect.isclass(getattr(steps, name))),
    *(getattr(checks, name) for name in checks.__all__ if inspect.isclass(getattr(checks, name))),
]


@pytest.mark.parametrize("one", CALLABLES, ids=lambda one: one.__qualname__)
def test_every_parameter_is_described_in_a_docstring(one: type) -> None:
    bases = inspect.getmro(one) if inspect.isclass(one) else (one,)
    text = "\n".join(inspect.getdoc(base) or "" for base in bases)
    if inspect.isclass(one) and one.__init__.__doc__:
        text += inspect.getdoc(one.__init__) or ""
    for name in inspect.signature(one).parameters:
        if name not in {"self", "args", "kwargs"}:
            assert re.search(rf"\b{name}\b", text), f"{one.__qualname__}({name}=) is not described"


def test_every_code_of_a_finding_has_a_row() -> None:
    text = page("findings")
    used = {
        code
        for room in ("setup", "steps", "runner", "engines")
        for path in (SOURCE / room).rglob("*.py")
        for code in re.findall(r"\bART\d{3}\b", path.read_text())
    }
    rows = re.findall(r"^\| (ART\d{3}) \| ([^|]+?) \| (.+?) \|$", text, re.MULTILINE)
    assert used == {code for code, *_ in rows}
    assert {code: (", ".join(one.severities), one.what) for code, one in CODES.items()} == {
        code: (severities, what) for code, severities, what in rows
    }
