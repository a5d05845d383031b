"""show, status, diff, log, runs, rm and gc against a store that was prepared by hand."""

import json
import sys
from contextlib import closing
from dataclasses import replace

import pytest

from art_training.records import Candidate, Curve, Finding, Outcome, Reading, RunStatus, Score, Severity
from art_training.stores import RunQuery
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run, verdict
from art_training.testing.records import a_run
from art_training.views.wording import shortened


@pytest.fixture(params=[80, 120])
def columns(request, monkeypatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


@pytest.mark.parametrize("arguments", ["status", "show Overfit", "diff Overfit", "runs", "log Overfit", "gc --dry-run"])
def test_what_a_person_reads(art, toy, snapshot, columns, arguments):
    answer = art(*arguments.split())
    assert (answer.code, answer.err) == (0, "")
    assert max(map(len, answer.out.splitlines())) <= columns
    assert "\x1b" not in answer.out, "colours where there is no terminal"
    assert not any(line.endswith(" ") for line in answer.out.splitlines())
    assert answer.out == snapshot


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        ("status", {"project", "store", "steps", "next", "test_uses"}),
        ("show Overfit", {"run", "checks", "scores", "curves", "layers", "record", "outcome", "judgements", "lines"}),
        ("diff Overfit", {"before", "after", "fingerprint", "parameters", "versions", "machine", "code_before",
                          "code_after", "files", "scores", "checks"}),
        ("log Overfit", {"run", "lines"}),
        ("gc --dry-run", {"dry", "freed", "bytes", "kept", "kept_bytes"}),
        ("rm Overfit --yes", {"removed"}),
    ],
)  # fmt: skip
def test_json_has_stable_keys_and_is_strict(art, toy, arguments, keys):
    answer = art(*arguments.split(), "--json")
    assert (answer.code, answer.err) == (0, "")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert set(json.loads(answer.out, parse_constant=refuse)) == keys


def test_a_finding_says_where_it_is(art, toy):
    found = Finding(
        "ART103", "data", Severity.ERROR, "30 rows have NaN", remedy="repair them", where="train: examples 3, 8"
    )
    store = SqlStore(toy / ".art" / "art.db")
    keep_run(store, "Explored", minute=20, scores={}, verdicts=[], findings=(found,))
    store.close()
    lines = [line.strip() for line in art("show", "Explored").out.splitlines()]
    at = lines.index("ART103 error: 30 rows have NaN")
    assert lines[at + 1 : at + 3] == ["train: examples 3, 8", "repair them"]


def test_numbers_that_json_does_not_know_are_strings(art, toy):
    store = SqlStore(toy / ".art" / "art.db")
    keep_run(store, "Broken", minute=20, scores={"train/loss": float("nan"), "b": float("-inf")}, verdicts=[])
    store.close()
    scores = {row["metric"]: row["value"] for row in json.loads(art("show", "Broken", "--json").out)["scores"]}
    assert scores == {"train/loss": "nan", "b": "-inf"}


def test_runs_are_sorted_by_a_score_and_narrowed_to_a_step(art, toy):
    found = json.loads(art("runs", "Overfit", "--sort", "train/loss", "--json").out)
    assert [row["state"] for row in found] == ["passed", "failed"], "a loss is best where it is smallest"
    found = json.loads(art("runs", "Overfit", "--sort", "validation/accuracy", "--json").out)
    assert [row["state"] for row in found] == ["passed", "failed"]
    assert len(json.loads(art("runs", "--limit", "2", "--json").out)) == 2
    answer = art("runs", "--sort", "train/los")
    assert (answer.code, answer.out) == (2, "")
    assert "no run has a score 'train/los', to be sorted by; they have, among others: validation/accuracy" in answer.err


def test_runs_show_the_scores_by_which_they_are_compared_and_as_many_as_fit(art, toy, monkeypatch):
    store = SqlStore(toy / ".art" / "art.db")
    for minute in range(20, 26):
        keep_run(store, "ExploreData", minute=minute, scores={"train/zeros": 0.5, "leaked_share": 0.0})
    store.close()
    assert "leaked_share" not in art("runs").out
    assert "leaked_share" in art("runs", "ExploreData").out
    assert art("runs", "--sort", "train/zeros").out.split()[:1] == ["train"], "what is sorted by stands first"
    for columns, shown in ((64, ["accuracy"]), (80, ["accuracy", "loss"])):
        monkeypatch.setenv("COLUMNS", str(columns))
        names = next(line for line in art("runs", "Overfit").out.splitlines() if line.startswith("run"))
        assert names.split()[5:] == shown


