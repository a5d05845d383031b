"""`art verify` on the store of a project that really ran: what it accepts, and what it refuses."""

import json
import shutil
import sys
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from art_training.cli.failing import run

DECLARED = """
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import Below
from art_training.steps import ExploreData, FinalTest, Overfit, OverfitOneBatch

X = torch.randn(90, 4, generator=torch.Generator().manual_seed(0))
rows = [(X[at : at + 30], (X[at : at + 30, 0] > 0).long()) for at in (0, 30, 60)]
setup = art.Setup(
    art.from_torch(lambda width: nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 2)),
                   loss=nn.functional.cross_entropy, optimizer=torch.optim.Adam, lr=0.05),
    art.data(*rows, batch_size=15),
    hparams={"width": 8},
    trainer={"max_epochs": 3},
)
project = art.ArtProject(
    "NAME",
    setup,
    metrics={"accuracy": MulticlassAccuracy(num_classes=2, average="micro")},
    steps=[
        ExploreData(pictures=False),
        OverfitOneBatch(),
        Overfit(checks=[Below("train/loss", 1e-6)], continue_on_failure=True, examples=0, dynamics=0),
        FinalTest(),
    ],
)
"""

ASKED = """
name = "house"
version = 3

[[requires]]
type = "StepPassed"
step = "OverfitOneBatch"

[[requires]]
type = "CheckPasses"
step = "FinalTest"
check = "Above"
metric = "test/accuracy"
limit = 0.2

[[requires]]
type = "TestUsedAtMost"
times = 1
"""
STRICT = ASKED + '\n[[requires]]\ntype = "StepPassed"\nstep = "Overfit"\n'
TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)


