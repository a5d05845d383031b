"""`art run`, `art plan` and `art status` with a project that really runs."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from art_training.stores.sql import SqlStore

DECLARED = """
import time
from dataclasses import dataclass

import torch
from torch import nn

import art_training as art
from art_training.checks import Above, BeatsBaseline, NoNaN
from art_training.records import Outcome, Score
from art_training.steps.step import Step

print("the user's own print")
features = torch.arange(32.0).reshape(8, 4) / 32
setup = art.Setup(
    art.from_torch(lambda: nn.Linear(4, 2), loss=nn.functional.cross_entropy, optimizer=torch.optim.SGD, lr=0.1),
    art.data(train=(features, torch.arange(8) % 2), validation=(features, torch.arange(8) % 2)),
)


@dataclass(frozen=True)
class Measure(Step):
    value: float = 0.9

    def run(self, bench):
        bench.say("measuring", 0.5)
        return measured(self.value)


def measured(value):
    if value < 0:
        raise ValueError(f"{value} is negative")
    if value == 42:
        raise SystemExit
    if value > 100:
        time.sleep(value)
    return Outcome(scores={"accuracy": Score(value)})


"""


def write(folder: Path, steps: str) -> None:
    file = folder / "art_project.py"
    file.write_text(f"{DECLARED}project = art.ArtProject('toy', setup, steps=[{steps}])\n")


PASSES = "Measure(checks=[Above('accuracy', 0.5)])"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_terminal_says_at_once_what_takes_its_time_and_then_wipes_it_away(art, tmp_path, monkeypatch, command):
    write(tmp_path, PASSES)
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    assert art(command).code == 0
    wiped = "\r\x1b[2K"
    assert shown.getvalue().startswith(f"importing the project ...{wiped}the user's own print\n")
    assert f"\nlooking at a batch and at what has changed ...{wiped}" in shown.getvalue()


def test_a_quiet_run_says_nothing_on_a_terminal_either(art, tmp_path, monkeypatch):
    write(tmp_path, PASSES)
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    assert art("run", "--quiet").code == 0
    assert shown.getvalue() == "the user's own print\n"


def test_a_project_runs_and_is_recalled_the_next_time(art, tmp_path):
    write(tmp_path, PASSES)
    answer = art("run")
    assert answer.code == 0
    assert "✓ accuracy is 0.9, > 0.5" in answer.out
    assert "Measure: run, new" in answer.err
    again = art("run")
    assert again.code == 0
    assert "recalled" in again.out
    assert "Measure: recalled, passed" in again.err


@pytest.mark.parametrize(
    ("steps", "code", "said"),
    [
        ("Measure(checks=[Above('accuracy', 0.95)])", 1, "✗ accuracy is 0.9, not > 0.95"),
        ("Measure()", 1, "unchecked"),
        (
            "Measure(name='A', checks=[NoNaN()]), Measure(checks=[BeatsBaseline('accuracy', step='A')])",
            3,
            "there is no baseline in step 'A'",
        ),
        ("Measure(checks=[Above('accurracy', 0.5)])", 3, "no metric 'accurracy' in this outcome; it has: accuracy"),
        ("Measure(value=float('nan'), checks=[NoNaN()])", 1, "accuracy is nan"),
    ],
)
def test_the_exit_code_and_the_table_say_how_it_ended(art, tmp_path, steps, code, said):
    write(tmp_path, steps)
    answer = art("run", "--quiet")
    assert (answer.code, answer.err) == (code, "the user's own print\n")
    assert said in " ".join(re.sub(r"\d+\.\d s", "", answer.out).split())  # the time stands amid what is wrapped


def test_a_step_that_raises_shows_the_users_frames_alone_and_what_to_do(art, tmp_path):
    write(tmp_path, "Measure(value=-1.0)")
    answer = art("run")
    assert answer.code == 3
    assert "in measured" in answer.err
    assert 'raise ValueError(f"{value} is negative")' in answer.err
    assert "src/art_training" not in answer.err
    assert "typer" not in answer.err
    lines = answer.err.splitlines()
    assert "ValueError: -1.0 is negative" in lines
    assert any(line.startswith("Next: Measure raised ValueError: -1.0 is negative") for line in lines)


def test_json_is_alone_on_stdout_whatever_the_user_prints(art, tmp_path):
    write(tmp_path, PASSES)
    answer = art("run", "--json")
    found = json.loads(answer.out)
    assert set(found) == {"project", "state", "passed", "exit_code", "next", "steps"}
    assert found["steps"][0]["checks"][0]["state"] == "passed"
    assert found["steps"][0]["scores"]["accuracy"]["value"] == 0.9
    assert "the user's own print" in answer.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--until", "Nothing"], "project 'toy' has no step 'Nothing'; it has: Measure"),
        (["--only", "Nothing"], "project 'toy' has no step 'Nothing'"),
        (["--force-step", "Nothing"], "project 'toy' has no step 'Nothing'"),
        (["nothing.py"], "there is no file nothing.py"),
    ],
)
def test_a_mistake_in_an_argument_is_one_sentence(art, tmp_path, arguments, sentence):
    write(tmp_path, PASSES)
    answer = art("run", *arguments)
    assert answer.code == 2
    assert sentence in answer.err
    assert not [line for line in answer.err.splitlines() if line.startswith("Traceback")]


def test_a_changed_step_is_stale_in_plan_and_status_and_can_be_kept(art, tmp_path):
    write(tmp_path, f"{PASSES}, Measure(name='Second', checks=[NoNaN()])")
    assert art("run", "--quiet").code == 0
    write(tmp_path, f"{PASSES}, Measure(name='Second', value=0.8, checks=[NoNaN()])")
    plan = json.loads(art("plan", "--json").out)
    assert [step["action"] for step in plan["steps"]] == ["recall", "run"]
    assert "0.9 -> 0.8" in plan["steps"][1]["reason"]
    status = json.loads(art("status", "--json").out)
    assert [(row["state"], row["stale"]) for row in status["steps"]] == [("passed", False), ("passed", True)]
    assert status["next"].startswith("Next: type `art run`; it begins with Second (step.value: 0.9 -> 0.8)")
    kept = art("run", "--keep-stale")
    assert kept.code == 0
    assert "stale" in kept.out
    assert "0.9 -> 0.8" in art("plan").out


def test_force_runs_what_could_be_recalled(art, tmp_path):
    write(tmp_path, f"{PASSES}, Measure(name='Second', checks=[NoNaN()])")
    art("run", "--quiet")
    assert art("run", "--force").err.count("run, forced") == 2
    assert art("run", "--force-step", "Second").err.count("run, forced") == 1
    assert len(json.loads(art("runs", "--json").out)) == 5
    answer = art("run", "--force", "Second")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.endswith("; if it is a step, write --force-step Second, --only Second or --until Second\n")


def test_code_that_leaves_python_while_a_step_runs_does_not_look_passed(art, tmp_path):
    write(tmp_path, "Measure(value=42)")
    answer = art("run")
    assert (answer.code, answer.out) == (3, "")
    assert "in measured\n    raise SystemExit\nSystemExit" in answer.err
    assert json.loads(art("runs", "--json").out)[0]["state"] == "errored"


def test_a_project_without_steps_has_passed_nothing(art, tmp_path):
    write(tmp_path, "")
    answer = art("run")
    assert answer.code == 1
    assert "has no steps yet; add one with" in answer.out


@pytest.mark.parametrize("chosen", ["--store", "ART_STORE"])
def test_a_store_that_is_chosen_where_one_types_is_found_again_from_there(art, tmp_path, monkeypatch, chosen):
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", PASSES)
    option = ["--store", "mine.db"] if chosen == "--store" else []
    if not option:
        monkeypatch.setenv("ART_STORE", "mine.db")
    assert art("run", "sub", "--quiet", *option).code == 0
    assert (tmp_path / "mine.db").is_file()
    assert [row["step"] for row in json.loads(art("runs", "--json", *option).out)] == ["Measure"]


def test_the_store_that_a_project_names_comes_before_that_of_the_environment(art, tmp_path, monkeypatch):
    monkeypatch.setenv("ART_STORE", "environment.db")
    file = tmp_path / "art_project.py"
    file.write_text(f"{DECLARED}project = art.ArtProject('toy', setup, store='own.db', steps=[{PASSES}])\n")
    assert art("run", "--quiet").code == 0
    assert [row["step"] for row in json.loads(art("runs", "--json").out)] == ["Measure"]
    assert not (tmp_path / "environment.db").exists()


def test_a_step_behind_a_failed_one_is_not_run_and_does_not_look_done(art, tmp_path):
    write(tmp_path, f"Measure(checks=[Above('accuracy', 0.95)]), {PASSES[:-1]}, name='Second')")
    assert art("run", "--quiet").code == 1
    rows = json.loads(art("status", "--json").out)["steps"]
    assert [row["state"] for row in rows] == ["failed", "not run"]


def test_a_project_that_runs_elsewhere_is_not_run_twice(art, tmp_path):
    write(tmp_path, PASSES)
    art("run", "--quiet")
    store = SqlStore(tmp_path / ".art" / "art.db")
    with store.lock("toy"):
        answer = art("run")
    store.close()
    assert answer.code == 3
    assert answer.err.splitlines()[-1].startswith("Error: ")
    assert "toy" in answer.err


@pytest.mark.slow
def test_ctrl_c_leaves_an_interrupted_run_and_exit_code_130(art, tmp_path):
    write(tmp_path, "Measure(value=600.0)")
    child = subprocess.Popen(
        [sys.executable, "-m", "art_training", "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and child.poll() is None:
        if (tmp_path / ".art" / "art.db").exists() and '"running"' in art("runs", "--json").out:
            break
        time.sleep(0.3)
    os.kill(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert err.splitlines()[-1].startswith("Interrupted: what was measured is kept. Next: Measure was interrupted;")
    assert "Traceback" not in err
    assert json.loads(art("runs", "--json").out)[0]["state"] == "interrupted"


@pytest.mark.slow
def test_a_killed_process_is_shown_as_interrupted(art, tmp_path):
    write(tmp_path, "Measure(value=600.0)")
    child = subprocess.Popen(
        [sys.executable, "-m", "art_training", "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and child.poll() is None:
        if (tmp_path / ".art" / "art.db").exists() and '"running"' in art("runs", "--json").out:
            break
        time.sleep(0.3)
    child.kill()
    child.wait()
    assert json.loads(art("runs", "--json").out)[0]["state"] == "interrupted"
    assert "interrupted" in art("show", "Measure").out


@pytest.mark.parametrize("command", ["status", "plan", "runs", "show Measure", "diff Measure", "log Measure"])
@pytest.mark.parametrize("store", ["", ", store='mine/a.db'"])
def test_looking_makes_nothing_where_nothing_ran_yet(art, tmp_path, command, store):
    write(tmp_path, PASSES)
    file = tmp_path / "art_project.py"
    file.write_text(file.read_text().replace("'toy', setup,", f"'toy', setup{store},"))
    before = {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}
    art(*command.split())
    assert {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts} == before


def test_status_does_not_pass_off_old_answers_as_those_of_changed_checks(art, tmp_path):
    write(tmp_path, "Measure(checks=[Above('accuracy', 0.5)])")
    assert art("run", "--quiet").code == 0
    write(tmp_path, "Measure(checks=[Above('accuracy', 0.95)])")
    answer = art("status")
    assert "not judged" in answer.out
    assert "its checks changed; `art run` judges it again" in answer.out
    assert "0.5" not in answer.out
    assert "Next: type `art run`" in answer.out
    assert "recall" in art("plan").out
    assert art("run", "--quiet").code == 1
    assert "failed" in art("status").out


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [("lr=0.1", "lr=0.2", "lr: 0.1 -> 0.2"), ("features[:]", "features[:] + 1", "data")],
    ids=["the model", "the data"],
)
def test_a_change_of_what_is_trained_is_told_by_plan_and_status_before_anything_runs(
    art, tmp_path, before, after, told
):
    declared = DECLARED.replace("(train=(features,", "(train=(features[:],")
    for name, text in (("before", declared), ("after", declared.replace(before, after))):
        (tmp_path / name).write_text(
            f"{text}project = art.ArtProject('toy', setup, steps=[Measure(checks=[NoNaN()])])\n"
        )
    file = tmp_path / "art_project.py"
    file.write_text((tmp_path / "before").read_text())
    assert art("run").code == 0
    file.write_text((tmp_path / "after").read_text())
    planned = art("plan")
    assert (planned.code, planned.err.count("Error")) == (0, 0)
    assert told in planned.out
    assert art("status").code in {0, 1, 3}
    assert "stale" in art("status").out
    assert art("run").code == 0
    assert "nothing changed" in art("plan").out


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_setting_that_does_not_exist_is_told_before_anything_runs(art, tmp_path, command):
    write(tmp_path, f"{PASSES}, Measure(name='later', trainer={{'max_epoch': 3}})")
    told = art(command)
    assert told.code == 2
    assert told.err.splitlines()[-1].startswith("Error: step 'later': trainer has 'max_epoch'")
    assert "max_epochs" in told.err
    assert "Measure: run" not in told.err
    assert art("status").code == 0


def test_status_shows_where_all_steps_stand_though_the_model_of_one_is_broken(art, tmp_path):
    """A step that is told by its task alone asks a model that raises; the others, and what it did before, are shown."""
    steps = "Measure(checks=[NoNaN()]), Tells(checks=[NoNaN()]), Tells(name='Later', checks=[NoNaN()])"
    tells = "@dataclass(frozen=True)\nclass Tells(Measure):\n    uses = frozenset()\n\n\n"
    declared = f"{DECLARED}{tells}project = art.ArtProject('toy', setup, steps=[{steps}])\n"
    file = tmp_path / "art_project.py"
    file.write_text(declared)
    assert art("run", "--quiet").code == 0
    file.write_text(declared.replace("nn.Linear(4, 2)", "nn.Linear(5, 2)"))

    answer = art("status")
    assert answer.code == 0
    assert answer.err.count("Error") == 0
    table, _, below = answer.out.partition("\nTells, Later: ")
    assert [line.split()[:2] for line in table.splitlines() if line.startswith(("Measure", "Tells", "Later"))] == [
        ["Measure", "passed"],
        ["Tells", "passed"],
        ["Later", "passed"],
    ]
    assert table.count("broken") == 2
    assert table.count("stale") == 1
    assert below.startswith("Linear cannot take its first batch")
    assert answer.out.rstrip().splitlines()[-1].startswith("Next: type `art run`; it begins with Measure")
    found = json.loads(art("status", "--json").out)
    assert [bool(row["broken"]) for row in found["steps"]] == [False, True, True]
    assert art("plan").code == 2
    assert art("run").code == 2


def test_status_says_what_to_mend_where_a_broken_setup_is_the_first_thing_in_the_way(art, tmp_path):
    tells = "@dataclass(frozen=True)\nclass Tells(Measure):\n    uses = frozenset()\n\n\n"
    broken = DECLARED.replace("lambda: nn.Linear(4, 2)", "lambda: undefined(4, 2)")
    (tmp_path / "art_project.py").write_text(
        f"{broken}{tells}project = art.ArtProject('toy', setup, steps=[Tells(checks=[NoNaN()])])\n"
    )
    answer = art("status")
    assert answer.code == 0
    assert "\nTells: NameError: name 'undefined' is not defined\n" in answer.out
    assert answer.out.rstrip().endswith("Next: mend the setup of Tells and type `art run`.")


def test_an_optimiser_that_cannot_be_made_is_a_mistake_and_no_traceback(art, tmp_path):
    write(tmp_path, "Overfit(trainer={'max_epochs': 1}, hparams={'lr': -1})")
    text = (tmp_path / "art_project.py").read_text()
    (tmp_path / "art_project.py").write_text(
        text.replace("import Step\n", "import Step\nfrom art_training.steps import Overfit\n")
    )
    told = art("run")
    assert told.code == 2
    assert "Traceback" not in told.err
    assert "lr=-1 is outside of what it takes; give a number above zero" in told.err.splitlines()[-1]
    shown = art("show", "Overfit").out
    assert "Traceback" not in shown
    assert "lr=-1 is outside of what it takes" in " ".join(shown.split())


def test_a_recorded_traceback_is_shown_without_frames_that_help_nobody(art, tmp_path):
    write(tmp_path, "Measure(-1)")
    assert art("run").code == 3
    shown = art("show", "Measure").out
    assert "in measured" in shown
    assert "in executed" not in shown
    assert "frames of ART, of Lightning and of torch are left out" in shown


def test_a_log_tells_titles_one_judgement_from_the_next_and_fits_the_terminal(art, tmp_path, monkeypatch):
    write(tmp_path, "Measure(checks=[Above('accuracy', 0.5), odd_one_out])")
    text = (tmp_path / "art_project.py").read_text()
    check = "from art_training.checks import check, failed\n\n\n@check\ndef odd_one_out(evidence):\n    return failed('w' * 30 + ' x' * 60)\n\n\n"
    (tmp_path / "art_project.py").write_text(text.replace("project = art", check + "project = art"))
    art("run")
    write(tmp_path, "Measure(checks=[Above('accuracy', 0.8)])")
    art("run")
    told = art("log", "Measure").out
    assert max(map(len, told.splitlines())) <= 80
    assert "failed: odd one out: wwww" in " ".join(told.split())
    assert "judged again" in told
    monkeypatch.delenv("COLUMNS")
    assert max(map(len, art("log", "Measure").out.splitlines())) > 150


@pytest.mark.parametrize(
    ("arguments", "told", "logged"),
    [
        (["--probe", "batches"], True, True),
        (["--probe", "OverfitOneBatch:batches", "--probe-to", "log"], False, True),
        (["--probe", "statistics", "--probe-to", "console", "--quiet"], False, False),
    ],
)
def test_probes_look_at_what_runs(art, tmp_path, arguments, told, logged):
    write(tmp_path, "OverfitOneBatch()")
    file = tmp_path / "art_project.py"
    file.write_text("from art_training.steps import OverfitOneBatch\n" + file.read_text())
    shown = art("run", *arguments)
    assert ("batches: step 0, enters model: float32" in shown.err) is told
    assert ("batches: step 0, enters" in art("log", "OverfitOneBatch").out) is logged


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--probe", "batch"], "no probe is called 'batch' (did you mean 'batches'?)"),
        (["--probe", "Measured:batches"], "is no step of the project (did you mean 'Measure'?)"),
        (["--probe", "batches", "--probe-to", "lgo"], "to='lgo' of batches is no place (did you mean 'log'?)"),
        (["--probe-to", "log"], "and no --probe is given"),
    ],
)
def test_a_probe_that_there_is_not_is_one_sentence(art, tmp_path, arguments, sentence):
    write(tmp_path, PASSES)
    answer = art("run", *arguments)
    assert answer.code == 2
    assert sentence in " ".join(answer.err.split())