def test_the_runs_of_all_projects_name_the_project(art, toy):
    store = SqlStore(toy / ".art" / "art.db")
    keep_run(store, "A", minute=30, project="other")
    store.close()
    found = json.loads(art("runs", "--all", "--json").out)
    assert [row["project"] for row in found[:2]] == ["other", "toy"]
    answer = art("runs")
    assert answer.code == 2
    assert "holds 2 projects: other, toy; name one with --project" in answer.err
    assert [row["step"] for row in json.loads(art("runs", "-p", "other", "--json").out)] == ["A"]
    assert "project 'third' has no runs in" in art("runs", "-p", "third").err


def test_the_status_of_one_of_several_projects_in_a_store_is_asked_for_by_name(art, toy):
    store = SqlStore(toy / ".art" / "art.db")
    keep_run(store, "A", minute=30, project="other", verdicts=[verdict("a")])
    store.close()
    assert "name one with --project" in art("status").err
    assert json.loads(art("status", "--project", "other", "--json").out)["project"] == "other"
    assert json.loads(art("status", "-p", "toy", "--json").out)["project"] == "toy"
    for command in ("status", "plan", "run"):
        answer = art(command, "a.py", "-p", "b.py")
        assert (answer.code, answer.out) == (2, "")
        assert "the project is given twice, as 'a.py' and as --project b.py; give it once" in answer.err


def test_uses_of_the_test_split_are_told_where_there_are_any(art, toy):
    assert "test split" not in art("status").out
    store = SqlStore(toy / ".art" / "art.db")
    for minute in (30, 31):
        keep_run(store, "FinalTest", minute=minute, scores={"test/loss": 0.3}, verdicts=[verdict("a")])
    newest = store.runs(RunQuery(step="FinalTest"))[0].id
    store.close()
    assert "The test split was used 2 times by this project." in art("status").out
    assert art("rm", newest, "--yes").code == 0
    assert "The test split was used 2 times by this project." in art("status").out  # what was seen cannot be unseen


def test_the_final_test_is_shown_by_its_scores_on_the_test_split(art, toy):
    scores = {
        "test/accuracy": Score(0.9, direction="maximize"),
        "test/loss": Score(0.3, direction="minimize"),
        "test/class_recall.3": Score(0.7, direction="maximize"),
        "test/validation_gap.accuracy": Score(0.08),
        "validation/accuracy": Score(0.98, direction="maximize"),
        "validation/loss": Score(0.1, direction="minimize"),
    }
    store = SqlStore(toy / ".art" / "art.db")
    keep_run(store, "FinalTest", minute=30, scores=scores, verdicts=[verdict("a")])
    store.close()
    told = art("status").out.partition("FinalTest")[2]
    assert "\u00b7 test/accuracy 0.9\n" in told
    assert not any(name in told for name in scores if name != "test/accuracy")
    store = SqlStore(toy / ".art" / "art.db")
    alone = {name: scores[name] for name in ("test/loss", "test/class_recall.3")}  # no validation, no metric
    keep_run(store, "FinalTest", minute=31, scores=alone, verdicts=[verdict("a")])
    store.close()
    told = art("status").out.partition("FinalTest")[2]
    assert "\u00b7 test/loss 0.3\n" in told
    assert "class_recall" not in told


def test_a_step_with_one_run_has_nothing_to_be_compared_with(art, toy):
    answer = art("diff", "ExploreData")
    assert (answer.code, answer.out) == (2, "")
    assert "step 'ExploreData' has no completed run before" in answer.err
    assert "~1" not in answer.err


def test_scores_of_a_model_that_was_not_trained_are_not_held_against_a_baseline(art, toy):
    store = SqlStore(toy / ".art" / "art.db")
    accuracy = {"validation/accuracy": Score(0.1, direction="maximize")}
    keep_run(store, "CheckLossOnInit", minute=20, scores=accuracy, verdicts=[verdict("a")])
    store.close()
    assert art("status").out.count("best baseline") == 1
    assert "\n                           \u00b7 validation/accuracy 0.9806" in art("status").out