def waiver(of: str, *, granted: object = TODAY - 9 * DAY, until: object = TODAY + 9 * DAY) -> str:
    return f"[[waivers]]\nrequirement = '{of}'\nby = 'Ada'\nreason = 'noisy labels'\ngranted = {granted}\nuntil = {until}\n"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two projects that ran, one store of both, and the weights that each left."""
    folder = tmp_path_factory.mktemp("ran")
    with chdir(folder), pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "path", list(sys.path))
        for name, rate in (("other", "0.04"), ("small", "0.05")):
            declared = DECLARED.replace("NAME", name).replace("lr=0.05", f"lr={rate}")
            (folder / "art_project.py").write_text(declared)
            assert run(["run", "--quiet"]) == 1  # the check of Overfit
            assert run(["export", "Overfit", f"of-{name}", "--name", "last.ckpt"]) == 0
    (folder / "house.toml").write_text(ASKED)
    (folder / "strict.toml").write_text(STRICT)
    return folder


@pytest.fixture
def here(ran: Path, tmp_path: Path) -> Path:
    shutil.copytree(ran, tmp_path, dirs_exist_ok=True)
    return tmp_path


pytestmark = pytest.mark.slow  # two trainings, once


def test_the_delivered_model_with_a_fresh_record_that_meets_the_standard_is_accepted(art, here):
    answer = art("verify", "of-small/last.ckpt", "--standard", "house.toml")
    assert answer.code == 0, answer.out + answer.err
    assert answer.out.startswith("small meets house, version 3.")
    assert "the model that the project delivers" in " ".join(answer.out.split())


def test_a_file_that_was_changed_is_refused(art, here):
    with (here / "of-small" / "last.ckpt").open("ab") as opened:
        opened.write(b"\0")
    answer = art("verify", "of-small/last.ckpt", "--standard", "house.toml")
    assert answer.code == 1
    assert "so that the file was changed since" in " ".join(answer.out.split())
    assert answer.out.splitlines()[3].startswith("OfThisRecord")  # the worst first


def test_a_record_that_is_stale_is_refused_with_what_changed(art, here):
    file = here / "art_project.py"
    file.write_text(file.read_text().replace('"width": 8', '"width": 9'))
    answer = art("verify", "of-small/last.ckpt", "--standard", "house.toml")
    assert answer.code == 1
    assert "Overfit is stale: hparams.width: 8 -> 9" in " ".join(answer.out.split())
    assert "Next: type `art run`" in answer.out


def test_a_missing_step_is_refused(art, here):
    answer = art("verify", "--standard", "karpathy")
    assert answer.code == 1
    assert "there is no step 'Tune'; there are: ExploreData," in " ".join(answer.out.split())


def test_a_failed_check_without_a_waiver_is_refused_and_with_one_it_is_told_as_waived(art, here):
    answer = art("verify", "of-small/last.ckpt", "--standard", "strict.toml")
    assert answer.code == 1
    assert "can be waived as `Overfit: train/loss < 1e-06`" in " ".join(answer.out.split())
    assert "Next: see the evidence with `art show Overfit`" in " ".join(answer.out.split())
    (here / "waivers.toml").write_text(waiver("Overfit: train/loss < 1e-06"))
    answer = art("verify", "of-small/last.ckpt", "--standard", "strict.toml", "--waivers", "waivers.toml")
    assert answer.code == 0
    assert "waived" in answer.out
    assert "Ada until" in " ".join(answer.out.split())


@pytest.mark.parametrize(
    ("granted", "until", "told"),
    [(TODAY - 9 * DAY, TODAY - DAY, "expired on"), (TODAY + DAY, TODAY + 9 * DAY, "not granted before")],
)
def test_a_waiver_that_does_not_count_today_changes_nothing_and_is_told(art, here, granted, until, told):
    (here / "waivers.toml").write_text(waiver("Overfit: train/loss < 1e-06", granted=granted, until=until))
    answer = art("verify", "of-small/last.ckpt", "--standard", "strict.toml", "--waivers", "waivers.toml")
    assert answer.code == 1
    assert told in answer.out


def test_a_record_of_another_project_is_refused(art, here):
    answer = art("verify", "of-other/last.ckpt", "--standard", "house.toml")
    assert answer.code == 1
    assert "of another project, 'other', and not of 'small'" in " ".join(answer.out.split())
    theirs = json.loads(art("runs", "--project", "other", "--json").out)[0]["id"]
    answer = art("verify", theirs, "--standard", "house.toml")
    assert answer.code == 1
    assert "of another project, 'other'" in " ".join(answer.out.split())


def test_another_checkpoint_of_the_project_is_refused_with_what_it_is(art, here):
    art("export", "OverfitOneBatch", "early", "--name", "last.ckpt")
    answer = art("verify", "early/last.ckpt", "--standard", "house.toml")
    assert answer.code == 1
    assert "what the project delivers is last.ckpt of Overfit" in " ".join(answer.out.split())


def test_without_the_project_freshness_is_not_judged_unless_the_record_alone_is_asked_for(art, here):
    (here / "art_project.py").unlink()
    asked = ("verify", "of-small/last.ckpt", "--standard", "house.toml", "--project", "small", "--store", ".art/art.db")
    answer = art(*asked)
    assert answer.code == 3
    assert "the project's file was not there" in " ".join(answer.out.split())
    answer = art(*asked, "--record-only")
    assert answer.code == 0
    assert "only the store was asked" in " ".join(answer.out.split())


def test_the_evidence_has_the_form_that_is_documented(art, here):
    schema = json.loads((files("art_training.views") / "verification.schema.json").read_text())
    (here / "waivers.toml").write_text(waiver("Overfit: train/loss < 1e-06") + waiver("Seeds"))
    asked = ("verify", "of-small/last.ckpt", "--standard", "strict.toml", "--waivers", "waivers.toml")
    answer = art(*asked, "-o", "evidence.json")
    assert answer.code == 0
    evidence = json.loads((here / "evidence.json").read_text())
    jsonschema.validate(evidence, schema, format_checker=jsonschema.FormatChecker())
    assert evidence["subject"]["step"] == "Overfit"
    assert evidence["standard"]["version"] == 3
    assert [one["state"] for one in evidence["waivers"]] == ["used", "matches nothing"]
    assert evidence["subject"]["digest"] in {file["digest"] for step in evidence["steps"] for file in step["artifacts"]}
    assert json.loads(art(*asked, "--json").out)["exit_code"] == 0
    assert art(*asked, "--format", "markdown").out.startswith("**small meets house, version 3")
    jsonschema.validate(json.loads(art("verify", "--standard", "ml-test-score", "--json").out), schema)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name one with --standard (karpathy, minimal, ml-test-score"),
        (("--standard", "karpaty"), "no standard is called 'karpaty'"),
        (("--standard", "none.toml"), "cannot be read: No such file"),
        (("--standard", "art_project.py"), "name one behind a colon"),
        (("--standard", "art_project.py:setup"), "is of type Setup, no Standard"),
        (("--standard", "art_project.py:LAB"), "art_project.py:LAB: there is no 'LAB'; there are: none"),
        (("art_project.py", "--standard", "minimal"), "is given with --project art_project.py"),
        (("nothing.ckpt", "--standard", "minimal"), "there is no file nothing.ckpt"),
        (("of-small", "--standard", "minimal"), "of-small is a folder"),
        (("Overfitt", "--standard", "minimal"), "(did you mean 'Overfit'?)"),
        (("--standard", "minimal", "--format", "html"), "--format html is none of text, json, markdown"),
        (("--standard", "minimal", "--format", "text", "--json"), "contradict each other"),
        (("--record-only",), "--record-only does not read the project's file"),
        (("--standard", "minimal", "--waivers", "house.toml"), "a file of waivers has [[waivers]] tables alone"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(art, here, arguments, told):
    answer = art("verify", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
    assert len(answer.err.splitlines()) == 1


def test_the_projects_own_standard_and_waivers_are_used(art, here):
    file = here / "art_project.py"
    declared = "from art_training.standards import *\nHOUSE = art.Standard('house', requires=[StepPassed('Overfit')])\n"
    granted = "WAIVER = art.Waiver('Overfit: train/loss < 1e-06', by='Ada', reason='x', granted='2026-01-01', until='2999-01-01')\n"
    text = file.read_text().replace("project = art", f"{declared}{granted}project = art")
    file.write_text(
        text.replace("FinalTest(),\n    ],", "FinalTest(),\n    ],\n    standard=HOUSE,\n    waivers=[WAIVER],")
    )
    answer = art("verify")
    assert answer.code == 0, answer.out + answer.err
    assert answer.out.startswith("small meets house, version 1")


def test_status_and_run_end_with_a_line_on_the_standard_that_the_project_declares(art, here):
    assert "Standard:" not in art("status").out
    file = here / "art_project.py"
    file.write_text(file.read_text().replace("FinalTest(),\n    ],", "FinalTest(),\n    ],\n    standard='minimal',"))
    for command in ("status", "run"):
        told = art(command).out
        assert "Standard: small does not meet minimal, version 1: 1 of 7 requirements is not met." in " ".join(
            told.split()
        )
    assert "Standard:" not in art("status", "--json").out
