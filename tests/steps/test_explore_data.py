import math
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split

import art_training as art
from art_training.checks import Evidence, judge_all
from art_training.errors import ProjectError
from art_training.records import Outcome, Severity, Split, VerdictState, plain
from art_training.setup.task import Task, TaskKind
from art_training.steps.explore_data import ExploreData
from art_training.testing.reading import ReadingBench

CLASSES = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="cross_entropy", classes=10)
VALUES = Task(TaskKind.REGRESSION, inputs=("0",), target="1")


def distinct(rows: int, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x = np.arange(start, start + rows * 4, dtype=np.float64).reshape(rows, 4)
    return x, np.arange(rows) % 2


def explore(data, task: Task = CLASSES) -> Outcome:
    return ExploreData(pictures=False).run(ReadingBench(data, task))


def codes(outcome: Outcome) -> list[str]:
    return [finding.code for finding in outcome.findings]


def finding(outcome: Outcome, code: str):
    return next(one for one in outcome.findings if one.code == code)


def states(outcome: Outcome, task: Task = CLASSES):
    checks = ExploreData().all_checks(task, [])
    return [verdict.state for verdict in judge_all(checks, Evidence("ExploreData", outcome))]


def test_digits_are_found_to_be_in_order():
    x, y = load_digits(return_X_y=True)
    x_train, x_rest, y_train, y_rest = train_test_split(x, y, test_size=0.4, random_state=0, stratify=y)
    outcome = explore(art.data((x_train, y_train), (x_rest[:360], y_rest[:360]), (x_rest[360:], y_rest[360:])))
    assert [score for score in outcome.scores if score.endswith("/examples")] == [
        "train/examples",
        "validation/examples",
        "test/examples",
    ]
    assert outcome.score("train/examples").value == 1078
    assert outcome.score("train/classes").value == 10
    assert outcome.score("train/constant_features").value >= 3  # pixels of the corners
    assert sum(outcome.reading("class counts").value["train"]) == 1078
    assert outcome.reading("schema").value["train"]["0"] == {
        "type": "float32",
        "shapes": [[64]],
        "one row an example": True,
    }
    assert states(outcome) == [VerdictState.PASSED] * 5
    assert outcome.summary.startswith("train 1078, validation 360, test 359 examples")


def test_nan_infinity_and_bad_targets_are_counted_and_located():
    x, _ = distinct(80)
    y = np.linspace(0, 1, 80)
    x[40, 1], x[77, 0], x[77, 2], y[3] = np.nan, np.inf, np.nan, np.nan
    outcome = explore(art.data((x, y), batch_size=7), VALUES)
    scores = {
        name: outcome.score(f"train/{name}").value for name in ("nan_inputs", "infinite_inputs", "non_finite_targets")
    }
    assert scores == {"nan_inputs": 2, "infinite_inputs": 1, "non_finite_targets": 1}
    assert outcome.score("non_finite_examples").value == 3
    first = finding(outcome, "ART103")
    assert first.severity is Severity.ERROR
    assert first.evidence["examples"] == [40, 77]
    assert states(outcome, VALUES)[0] is VerdictState.FAILED


def test_blank_examples_are_found():
    x, y = distinct(20)
    x[5] = 0
    outcome = explore(art.data((x, y), batch_size=3))
    assert outcome.score("train/blank_inputs").value == 1
    assert finding(outcome, "ART105").evidence["examples"] == [5]


def test_one_blank_entry_does_not_make_an_example_blank():
    x, y = distinct(6)
    task = Task(TaskKind.CLASSIFICATION, inputs=("ids", "mask"), target="y")
    outcome = explore(art.data({"ids": x, "mask": np.ones((6, 4)), "y": y}), task)
    assert outcome.score("train/blank_inputs").value == 0


def test_duplicates_within_a_split_name_what_they_repeat():
    x, y = distinct(50)
    x[30], x[31] = x[2], x[2]
    outcome = explore(art.data((x, y), batch_size=8))
    assert outcome.score("train/duplicates").value == 2
    assert finding(outcome, "ART108").evidence["pairs"] == [[30, 2], [31, 2]]


def test_examples_of_another_split_are_found_and_fail_the_check():
    train, validation, test = distinct(100), distinct(50, 1000), distinct(50, 2000)
    validation[0][7], test[0][9], test[0][10] = train[0][42], train[0][43], validation[0][1]
    outcome = explore(art.data(train, validation, test))
    assert outcome.score("validation/also_in_train").value == 1
    assert outcome.score("test/also_in_train_share").value == pytest.approx(0.02)
    assert outcome.score("test/also_in_validation").value == 1
    assert outcome.score("leaked_share").value == pytest.approx(0.02)
    assert finding(outcome, "ART101").evidence["pairs"] == [[7, 42]]
    assert states(outcome)[1] is VerdictState.FAILED


def test_equal_inputs_with_different_labels_conflict():
    x, y = distinct(60)
    x[10], y[10], y[4] = x[4], 1, 0
    x[11], y[11] = x[5], y[5]
    outcome = explore(art.data((x, y)))
    assert outcome.score("train/conflicting_labels").value == 2
    assert finding(outcome, "ART102").evidence["examples"] == [4, 10]
    assert states(outcome)[2] is VerdictState.FAILED


def test_equal_inputs_with_different_numbers_are_noise_not_conflict():
    x, _ = distinct(10)
    x[1] = x[0]
    outcome = explore(art.data((x, np.linspace(0, 1, 10))), VALUES)
    assert "train/conflicting_labels" not in outcome.scores
    assert outcome.reading("target statistics").value["train"]["max"] == 1


def test_a_split_that_is_not_drawn_like_the_training_split_is_found():
    train, validation = distinct(400), distinct(200, 5000)
    validation[1][:] = 0
    outcome = explore(art.data(train, validation))
    assert outcome.score("validation/class_prior_distance").value == pytest.approx(0.5)
    assert "ART104" in codes(outcome)


def test_a_class_that_training_never_shows_is_an_error():
    train, validation = distinct(40), distinct(40, 5000)
    validation[1][3] = 7
    found = finding(explore(art.data(train, validation)), "ART106")
    assert found.severity is Severity.ERROR
    assert found.evidence["classes"] == [7]


def test_a_training_split_of_one_class_is_told():
    (x, _), (more, _) = distinct(60), distinct(30, 60)
    outcome = explore(art.data((x, np.zeros(60, int)), (more, np.zeros(30, int))))
    assert finding(outcome, "ART112").message.startswith("all 60 examples of train are of class 0")
    assert "ART112" not in codes(explore(art.data(distinct(60), distinct(30, 60))))


def test_small_differences_between_splits_are_chance():
    assert "ART104" not in codes(explore(art.data(distinct(41), distinct(21, 5000))))


def test_types_that_differ_between_splits_are_found():
    x, y = distinct(10)
    outcome = explore(art.data((x, y), (torch.as_tensor(x + 1000), y)))
    assert finding(outcome, "ART107").evidence == {"entry": "0", "train": "float32", "validation": "float64"}


def test_of_the_test_split_neither_classes_nor_features_are_told():
    outcome = explore(art.data(distinct(20), distinct(20, 1000), distinct(20, 2000)))
    assert "test" not in outcome.reading("class counts").value
    assert "test" not in outcome.reading("feature statistics").value
    assert "test/classes" not in outcome.scores


def test_several_loaders_are_places_of_their_own():
    outcome = explore(art.data(distinct(20), {"clean": distinct(10, 1000), "noisy": distinct(10)}))
    assert outcome.score("validation:clean/also_in_train").value == 0
    assert outcome.score("validation:noisy/also_in_train").value == 10
    assert outcome.score("leaked_share").value == 1


def test_a_training_split_alone_can_be_explored():
    outcome = explore(art.data(distinct(20)))
    assert states(outcome) == [VerdictState.PASSED] * 5
    assert outcome.score("leaked_share").note == "there is no other split"


def test_sequences_of_varying_length_and_ignored_positions():
    def collate(rows):
        width = max(len(row) for row in rows)
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        return {"ids": ids, "labels": torch.where(ids > 0, ids, -100)}

    task = Task(TaskKind.SEQUENCE, inputs=("ids",), target="labels", loss_options={"ignore_index": -100})
    data = art.data([[1, 2], [3], [1, 1, 1, 1], [2]], batch_size=2, collate=collate)
    outcome = explore(data, task)
    assert outcome.reading("class counts").value == {"class": [1, 2, 3], "train": [5, 2, 1]}
    assert outcome.reading("schema").value["train"]["ids"]["shapes"] == [[2], [4]]


def test_several_labels_an_example_are_counted_by_label():
    task = Task(TaskKind.MULTI_LABEL, inputs=("0",), target="1")
    labels = np.array([[1.0, 0, 1], [1, 0, 0], [1, 0, 0]])
    outcome = explore(art.data((distinct(3)[0], labels)), task)
    assert outcome.reading("class counts").value == {"class": [0, 1, 2], "train": [3, 0, 1]}


def test_text_is_compared_too():
    task = Task(TaskKind.CLASSIFICATION, inputs=("text",), target="label")
    rows = [{"text": "a", "label": 0}, {"text": "b", "label": 1}, {"text": "a", "label": 1}]
    outcome = explore(art.data(rows), task)
    assert outcome.score("train/duplicates").value == 1
    assert outcome.score("train/conflicting_labels").value == 2


def test_inputs_that_were_not_recognised_are_all_entries_but_the_target():
    x, y = distinct(4)
    outcome = explore(art.data({"a": x, "b": x, "y": y}), Task(TaskKind.OTHER, target="y"))
    assert set(outcome.reading("feature statistics").value["train"]) == {"a", "b"}


def test_the_outcome_is_plain_and_reading_it_twice_gives_the_same():
    data = art.data(distinct(30), distinct(10))
    assert plain(explore(data)) == plain(explore(data))


def test_the_plain_form_is_read():
    x, y = distinct(10)
    augmented = art.data((x * math.nan, y), plain_train=(x, y))
    assert explore(augmented).score("train/nan_inputs").value == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 7))