def test_a_removed_run_is_gone_and_the_others_stay(art, toy):
    answer = art("rm", "Overfit", "Overfit~1", "--yes")
    assert (answer.code, len(answer.out.splitlines())) == (0, 2)
    assert art("show", "Overfit").code == 2
    assert art("show", "CheckLossOnInit").code == 0


def test_nothing_is_removed_where_nobody_can_be_asked(art, toy, monkeypatch):
    answer = art("rm", "Overfit")
    assert answer.code == 2
    assert "nobody can be asked here; `art rm --yes` does it without asking" in answer.err
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    answer = art("rm", "Overfit")
    assert answer.code == 2
    assert answer.err.endswith("Nothing was done.\n")
    assert art("show", "Overfit").code == 0
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert art("rm", "Overfit").code == 0


class Terminal:
    def __init__(self, answers: str) -> None:
        self._answers = answers

    def isatty(self) -> bool:
        return True

    def readline(self, *_) -> str:
        return self._answers


def test_a_running_run_is_not_removed(art, toy):
    from art_training.records import ProcessId

    store = SqlStore(toy / ".art" / "art.db")
    keep_run(store, "Long", minute=20, status=RunStatus.RUNNING, process=str(ProcessId.current()))
    store.close()
    answer = art("rm", "Long", "--yes")
    assert answer.code == 2
    assert "of step 'Long' is running; stop it before you remove it" in answer.err


def test_files_that_no_run_needs_are_freed(art, toy, tmp_path):
    store = SqlStore(toy / ".art" / "art.db")
    file = tmp_path / "last.ckpt"
    file.write_bytes(b"x" * 5000)
    kept = store.artifacts.put(file, name="last.ckpt", kind="checkpoint")
    for path in (toy / ".art" / "artifacts").rglob("*"):  # it was put long ago
        import os

        if path.is_file():
            os.utime(path, (0, 0))
    store.close()
    dry = json.loads(art("gc", "--dry-run", "--json").out)
    assert (dry["dry"], dry["bytes"], [one["digest"] for one in dry["freed"]]) == (True, 5000, [kept.digest])
    asked = art("gc", "--json")
    assert (asked.code, asked.out) == (2, ""), "what is asked is no result"
    assert "would be freed" in asked.err
    answer = art("gc", "--yes")
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "1 file, 5.0 kB, freed; 0 files, 0 bytes, stay.")
    assert json.loads(art("gc", "--dry-run", "--json").out)["freed"] == []


def test_a_run_that_errored_shows_its_traceback(art, toy):
    store = SqlStore(toy / ".art" / "art.db")
    trace = 'Traceback (most recent call last):\n  File "net.py", line 3\nValueError: shapes'
    keep_run(store, "Overfit", minute=20, status=RunStatus.ERRORED, error="ValueError: shapes", traceback=trace)
    store.close()
    assert 'File "net.py", line 3' in art("show", "Overfit").out
    assert "ValueError: shapes" in art("status").out


def test_a_log_without_lines_says_so_on_stderr(art, toy):
    assert art("log", "ExploreData")[:2] == (0, "")
    assert art("log", "ExploreData").err.endswith("wrote no log\n")


# Which store is meant


