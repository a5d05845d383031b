"""ExploreData calls features of a table what the user calls them."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_diabetes

import art_training as art
from art_training.errors import ProjectError, SetupError
from art_training.setup.task import Task, TaskKind
from art_training.steps import ExploreData
from art_training.testing.reading import ReadingBench

VALUES = Task(TaskKind.REGRESSION, inputs=("0",), target="1")
TWO_TABLES = Task(TaskKind.REGRESSION, inputs=("numbers", "counts"), target="y")


def diabetes():
    frame, target = load_diabetes(return_X_y=True, as_frame=True)
    frame.loc[7, "bmi"] = 40.0
    return frame, target.to_numpy()


def explore(data, columns, task=VALUES):
    return ExploreData(pictures=False, near=0, columns=columns).run(ReadingBench(data, task))


def outlier(outcome):
    return next(one for one in outcome.findings if one.code == "ART120")


@pytest.mark.parametrize("given", [list, tuple, np.asarray, pd.Index])
def test_an_outlier_is_told_by_the_name_of_its_feature(given):
    frame, target = diabetes()
    data = art.data((frame.to_numpy()[:300], target[:300]), (frame.to_numpy()[300:], target[300:]))
    outcome = explore(data, given(list(frame.columns)))
    assert "bmi goes to 40" in outlier(outcome).message
    assert {row["axis"] for row in outcome.reading("ends of the axes").value} <= set(frame.columns)


def test_several_tables_are_named_each_by_its_path():
    frame, target = diabetes()
    batch = {
        "numbers": torch.tensor(frame.to_numpy()),
        "counts": torch.ones(len(frame), 2),
        "y": torch.tensor(target),
    }
    rows = [{key: value[at] for key, value in batch.items()} for at in range(len(frame))]
    train, validation = (torch.utils.data.DataLoader(one, 32) for one in (rows[:300], rows[300:]))
    data = art.data(train, validation)
    outcome = explore(data, {"numbers": frame.columns}, TWO_TABLES)
    assert "bmi goes to 40" in outlier(outcome).message
    with pytest.raises(SetupError, match=r"columns gives 10 names to 'counts', which has not .*'counts' of 2"):
        explore(data, {"counts": frame.columns}, TWO_TABLES)


def test_names_that_do_not_fit_are_refused_with_the_tables_that_there_are():
    frame, target = diabetes()
    data = art.data((frame.to_numpy()[:300], target[:300]), (frame.to_numpy()[300:], target[300:]))
    with pytest.raises(SetupError, match=r"columns gives 9 names, and no input has as many features; .*'0' of 10"):
        explore(data, list(frame.columns)[:9])


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ("age", "columns of step 'ExploreData' is 'age'; give a list of names"),
        (5, "is 5; give a list of names"),
        (["age", 3], "holds 3; names are texts"),
        (["age", "bmi", "age"], "holds 'age' twice"),
        ({"0": "age"}, r"columns\['0'\] of step 'ExploreData' is 'age'"),
    ],
)
def test_names_that_cannot_be_meant_are_refused_at_once(columns, told):
    with pytest.raises(ProjectError, match=told):
        ExploreData(columns=columns)
