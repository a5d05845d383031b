"""Rows that nobody labelled are in no class, and what has a class's number is one."""

from contextlib import suppress

import numpy as np
import pytest
from sklearn.datasets import load_digits

from art_training.probes.rows import Rows, SplitRows
from art_training.records import Split
from art_training.rules import Laboratory, NotApplicable, NotMeasured, rules
from art_training.rules.labelled import unlabelled, with_labels
from art_training.setup.task import Task, TaskKind

X, Y = load_digits(return_X_y=True)


def rows(values, labels):
    return SplitRows(
        np.arange(len(labels), dtype=np.uint64), labels.astype(np.uint64), labels, values.astype(np.float32), True,
        loaders=np.zeros(len(labels), np.int64), shape=values.shape[1:],
    )  # fmt: skip


def laboratory(train, validation, classes=10):
    made = Laboratory(task=Task(TaskKind.CLASSIFICATION, ("0",), "1", "cross_entropy", classes=classes))
    made.lay_down(Rows({Split.TRAIN: train, Split.VALIDATION: validation}))
    return made


def semi_supervised(share=0.2):
    """Training rows of which most have -1 for their label, and validation rows that are all labelled."""
    known = np.random.default_rng(0).random(1400) < share
    return rows(X[:1400], np.where(known, Y[:1400], -1)), rows(X[1400:], Y[1400:]), known


@pytest.mark.parametrize("code", ["ART136", "ART138", "ART154", "ART160", "ART163", "ART164", "ART165"])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_semi_supervised_training_is_not_accused(code, share):
    train, validation, _ = semi_supervised(share)
    rule = next(one for one in rules() if one.code == code)
    with suppress(NotApplicable, NotMeasured):  # of few labelled rows some cannot be told
        assert not rule.findings(laboratory(train, validation))


def test_a_class_that_is_lost_among_labelled_rows_is_found():
    train, validation, known = semi_supervised(0.5)
    train = rows(X[:1400], np.where(known & (Y[:1400] != 3), np.where(Y[:1400] == 3, -1, Y[:1400]), -1))
    rule = next(one for one in rules() if one.code == "ART136")
    made = Laboratory(
        task=Task(TaskKind.CLASSIFICATION, ("0",), "1", "cross_entropy", {"ignore_index": -1}, classes=10)
    )
    made.lay_down(Rows({Split.TRAIN: train, Split.VALIDATION: validation}))
    (found,) = rule.findings(made)
    assert found.evidence["lost"] == [3]


def test_wrong_labels_among_few_are_found_under_their_numbers_in_the_split():
    generator = np.random.default_rng(1)
    known = generator.random(1400) < 0.7
    wrong = known & (generator.random(1400) < 0.3)
    labels = np.where(known, np.where(wrong, generator.integers(10, size=1400), Y[:1400]), -1)
    rule = next(one for one in rules() if one.code == "ART160")
    (found,) = rule.findings(laboratory(rows(X[:1400], labels), rows(X[1400:], Y[1400:])))
    suspicious = np.asarray(found.evidence["suspicious"])
    assert known[suspicious].all()
    assert (labels[suspicious] != Y[suspicious]).mean() > 0.8


def test_rows_that_are_labelled_keep_everything_of_their_own():
    train, validation, known = semi_supervised()
    left = with_labels(laboratory(train, validation))
    assert left[Split.VALIDATION].labels.tolist() == Y[1400:].tolist()
    assert left[Split.TRAIN].labels.tolist() == Y[:1400][known].tolist()
    assert np.array_equal(left[Split.TRAIN].values, X[:1400][known])
    assert left[Split.TRAIN].numbered(np.arange(3)).tolist() == np.flatnonzero(known)[:3].tolist()


@pytest.mark.parametrize(
    ("labels", "classes", "options", "marks"),
    [
        ([-1, 0, 1, 2], 3, {}, [-1]),
        ([0, 1, 2, 255], 3, {"ignore_index": 255}, [255]),
        ([0, 1, 255], 3, {"ignore_index": 255}, [255]),  # a class is lost as well
        ([-1, 0, 1], 3, {}, []),  # against, neutral, for
        ([-1, 1], 2, {}, []),
        ([1, 2, 3], 3, {}, []),  # numbered from 1, and moved by the step
        ([0, 1, 2], 3, {"ignore_index": 0}, []),  # a class is ignored, which is another rule's
        ([0, 1, 2, 3], 3, {}, []),  # validation has a class that training has not
        ([-1, 0, 1], None, {}, []),
    ],
)
def test_what_stands_for_no_class(labels, classes, options, marks):
    task = Task(TaskKind.CLASSIFICATION, ("0",), "1", "cross_entropy", options, classes=classes)
    assert unlabelled(np.asarray(labels), task).tolist() == marks
