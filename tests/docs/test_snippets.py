"""Python in pages runs as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "digits" / "art_project.py"
HOWTO = sorted(path for path in (ROOT / "docs" / "howto").glob("*.md") if "```python" in path.read_text())


def python_blocks(path: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def test_the_example_of_the_readme_is_the_one_in_examples() -> None:
    blocks = python_blocks(ROOT / "README.md")
    assert blocks[0].strip() in EXAMPLE.read_text()


def test_the_whole_recipe_among_the_examples_is_the_project_that_the_demo_writes() -> None:
    template = ROOT / "src" / "art_training" / "templates" / "digits" / "art_project.py"
    assert (ROOT / "examples" / "recipe" / "art_project.py").read_text() == template.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("path", HOWTO, ids=lambda path: path.stem)
def test_python_blocks_of_a_guide_run_one_after_the_other(path: Path, tmp_path: Path) -> None:
    """With the names of the example at hand, its training cut to two epochs. A process of its own, as a user has one."""
    source = EXAMPLE.read_text().replace('"max_epochs": 20', '"max_epochs": 2')
    preamble = source.partition("if __name__")[0]
    script = tmp_path / "guide.py"
    script.write_text("\n".join([preamble, *python_blocks(path)]))
    run(sys.executable, script.name, folder=tmp_path)


@pytest.mark.slow
def test_the_example_passes_with_the_command_line_and_is_recalled_afterwards(tmp_path: Path) -> None:
    (tmp_path / EXAMPLE.name).write_text(EXAMPLE.read_text())
    first = run(sys.executable, "-m", "art_training", "run", folder=tmp_path)
    assert "every step passed" in first
    shown = (ROOT / "README.md").read_text().partition("$ art run\n")[2].partition("```")[0]
    assert told(first) == told(shown)
    again = run(sys.executable, "-m", "art_training", "run", folder=tmp_path)
    assert again.count("recalled") >= 5


def told(table: str) -> str:
    """What a table of verdicts says, but for times, numbers and where its lines are broken."""
    without_times = re.sub(r"  +(\d+ min )?[\d.]+ m?s$", "", table, flags=re.MULTILINE)
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.]*(e-\d+)?", "#", without_times)).strip()


@pytest.mark.slow
def test_the_plan_of_the_readme_is_the_one_that_is_printed(tmp_path: Path) -> None:
    code = python_blocks(ROOT / "README.md")
    script = tmp_path / "plan.py"
    script.write_text("\n".join([code[0].partition("if __name__")[0], code[1]]))
    printed = run(sys.executable, script.name, folder=tmp_path)
    assert printed.strip() in (ROOT / "README.md").read_text()


def run(*command: str, folder: Path) -> str:
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "COLUMNS": "160", "PYTHONWARNINGS": "default"}
    result = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=280
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_sentence_that_the_readme_quotes_is_what_is_said(tmp_path: Path) -> None:
    import art_training as art
    from art_training.checks import Above
    from art_training.errors import UnknownMetric
    from art_training.steps import Overfit

    setup = art.Setup(model=dict, data=dict)
    with pytest.raises(UnknownMetric) as caught:
        art.ArtProject(
            "quoted",
            setup,
            metrics={"accuracy": lambda predictions, targets: 0.0},
            steps=[Overfit(checks=[Above("validation/acc", 0.9)])],
            folder=tmp_path,
        )
    assert str(caught.value) in (ROOT / "README.md").read_text()