def test_history_needs_no_project_file_and_reads_a_store_by_its_path(art, toy, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert art("show", "Overfit").code == 0, "the store of a folder above"
    monkeypatch.chdir("/")
    assert art("show", "Overfit").code == 2
    assert art("show", "Overfit", "--store", toy / ".art" / "art.db").code == 0
    monkeypatch.setenv("ART_STORE", str(toy / ".art" / "art.db"))
    assert art("show", "Overfit").code == 0


def test_looking_does_not_make_a_store(art, tmp_path):
    (tmp_path / "art_project.py").write_text('project = art.ArtProject("toy", setup)')
    for arguments in (["runs"], ["runs", "--store", "nothing.db"], ["gc", "--yes"]):
        answer = art(*arguments)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith("Error: there is no store at ")
        assert answer.err.endswith("`art run` makes it\n")
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["art_project.py"]


def test_history_does_not_import_the_project(art, toy):
    (toy / "art_project.py").write_text('raise SystemExit\nproject = art.ArtProject("toy", setup)')
    assert art("show", "Overfit").code == 0
    assert art("runs").code == 0


def test_history_of_a_project_that_never_ran_in_a_shared_store_names_those_that_did(art, toy):
    (toy / "art_project.py").write_text('project = art.ArtProject("mine", setup)')
    answer = art("runs")
    assert answer.code == 2
    assert "project 'mine' has no runs in" in answer.err
    assert "it holds: toy" in answer.err


def test_a_project_that_chooses_its_store_is_asked_for_it(art, toy):
    source = "import art_training as art\nsetup = art.Setup(dict, dict)\n"
    (toy / ".art").rename(toy / "mine")
    (toy / "art_project.py").write_text(source + 'project = art.ArtProject("toy", setup, store="mine/art.db")\n')
    assert art("show", "Overfit").code == 0


def test_a_damaged_store_is_one_sentence(art, toy):
    (toy / ".art" / "art.db").write_bytes(b"this is no database at all, but long enough to be read" * 100)
    answer = art("runs")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.startswith("Error: ")
    assert len(answer.err.splitlines()) == 1


def test_a_step_behind_a_failed_one_does_not_look_done(art, toy):
    store = SqlStore(toy / ".art" / "art.db")
    keep_run(store, "CheckLossOnInit", minute=40, verdicts=[verdict("train/loss = expected_loss ± 20%", "failed")])
    assert store.runs(RunQuery(step="Overfit"))
    store.close()
    steps = {row["step"]: row for row in json.loads(art("status", "--json").out)["steps"]}
    assert steps["CheckLossOnInit"]["state"] == "failed"
    assert steps["Overfit"]["state"] == "not run"
    assert steps["Overfit"]["waits_for"] == "CheckLossOnInit"


def long(scores=40, candidates=30, curves=50) -> Outcome:
    """What a search leaves."""
    return Outcome(
        scores={f"train/count_{at}": Score(float(at == 30), note="a word " * 40) for at in range(scores)},
        curves={f"trial {at}/{name}": Curve((0, 1), (1.0, 0.5)) for at in range(curves) for name in ("lr/0", "train/loss")},
        readings=(*(Reading(f"reading {at}", at, note="more " * 60) for at in range(20)), Reading("winner", "trial 3", note="it is " * 30)),
        candidates=tuple(
            Candidate(f"trial {at}", {"validation/loss": Score(abs(at - 12.0), direction="minimize")}) for at in range(candidates)
        ),
        parameters={"by": "validation/loss"},
        summary="30 trials",
    )  # fmt: skip


def test_what_a_search_leaves_fits_two_screens_with_the_choice_first_and_curves_last(art, toy, columns):
    with closing(SqlStore(toy / ".art" / "art.db")) as store:
        store.write(a_run(1, project="toy", step="Tune", status=RunStatus.COMPLETED), long())
    told = art("show", "Tune").out
    lines = told.splitlines()
    assert len(lines) <= 80
    assert max(map(len, lines)) <= columns
    titles = [line.partition(" (")[0] for line in lines if line and line[0].isupper() and "of project" not in line]
    assert [one for one in titles if one in {"Chosen", "Scores", "Readings", "Made with", "Curves"}] == [
        "Chosen", "Scores", "Readings", "Made with", "Curves"
    ]  # fmt: skip
    assert "Candidates by validation/loss (8 of 30; `art show Tune --all`)" in told
    assert "trial 12 " in told
    assert "train/count_30 " in told, "of many scores, those that are not 0 first"
    assert "Curves (6 of 100; `art show Tune --all`)" in told
    whole = art("show", "Tune", "--all").out
    assert all(f"trial {at}/lr/0" in whole for at in range(50))
    assert "--all" not in whole


_DECLARES = """
import numpy as np

import art_training as art
from art_training.steps import ExploreData, Overfit, Squeeze, Tune

data = art.data((np.zeros((4, 2), "float32"), np.zeros(4, "int64")))
project = art.ArtProject("toy", art.Setup(lambda: None, data), steps=[ExploreData(), Overfit(), Squeeze(name="To squeeze")])
"""


@pytest.mark.parametrize("command", ["show", "log", "export", "diff", "rm --yes", "show --all", "show --json"])
def test_a_step_that_has_not_been_run_says_so_with_the_command_that_runs_it(art, toy, command):
    (toy / "art_project.py").write_text(_DECLARES)
    name, *options = command.split()
    answer = art(name, "to squeeze", *options)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "Error: step 'To squeeze' has not been run yet; `art run --until 'To squeeze'` runs it, and what is to run before it\n"
    )


