"""`art report`: what happened, in one file."""

import os

import pytest

from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run, verdict


def test_the_report_of_a_project_is_one_page_in_one_file(art, toy):
    answer = art("report")
    assert answer.code == 0
    assert answer.out.startswith("wrote art-report.html (")
    page = (toy / "art-report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "All 4 steps passed." in page


def test_the_format_follows_the_name_of_the_file(art, toy):
    assert art("report", "-o", "told.md").code == 0
    assert (toy / "told.md").read_text().startswith("# toy\n")


def test_a_format_that_is_asked_for_counts_more_than_the_name(art, toy):
    assert art("report", "--format", "md").code == 0
    assert (toy / "art-report.md").read_text().startswith("# toy\n")
    assert art("report", "--format", "md", "-o", "told.txt").code == 0
    assert (toy / "told.txt").read_text().startswith("# toy\n")


def test_the_report_of_a_run_leaves_that_of_the_project_alone_and_what_it_replaces_is_said(art, toy):
    assert art("report").code == 0
    whole = (toy / "art-report.html").read_text()
    newest, before = art("report", "Overfit"), art("report", "Overfit~1")
    assert newest.code == before.code == 0
    assert (toy / "art-report.html").read_text() == whole
    assert len(list(toy.glob("art-report-Overfit-*.html"))) == 2
    assert "in place of the one that was there" not in newest.out
    assert "in place of the one that was there" in art("report", "Overfit").out


def test_a_report_can_be_piped(art, toy):
    answer = art("report", "--format", "md", "-o", "-")
    assert answer.out.startswith("# toy\n")
    assert not list(toy.glob("art-report*"))


@pytest.mark.parametrize("run", ["Overfit", "overfit~1"])
def test_the_report_of_a_run_tells_of_that_run_alone(art, toy, run):
    answer = art("report", run, "--format", "md", "-o", "-")
    assert answer.code == 0
    assert answer.out.startswith("# Overfit of toy\n")
    assert "EvaluateBaseline" not in answer.out.partition("## How to reproduce")[0].partition("Verdict")[2]
    assert ("**failed**" in answer.out) == ("~" in run)


def test_a_report_that_is_there_is_replaced_as_a_whole(art, toy):
    (toy / "art-report.html").write_text("old")
    assert art("report").code == 0
    assert "old" not in (toy / "art-report.html").read_text()[:10]
    assert [file.name for file in toy.glob("*report*")] == ["art-report.html"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report", "Overfitt"), "has no run or step 'Overfitt' (did you mean 'Overfit'?)"),
        (("report", "-o", "nowhere/report.html"), "there is no folder nowhere"),
        (("report", "-o", "."), "is a folder; name a file"),
        (
            ("report", "-o", "report.pdf"),
            "report.pdf is named like no report: these end in .html or .md; for a PDF write the page and print it",
        ),
        (("report", "-o", "report.docx"), "report.docx is named like no report"),
        (("report", "--format", "md", "-o", "report.pdf"), "report.pdf is named like no report"),
        (
            ("report", "--format", "md", "-o", "report.html"),
            "--format md and the name report.html contradict each other",
        ),
        (
            ("report", "--format", "html", "-o", "report.md"),
            "--format html and the name report.md contradict each other",
        ),
        (
            ("report", "--format", "pdf"),
            "--format pdf is neither html nor md; for a PDF write the page and print it from a browser",
        ),
        (("report", "--format", "HTML"), "--format HTML is neither html nor md"),
        (("report", "--store", "gone.db"), "there is no store at gone.db"),
    ],
)
def test_wrong_use_is_one_sentence(art, toy, arguments, said):
    answer = art(*arguments)
    assert answer.code == 2
    assert said in " ".join(answer.err.split())
    assert answer.out == ""
    assert not list(toy.glob("**/*report*"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_one_sentence(art, toy):
    (toy / "shut").mkdir(mode=0o500)
    answer = art("report", "-o", "shut/report.html")
    assert answer.code == 2
    assert "cannot be written" in answer.err


def test_a_failed_step_is_no_wrong_use_of_the_report(art, toy):
    store = SqlStore(toy / ".art" / "art.db")
    keep_run(store, "Tune", minute=20, verdicts=[verdict("finished_trials > 0", "failed", "finished_trials is 0, > 0")])
    store.close()
    answer = art("report", "--format", "md", "-o", "-")
    assert answer.code == 0
    assert "4 of 5 steps passed: Tune failed" in answer.out


def test_a_project_that_does_not_import_is_told_by_its_store(art, toy):
    """As on the machine of somebody who has the records, but not all that the project needs."""
    (toy / "art_project.py").write_text(
        "import no_such_package\nimport art_training as art\n\np = art.ArtProject('toy', None)\n"
    )
    answer = art("report", "-o", "told.md")
    assert answer.code == 0
    assert "No module named 'no_such_package'" in answer.err
    assert "what is stale is as it was when the project was planned last" in answer.err
    assert "All 4 steps passed." in (toy / "told.md").read_text()
    assert art("status").code == 0


def test_a_project_of_which_only_its_own_code_tells_where_its_store_is_must_import(art, toy):
    (toy / "art_project.py").write_text(
        "import no_such_package\nimport art_training as art\n\np = art.ArtProject('toy', None, store=no_such_package.store)\n"
    )
    answer = art("report")
    assert answer.code == 2
    assert "No module named 'no_such_package'" in answer.err


DECLARED = """
import torch
from torch import nn

import art_training as art

model = art.from_torch(lambda: nn.Linear(2, 2), loss=nn.CrossEntropyLoss, lr=0.1)
rows = (torch.eye(2), torch.arange(2))
project = art.ArtProject("toy", art.Setup(model, art.data(rows)), steps=[art.steps.Overfit()])
"""


@pytest.mark.parametrize("command", ["report", "status"])
def test_a_store_that_is_named_and_is_not_there_is_not_taken_for_an_empty_one(art, tmp_path, command):
    (tmp_path / "art_project.py").write_text(DECLARED)
    answer = art(command, "--store", "typo.db")
    assert (answer.code, answer.out) == (2, "")
    assert f"there is no store at {tmp_path / 'typo.db'}: there are no records there" in " ".join(answer.err.split())
    assert not list(tmp_path.glob("*report*"))
    assert not (tmp_path / "typo.db").exists()


def test_of_a_project_that_has_not_run_there_is_nothing_to_report_but_its_status(art, tmp_path):
    (tmp_path / "art_project.py").write_text(DECLARED)
    answer = art("report")
    assert (answer.code, answer.out) == (2, "")
    assert "project 'toy' has not been run yet; `art run` makes it" in " ".join(answer.err.split())
    assert "it begins with Overfit (new)" in " ".join(art("status").out.split())


def test_a_store_of_another_project_is_not_reported_as_this_ones(art, toy):
    (toy / "art_project.py").write_text(DECLARED.replace('"toy"', '"mine"'))
    answer = art("report")
    assert (answer.code, answer.out) == (2, "")
    assert "project 'mine' has no runs in" in answer.err
