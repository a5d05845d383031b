"""The harness that puts the fault benchmark before other tools counts right; no tool is needed for that."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pytest
import torch
from benchmarks.faults.others import TOOLS, versions
from benchmarks.faults.others.__main__ import details, jobs_for, line, not_run, report
from benchmarks.faults.others.common import classes, declared_frozen, for_forward
from benchmarks.faults.others.judging import in_a_process
from benchmarks.faults.others.with_lightning import kind
from benchmarks.faults.rows import Counts, Row
from torch import Tensor, nn

from benchmarks.faults import Project, load


def row(case: str, form: str, *codes: str, broken: str = "") -> Row:
    return Row("opened", case, form, 0, 2.0, [[code, "", "warning", False, ""] for code in codes], [], broken)


def test_every_tool_but_lightning_has_a_pinned_version():
    assert set(versions()) == set(TOOLS) - {"lightning"}


def test_a_clean_form_that_cases_share_is_judged_once_and_counts_for_each():
    jobs = jobs_for(["opened"], ["cancer", "digits"], [0], {})
    cases = [case for case in load("opened") if case.name.startswith(("cancer", "digits"))]
    judged = [(name, form) for _, names, form, _ in jobs for name in names]
    assert len(jobs) < len(judged)
    assert sorted(judged) == sorted(
        [(case.name, "clean") for case in cases] + [(case.name, "faulty") for case in cases if case.faulty]
    )


def test_what_is_known_is_not_judged_again():
    case = load("opened")[0]
    done = {(case.name, "faulty", 0): row(case.name, "faulty")}
    assert [form for _, _, form, _ in jobs_for(["opened"], [case.name], [0], done)] == ["clean"]


def test_a_line_counts_faults_detections_clean_forms_alarms_and_breakdowns():
    first, second, *_ = (case for case in load("opened") if case.faulty)
    counts = Counts(
        pairs=[(first, [["X1", "", "warning", False, ""]]), (second, [])],
        clean=[row(first.name, "clean"), row(second.name, "clean", "X2", "X2", "X3")],
        broken=[row(second.name, "faulty", broken="died")],
        rows=[replace(row(first.name, "clean"), seconds=one) for one in (1.0, 2.0, 3.0)],
    )
    assert line("torcheck", counts) == f"| torcheck {versions()['torcheck']} | 2 | 1 | 2 | 1 | 1 | 2.0 | 3.0 |"
    text = "\n".join(details("torcheck", counts))
    assert f"- {first.name}: X1" in text
    assert "- X2: 1\n- X3: 1" in text
    assert f"- {second.name}, faulty: died" in text


def test_a_report_says_that_it_is_not_complete_and_compares_what_all_tools_have_judged():
    case, *_ = load("opened")
    forms = {(case.name, form, 0): row(case.name, form) for form in ("faulty", "clean")}
    rows = {tool: dict(forms) for tool in TOOLS}
    other = load("opened")[1].name
    rows["torcheck"][other, "clean", 0] = row(other, "clean", "X1")
    lines = report("opened", TOOLS, rows, [0])
    assert [one for one in lines if one.startswith("1 cases (1 faults)")]
    whole, shared = [one for one in lines if one.startswith("| torcheck")]
    assert "| 1 | 0 | 2 | 1 | 0 |" in whole
    assert "| 1 | 0 | 1 | 0 | 0 |" in shared


def test_a_complete_report_has_one_table():
    keys = [(case.name, form, 0) for case in load("opened") for form in ("faulty", "clean")]
    rows = {tool: {key: row(key[0], key[1]) for key in keys} for tool in TOOLS}
    lines = report("opened", TOOLS, rows, [0])
    assert len([one for one in lines if one.startswith("| torcheck")]) == 1


def test_a_report_says_what_was_not_run_and_why():
    one = replace(row("digits", "clean"), seconds=120.0)
    alone = "\n".join(not_run(["opened"], [0], {"torcheck": {one.key: one}}))
    assert "TrainCheck" in alone
    assert "held-out" in alone
    assert "took 2 minutes" in alone
    everything = not_run(["opened", "held_out"], [0, 1, 2], {})
    assert not [said for said in everything if "held-out" in said or "seeds" in said]


def test_kinds_of_warnings_forget_names_numbers_and_paths():
    assert kind("You asked for 'val_f1' in 12 steps of /tmp/x.\nMore.") == kind(
        "You asked for 'acc' in 3 steps of /home/y."
    )
    assert kind("Found 3 modules in eval mode") != kind("Found 3 losses in eval mode")


class Pair(NamedTuple):
    features: Tensor
    label: Tensor


@dataclass
class Glyph:
    pixels: Tensor
    digit: Tensor


X, Y = torch.randn(4, 3), torch.tensor([0, 1, 1, 0])


@pytest.mark.parametrize(
    "batch", [(X, Y), [X, Y], {"x": X, "y": Y}, Pair(X, Y), Glyph(X, Y)], ids=lambda batch: type(batch).__name__
)
def test_a_batch_is_taken_apart_for_forward_and_put_together_again(batch: Any):
    inputs, rest, together, output = for_forward(nn.Linear(3, 2), batch)
    assert inputs is X
    assert output.shape == (4, 2)
    again = together(inputs, rest)
    leaves = (
        (again["x"], again["y"])
        if isinstance(batch, dict)
        else vars(again).values()
        if isinstance(batch, Glyph)
        else again
    )
    assert [id(one) for one in leaves] == [id(X), id(Y)]


def test_a_model_that_takes_the_whole_batch_gets_it():
    class Whole(nn.Module):
        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return batch["x"] + batch["z"]

    batch = {"x": X, "z": X}
    inputs, rest, together, output = for_forward(Whole(), batch)
    assert torch.equal(output, 2 * X)
    assert together(inputs, rest) is batch


def test_a_model_that_takes_no_part_of_a_batch_is_refused():
    with pytest.raises(ValueError, match=r"Linear\.forward takes no part of a batch"):
        for_forward(nn.Linear(7, 2), (X, Y))


def test_classes_are_known_where_there_is_a_score_for_each():
    assert classes(torch.randn(4, 5), Y) == (Y, 5)
    assert classes(torch.randn(4), Y) is None
    assert classes(torch.randn(4, 5), X) is None


def test_frozen_submodules_are_named_or_matched():
    project = Project(nn.Linear, None, declarations={"frozen": ["backbone", "encoder.layers.*"]})
    assert declared_frozen(project, "backbone.conv.weight")
    assert declared_frozen(project, "encoder.layers.0.weight")
    assert not declared_frozen(project, "head.weight")


@pytest.mark.slow
def test_a_judgement_that_breaks_down_is_a_row_that_says_so_for_every_case():
    case = load("opened")[0]
    rows = in_a_process("torcheck", "", ("opened", (case.name, "another"), "clean", 0))
    assert [one.case for one in rows] == [case.name, "another"]
    assert all("ModuleNotFoundError" in one.broken for one in rows)
