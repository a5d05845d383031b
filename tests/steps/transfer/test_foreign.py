"""Files that hold no weights are known by how they begin; those that may hold some are left alone."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from tests.steps.transfer.digits import digits, project, setup_of
from torch import nn

from art_training.errors import SetupError
from art_training.steps import TransferLearning
from art_training.steps.transfer.foreign import require_weights, seems


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        (b"", "an empty file, .* fetch or save it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "a pointer of Git LFS .* `git lfs pull`"),
        (b"\n<!DOCTYPE html>\n<html>404</html>", "a web page, .* fetch the file itself"),
        (b"width,height\n1,2\n", "a text that begins with 'width,height': give the file"),
        ("é".encode() * 5000, "a text that begins with 'é{40}\\.\\.\\.'"),
        (b"\x89HDF\r\n\x1a\n\x00\x00", "an HDF5 file, as Keras writes"),
        (gzip.compress(b"weights", mtime=0), "compressed by gzip: unpack it first"),
    ],
    ids=["empty", "git lfs", "web page", "text", "long text", "hdf5", "gzip"],
)
def test_a_file_of_another_kind_is_told_with_what_to_do(held: bytes, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(held)
    with pytest.raises(SetupError, match=f"^pretrained='w' holds no weights: it is {kind}"):
        require_weights(path, "pretrained='w'")


def test_an_array_of_numpy_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", np.zeros(3))
    assert seems(tmp_path / "array.npy") == "one NumPy array: save tensors by name"


def test_weights_are_not_taken_for_something_else(tmp_path: Path) -> None:
    state = nn.Linear(3, 2).state_dict()
    torch.save(state, tmp_path / "zip.pt")
    torch.save(state, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "weights.safetensors")
    for path in filter(Path.is_file, tmp_path.iterdir()):
        require_weights(path, "it")


@given(st.binary(min_size=1, max_size=40))
def test_bytes_that_no_text_has_are_not_taken_for_one(tmp_path_factory: pytest.TempPathFactory, held: bytes) -> None:
    path = tmp_path_factory.mktemp("held") / "weights.pt"
    path.write_bytes(b"\x80\x02" + held)
    assert not seems(path)


def test_a_file_that_holds_no_weights_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.touch()
    step = TransferLearning(freeze="backbone", pretrained=path)
    with pytest.raises(SetupError, match="of step 'TransferLearning' holds no weights: it is an empty file"):
        project(step, setup=setup_of(digits(5, 5))).plan()