@pytest.mark.parametrize(
    ("text", "near"), [("Overfitt", "Overfit"), ("squeeze", "To squeeze"), ("explore", "ExploreData")]
)
def test_a_mistyped_step_is_told_with_the_nearest_and_what_has_not_been_run(art, toy, text, near):
    (toy / "art_project.py").write_text(_DECLARES)
    answer = art("show", text)
    assert (answer.code, answer.out) == (2, "")
    assert (
        f"has no run or step {text!r} (did you mean {near!r}?); steps with runs are: ExploreData, Overfit, "
        in answer.err
    )
    assert "; not run yet: To squeeze; `art runs` lists the runs" in answer.err


def test_without_a_file_that_imports_the_store_alone_says_what_has_runs(art, toy):
    for source in (None, "import nothing_of_this_name"):
        if source:
            (toy / "art_project.py").write_text(source)
        answer = art("show", "Overfitt", *(["--store", ".art/art.db"] if source else []))
        assert answer.code == 2
        assert "(did you mean 'Overfit'?); steps with runs are: " in answer.err


def test_an_empty_folder_says_what_is_missing(art, monkeypatch):
    monkeypatch.chdir("/")
    answer = art("show", "Overfit")
    assert answer.code == 2
    assert "there is no art_project.py in " in answer.err
    assert "`art demo`" in answer.err


def test_sentences_are_wrapped_and_digests_that_nobody_copies_are_short(art, toy, columns):
    digest = "8c1512b2eba5" + "0" * 52
    readings = (
        Reading(
            "remedy", "fresh predictions are far from even: standardise the inputs, or make the initial weights smaller"
        ),
        Reading("frozen part", {"before": digest, "after": digest, "same": True}, note="before and after"),
        Reading("worst", [{"example": at} for at in range(16)], note="the largest losses of 1,079 examples"),
        Reading("health", {"passed": ["ART911"]}),
    )
    with closing(SqlStore(toy / ".art" / "art.db")) as store:
        store.write(a_run(1, project="toy", step="Frozen", status=RunStatus.COMPLETED), Outcome(readings=readings))
    told = art("show", "Frozen").out
    assert "make the initial weights smaller" in " ".join(told.split())
    assert "before=8c1512b2eba5, after=8c1512b2eba5, same=True" in told
    assert "16 entries; the largest losses of 1,079 examples" in told
    assert "ART911" not in told
    assert "ART911" in art("show", "Frozen", "--all").out
    assert digest in art("show", "Frozen", "--json").out
    assert max(map(len, told.splitlines())) <= columns


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("short", "short"),
        ("30 points, 2.289 to 0.2514, between 0.2438 and 2.289", "30 points, 2.289 to..."),
        ("from the loss function and the labels of it", "from the loss function and..."),
        ("/a/path/without/any/blank/in/it/at/all", "/a/path/without/any/blank/i..."),
    ],
)
def test_what_does_not_fit_a_line_is_cut_between_clauses_or_words(text, told):
    assert shortened(text, 30) == told


def test_a_run_that_went_on_from_another_is_as_long_in_every_command(art, tmp_path):
    with closing(SqlStore(tmp_path / ".art" / "art.db")) as store:
        run = keep_run(store, "Overfit", seconds=15.0, verdicts=[verdict("a")])
        store.write(replace(run, resumed="run-before", seconds_before=65.0))
    for command in (["status"], ["runs"], ["show", "Overfit"]):
        assert "1 min 20 s" in " ".join(art(*command).out.split()), command
    assert "went on from run run-before, which took 1 min 5 s of it" in art("show", "Overfit").out