def test_duplicates_are_those_that_counting_finds(values, batch_size):
    x = np.array(values, dtype=np.float64)[:, None] * np.ones(3)
    outcome = explore(art.data((x, np.zeros(len(x))), batch_size=batch_size), VALUES)
    assert outcome.score("train/duplicates").value == len(values) - len(set(values))


def test_complex_inputs_are_explored_without_a_warning():
    x = np.ones((3, 4), np.complex64) * np.arange(3)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert explore(art.data((x, np.zeros(3)))).score("train/duplicates").value == 0


def test_it_depends_on_no_model():
    assert ExploreData.uses == frozenset()
    bench = ReadingBench(art.data(distinct(3), distinct(3, 100), distinct(3, 200)), CLASSES)
    ExploreData().run(bench)
    assert bench.read_splits == [Split.TRAIN, Split.VALIDATION, Split.TEST]


def split(x: np.ndarray, y: np.ndarray, seed: int, *, stratify: bool = True):
    x_train, x_rest, y_train, y_rest = train_test_split(
        x, y, test_size=0.3, random_state=seed, stratify=y if stratify else None
    )
    return art.data((x_train, y_train), (x_rest, y_rest))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("load", [load_digits, load_iris, load_wine, load_breast_cancer, load_diabetes])
def test_clean_data_are_not_accused(load, seed):
    x, y = load(return_X_y=True)
    if load is load_iris:  # holds one flower twice, which is said elsewhere
        x, y = np.delete(x, 142, 0), np.delete(y, 142)
    values = load is load_diabetes
    outcome = explore(split(x, y, seed, stratify=not values), VALUES if values else CLASSES)
    scale = ["ART123"] if values else []  # the progression of a disease is told in numbers of 25 to 346
    assert [one.code for one in outcome.findings] == scale
    assert "nothing suspicious" in outcome.summary


