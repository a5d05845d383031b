"""Files of predictions: what they may hold, and what is told of those that hold something else."""

from pathlib import Path

import numpy as np
import pytest

from art_training.errors import ProjectError, SetupError
from art_training.steps.baselines.files import read_predictions, require_file


def csv(folder: Path, text: str) -> Path:
    path = folder / "predictions.csv"
    path.write_text(text)
    return path


def npy(folder: Path, values: object) -> Path:
    path = folder / "predictions.npy"
    np.save(path, values)
    return path


def test_classes_are_integers_and_values_are_not(tmp_path: Path) -> None:
    classes = read_predictions(csv(tmp_path, "prediction\n3\n1.0\n"), "it").values
    assert classes.dtype == np.int64
    assert classes.tolist() == [3, 1]
    assert read_predictions(csv(tmp_path, "prediction\n3\n1.5\n"), "it").values.tolist() == [3, 1.5]


def test_rows_are_put_in_the_order_of_their_examples(tmp_path: Path) -> None:
    read = read_predictions(csv(tmp_path, "example, prediction\n2,30\n0,10\n1,20\n\n"), "it")
    assert read.values.tolist() == [10, 20, 30]


def test_a_number_for_each_class_in_whatever_order_of_columns(tmp_path: Path) -> None:
    read = read_predictions(csv(tmp_path, "\ufeff1,0,example\n0.9,0.1,1\n0.2,0.8,0\n"), "it")
    assert read.values.tolist() == [[0.8, 0.2], [0.1, 0.9]]


def test_an_array_is_read_as_it_is(tmp_path: Path) -> None:
    assert read_predictions(npy(tmp_path, np.array([True, False])), "it").values.tolist() == [1, 0]
    assert read_predictions(npy(tmp_path, np.ones((3, 2), np.float32)), "it").values.shape == (3, 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it has the columns none; give 'prediction'"),
        ("id,label\n1,2\n", "it has the columns id, label; give 'prediction'"),
        ("0,2\n1,2\n", "it has the columns 0, 2; give"),
        ("prediction,extra\n1,2\n", "it has the columns prediction, extra"),
        ("prediction\n1\ncat\n", "it has 'cat' in line 3, which is no number; write classes as 0, 1"),
        ("prediction\n1\n2,3\n", "it has 2 values in line 3, and 1 columns"),
        ("prediction\n1\nnan\n", "it has no finite number for example 1"),
        ("example,prediction\n0,1\n2,1\n", "it has the example 2 where 1 is due"),
        ("example,prediction\n0,1\n0,1\n", "it has the example 0 where 1 is due"),
        ("example,prediction\n1,1\n2,1\n", "it has the example 1 where 0 is due"),
        ("example,prediction\nnan,1\n0,1\n", "it has the example nan where 1 is due"),
    ],
)
def test_a_table_that_holds_something_else_is_told_in_a_sentence(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SetupError) as caught:
        read_predictions(csv(tmp_path, text), "it")
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [np.array(["a"]), np.array(3.0), np.array([None])])
def test_an_array_that_holds_something_else_is_told(tmp_path: Path, values: object) -> None:
    with pytest.raises(SetupError, match="it holds no"):
        read_predictions(npy(tmp_path, values), "it")


def test_an_array_with_a_number_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no finite number for example 1"):
        read_predictions(npy(tmp_path, np.array([[0.0, 1.0], [np.inf, 1.0]])), "it")


def test_what_is_no_array_at_all_is_told(tmp_path: Path) -> None:
    path = tmp_path / "predictions.npy"
    path.write_text("prediction\n1\n")
    with pytest.raises(SetupError, match="it holds no array of numbers"):
        read_predictions(path, "it")


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    first = read_predictions(csv(tmp_path, "prediction\n1\n"), "it").digest
    assert read_predictions(csv(tmp_path, "prediction\n2\n"), "it").digest != first
    assert read_predictions(csv(tmp_path, "prediction\n1\n"), "it").digest == first


def test_predictions_of_another_split_are_refused(tmp_path: Path) -> None:
    read = read_predictions(csv(tmp_path, "prediction\n1\n"), "it")
    with pytest.raises(SetupError, match="it holds 1 predictions, and the validation split has 1,200 examples"):
        read.require_examples(1200)


def test_files_are_looked_at_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"it does not exist \(looked at .*nowhere.csv\)"):
        require_file(tmp_path / "nowhere.csv", "it")
    with pytest.raises(ProjectError, match=r"it is of no known kind; give predictions as \.csv or \.npy, or weights"):
        require_file(tmp_path / "predictions.json", "it")


def test_a_file_that_went_meanwhile_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="it cannot be read: No such file"):
        read_predictions(tmp_path / "gone.csv", "it")
