import os
import subprocess
import sys
from pathlib import Path

import pytest

from art_training import plugins
from art_training.checks import Above
from art_training.errors import UsageError
from art_training.standards import (
    CheckPasses,
    Scored,
    Seeds,
    StepPassed,
    installed_standard,
    karpathy,
    read_standard,
    sources,
)

WRITTEN = """
name = "lab-2026"
version = 2
about = "What we ask."
at_least = 0.5

[[requires]]
type = "StepPassed"
step = "OverfitOneBatch"

[[requires]]
type = "CheckPasses"
step = "FinalTest"
check = "Above"
metric = "test/accuracy"
limit = 0.9

[[requires]]
type = "Seeds"

[[requires]]
type = "Scored"
part = "Model"
test = "tuned"
by = {type = "StepPassed", step = "Tune"}
"""


def read(folder: Path, text: str) -> object:
    (folder / "lab.toml").write_text(text)
    return read_standard(folder / "lab.toml")


def test_a_standard_that_is_written_is_the_one_that_is_declared(tmp_path: Path) -> None:
    found = read(tmp_path, WRITTEN)
    assert (found.title, found.about, found.at_least) == ("lab-2026, version 2", "What we ask.", 0.5)
    assert found.requires == (
        StepPassed("OverfitOneBatch"),
        CheckPasses("FinalTest", Above("test/accuracy", 0.9)),
        Seeds(3),
        Scored("Model", "tuned", StepPassed("Tune")),
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("name =", "nam ="), "has 'nam' (did you mean 'name'?); it may have: name, version"),
        (('name = "lab-2026"', ""), "has no name"),
        (
            ('type = "Seeds"', 'type = "Seed"'),
            "has type = 'Seed', which is none (did you mean 'Seeds'?); there are: Bet",
        ),
        (('type = "Seeds"', ""), "requirement 3 of FILE has no type"),
        (('check = "Above"', 'check = "Abov"'), "requirement 2 of FILE has check = 'Abov'"),
        (('check = "Above"', ""), "requirement 2 of FILE has no check"),
        (("limit = 0.9", 'limit = "high"'), "requirement 2 of FILE: limit='high' is not a number"),
        (("limit = 0.9", ""), "requirement 2 of FILE: Above missing 1 required positional argument: 'limit'"),
        (("limit = 0.9", "limits = 0.9"), "has 'limits' (did you mean 'limit'?); it may have: metric, limit"),
        (("version = 2", "version = 0"), "FILE: version=0 is no whole number"),
        (('step = "Tune"', 'step = ""'), "by of requirement 4 of FILE: step='' is no name"),
        ((WRITTEN, 'name = "x"\nrequires = 3'), "is no list of tables"),
        ((WRITTEN, 'name = "x"\nrequires = [3]'), "requirement 1 of FILE is 3, no table"),
        ((WRITTEN, 'name = "x"'), "requires nothing"),
        ((WRITTEN, "name = "), "is no TOML"),
    ],
)
def test_what_is_written_wrongly_is_told_with_its_place(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, WRITTEN.replace(*change))
    assert told.replace("FILE", str(tmp_path / "lab.toml")) in str(error.value)
    assert "\n" not in str(error.value).partition("is no TOML")[0]


def test_those_of_art_are_installed_by_name() -> None:
    assert installed_standard("karpathy") is karpathy
    assert set(plugins.offered("standards")) >= {"karpathy", "minimal", "ml-test-score"}


def test_what_is_offered_and_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "load", lambda group, name: Seeds(3))
    with pytest.raises(
        UsageError, match="the standard 'theirs' is of type Seeds; whoever offers it is to give a Standard"
    ):
        installed_standard("theirs")


def test_a_distribution_of_others_offers_a_standard_by_name(tmp_path: Path) -> None:
    told = tmp_path / "lab_rules-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-rules\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[art_training.standards]\nlab-2026 = lab_rules:LAB\n")
    (tmp_path / "lab_rules.py").write_text(
        "import art_training as art\nfrom art_training.standards import Seeds\n"
        "LAB = art.Standard('lab-2026', version=7, requires=[Seeds(5)])\n"
    )
    code = "from art_training.standards import installed_standard; print(installed_standard('lab-2026').title)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "lab-2026, version 7\n"