def test_the_flower_that_iris_holds_twice_is_found():
    x, y = load_iris(return_X_y=True)
    outcome = explore(art.data((x, y)))
    assert finding(outcome, "ART108").evidence["pairs"] == [[142, 101]]


def test_images_are_explored_with_all_their_pictures():
    x, y = load_digits(return_X_y=True)
    bench = ReadingBench(split(x.reshape(-1, 1, 8, 8), y, 0), CLASSES)
    outcome = ExploreData(label_noise=True).run(bench)
    names = {artifact.name: artifact.kind for artifact in outcome.artifacts}
    assert outcome.findings == ()
    assert names["examples.png"] == names["distributions.png"] == "figure"
    assert {"axes.csv", "classes.csv", "drift.csv"} <= {name for name, kind in names.items() if kind == "table"}
    assert "brightness of 0" in (bench.folder / "axes.csv").read_text()
    assert list(Path.cwd().glob("*.csv")) == []  # the working directory is the user's


def test_of_the_test_split_no_feature_or_label_reaches_a_table():
    x, y = load_digits(return_X_y=True)
    data = art.data((x[:1000], y[:1000]), (x[1000:1400], y[1000:1400]), (x[1400:] + 100, y[1400:]))
    bench = ReadingBench(data, CLASSES)
    outcome = ExploreData(pictures=False).run(bench)
    for artifact in outcome.artifacts:
        text = (bench.folder / artifact.name).read_text()
        assert "test" not in text
        assert ",116" not in text


