"""What ExploreData says of examples: which they are, of which classes, and whether the step passes with it."""

import csv

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import art_training as art
from art_training.checks.check import judge_all
from art_training.checks.evidence import Evidence
from art_training.records import Severity, VerdictState
from art_training.setup.task import Task, TaskKind
from art_training.steps import ExploreData
from art_training.testing.reading import ReadingBench

CLASSES = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1")
VALUES = Task(TaskKind.REGRESSION, inputs=("0",), target="1")
MASK = Task(TaskKind.SEQUENCE, inputs=("0",), target="1", classes=2, activation="sigmoid")


def explore(task, **data):
    bench = ReadingBench(art.data(**data), task)
    return ExploreData(pictures=False, near=0).run(bench)


def masks(count, seed):
    """Images of one channel, and where they are bright; a corner is never part of a mask in training."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(count, 1, 8, 8)).astype(np.float32)
    mask = (x > 1).astype(np.float32)
    mask[:, :, 0, 0] = float(seed > 0)
    return torch.from_numpy(x), torch.from_numpy(mask)


def test_every_position_of_a_mask_has_one_of_two_classes():
    outcome = explore(MASK, train=masks(30, 0), validation=masks(10, 1))
    counts = outcome.reading("class counts").value
    assert counts["class"] == [0, 1]
    assert sum(counts["train"]) == 30 * 64
    assert outcome.scores["unseen_classes"].value == 0
    assert not [one for one in outcome.findings if one.code == "ART106"]


def test_soft_labels_of_positions_are_counted_by_class():
    soft = torch.zeros(6, 3, 5)
    soft[:, 0, :4] = soft[:, 2, 4:] = 1.0
    task = Task(TaskKind.SEQUENCE, inputs=("0",), target="1", classes=3, activation="softmax")
    outcome = explore(task, train=(torch.randn(6, 2, 5), soft))
    assert outcome.reading("class counts").value == {"class": [0, 1, 2], "train": [24, 0, 6]}


def test_a_mask_is_called_so():
    assert "sequence or mask, one of 2 classes at each position" in str(MASK)


def digits(*, spoil):
    x, y = load_digits(return_X_y=True)
    x, y = x.astype(np.float32), y.copy()
    return spoil(x, y)


def nothing_of_nine(x, y):
    train = np.flatnonzero(y[:1000] != 9)
    return {"train": (x[train], y[train]), "validation": (x[1000:1400], y[1000:1400])}


def not_a_number(x, y):
    x[range(0, 300, 10), 3] = np.nan
    return {"train": (x[:1000], y[:1000]), "validation": (x[1000:1400], y[1000:1400])}


def copied(x, y):
    return {"train": (x[:1000], y[:1000]), "validation": (x[900:1300], y[900:1300])}


def copied_to_test(x, y):
    return {"train": (x[:800], y[:800]), "validation": (x[800:1200], y[800:1200]), "test": (x[1100:1500], y[1100:1500])}


def constant(x, y):
    return {"train": (x[:1000], np.full(1000, 3.0, np.float32)), "validation": (x[1000:1200], y[1000:1200] * 1.0)}


@pytest.mark.parametrize(
    ("spoil", "task", "code"),
    [
        (nothing_of_nine, CLASSES, "ART106"),
        (not_a_number, CLASSES, "ART103"),
        (copied, CLASSES, "ART101"),
        (copied_to_test, CLASSES, "ART101"),
        (constant, VALUES, "ART113"),
    ],
)
def test_with_a_finding_that_is_an_error_the_step_does_not_pass(spoil, task, code):
    outcome = explore(task, **digits(spoil=spoil))
    errors = [one for one in outcome.findings if one.severity is Severity.ERROR]
    assert code in {one.code for one in errors}
    assert outcome.scores["errors"].value == len(errors)
    assert code in outcome.scores["errors"].note
    checks = ExploreData().default_checks(task, ())
    verdicts = judge_all(checks, Evidence("ExploreData", outcome))
    assert VerdictState.FAILED in {one.state for one in verdicts}


def test_a_tag_that_only_validation_has_is_no_error():
    task = Task(TaskKind.SEQUENCE, inputs=("0",), target="1", classes=5)
    tags = torch.randint(0, 4, (40, 6), generator=torch.Generator().manual_seed(0))
    tags[35, 2] = 4
    x = torch.randn(40, 6)
    outcome = explore(task, train=(x[:30], tags[:30]), validation=(x[30:], tags[30:]))
    (told,) = [one for one in outcome.findings if one.code == "ART106"]
    assert told.severity is Severity.WARNING
    assert outcome.scores["errors"].value == 0


def test_all_examples_of_a_finding_are_in_a_file():
    bench = ReadingBench(art.data(**digits(spoil=not_a_number)), CLASSES)
    outcome = ExploreData(pictures=False, near=0).run(bench)
    (told,) = [one for one in outcome.findings if one.code == "ART103"]
    assert told.where == "train: examples 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, ...; all 30 are in found.csv"
    with (bench.folder / "found.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["code"] == "ART103"]
    assert [int(row["example"]) for row in rows] == list(range(0, 300, 10))
    assert {row["place"] for row in rows} == {"train"}


def test_the_check_on_errors_says_what_is_wrong():
    x, _ = load_digits(return_X_y=True)
    data = {"train": (x[:300], np.full(300, 2.5)), "validation": (x[300:400], np.full(100, 2.5))}
    outcome = explore(VALUES, **data)
    verdicts = judge_all(ExploreData().all_checks(VALUES, []), Evidence("ExploreData", outcome))
    failed = [one.reason for one in verdicts if one.state is VerdictState.FAILED]
    assert any("errors is 1, not == 0; ART113: " in reason for reason in failed), failed