def test_a_class_that_training_lacks_fails_its_check():
    train, validation = distinct(40), distinct(40, 5000)
    validation[1][3] = 7
    outcome = explore(art.data(train, validation))
    assert outcome.score("unseen_classes").value == 1
    assert states(outcome)[3] is VerdictState.FAILED


def test_of_large_data_a_sample_is_looked_at_that_its_seed_decides():
    x, y = load_digits(return_X_y=True)
    step = ExploreData(sample=200, pictures=False)
    once, again = (step.run(ReadingBench(split(x, y, 0), CLASSES)) for _ in range(2))
    assert plain(once) == plain(again)
    assert once.score("train/examples").value == 1257
    assert once.reading("ends of the axes").note.endswith("of 200 of 1,257 examples, drawn with the step's seed")


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"sample": 0}, "sample=0 of step 'ExploreData' must be a whole number of at least 1"),
        ({"near": 2}, "near=2 of step 'ExploreData' must be a share of the usual distance, from 0"),
        ({"label_noise": "forest"}, "label_noise='forest' of step 'ExploreData' is none of True, False, 'linear'"),
    ],
)
def test_wrong_settings_are_refused(settings_, sentence):
    with pytest.raises(ProjectError, match=re.escape(sentence)):
        ExploreData(**settings_)


NUMBERS = np.random.default_rng(0).normal(size=(40, 12))


@pytest.mark.parametrize(
    "inputs",
    [
        NUMBERS[:1],
        NUMBERS[:, :0],
        NUMBERS[:, 0],
        np.full((40, 12), np.nan),
        np.ones((40, 12)),
        NUMBERS > 0,
        torch.as_tensor(NUMBERS * 1e200),
        torch.as_tensor(NUMBERS * 1e38, dtype=torch.float32),
        np.zeros((40, 3, 16, 16), np.uint8),
        NUMBERS.reshape(40, 6, 2),
        (NUMBERS * 1e17).astype(np.int64),
    ],
    ids=["one", "none", "scalars", "nan", "same", "bool", "huge", "large", "blank", "series", "whole"],
)
def test_odd_inputs_are_explored_without_a_warning(inputs):
    data = art.data((inputs, np.arange(len(inputs)) % 2), (inputs, np.arange(len(inputs)) % 2))
    outcome = ExploreData(label_noise=True).run(ReadingBench(data, CLASSES))
    assert outcome.score("validation/examples").value == len(inputs)


@pytest.mark.parametrize("targets", [np.ones(40), np.full(40, np.nan), NUMBERS[:, :3], NUMBERS])
def test_odd_targets_are_explored_without_a_warning(targets):
    outcome = ExploreData().run(ReadingBench(art.data((NUMBERS, targets), (NUMBERS, targets)), VALUES))
    assert outcome.score("train/examples").value == 40


def _images(count: int, start: int = 0) -> list[tuple[torch.Tensor, int]]:
    generator = torch.Generator().manual_seed(start)
    return [(torch.rand(3, 8 + at % 4, 8, generator=generator), at % 2) for at in range(count)]


def _as_lists(rows: list[tuple[torch.Tensor, int]]) -> tuple[list[torch.Tensor], torch.Tensor]:
    return [image for image, _ in rows], torch.tensor([label for _, label in rows])


def test_images_of_varying_size_in_lists_are_counted_compared_and_looked_into():
    train, validation = _images(43), _images(20, start=1)
    train[7] = (torch.full((3, 9, 8), math.nan), 1)
    validation[0] = train[5]
    loaders = [torch.utils.data.DataLoader(rows, 10, collate_fn=_as_lists) for rows in (train, validation)]
    outcome = explore(art.data(*loaders), Task(TaskKind.CLASSIFICATION, target="1", loss="cross_entropy", classes=2))
    assert outcome.score("train/examples").value == 43
    assert outcome.score("validation/examples").value == 20
    assert outcome.score("train/nan_inputs").value == 1
    assert outcome.score("validation/also_in_train").value == 1
    assert outcome.reading("schema").value["train"]["0"]["shapes"] == [[3, rows, 8] for rows in (8, 9, 10, 11)]
