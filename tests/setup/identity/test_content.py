import numpy as np
import pytest
import torch

from art_training.setup.identity import content
from art_training.setup.identity.content import content_of


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampling begins at a kilobyte, so that a test need not fill the memory."""
    monkeypatch.setattr(content, "FULL_BYTES", 1024)
    monkeypatch.setattr(content, "_SAMPLE_BYTES", 512)


@pytest.mark.parametrize("make", [torch.from_numpy, np.asarray])
@pytest.mark.usefixtures("small")
def test_a_large_buffer_is_sampled_by_rows_and_says_so(make: object) -> None:
    values = np.arange(4000.0).reshape(1000, 4)
    one = content_of(make(values))  # type: ignore[operator]
    assert one is not None
    assert one.note == "16 of 1000 rows of a buffer of 0 MB were compared"
    assert content_of(make(values.copy())) == one  # type: ignore[operator]
    assert content_of(make(values[:-1])) != one  # type: ignore[operator]
    assert content_of(make(values + 1)) != one  # type: ignore[operator]


@pytest.mark.usefixtures("small")
def test_a_large_frame_is_sampled_too() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": range(1000), "b": range(1000)})
    one = content_of(frame)
    assert one is not None
    assert "rows" in one.note
    assert content_of(frame.rename(columns={"b": "c"})) != one


def test_a_small_buffer_has_no_note() -> None:
    found = content_of(torch.zeros(3))
    assert found is not None
    assert found.note == ""


def test_other_values_have_no_content() -> None:
    assert content_of([1, 2]) is None
    assert content_of(np.array([object()])) is None


def test_reading_changes_neither_gradients_nor_memory() -> None:
    tensor = torch.ones(3, requires_grad=True)
    (tensor * 2).sum().backward()
    before = tensor.grad
    content_of(tensor * 2)
    assert tensor.grad is before


def test_empty_and_meta_tensors_are_known_by_their_shape() -> None:
    assert content_of(torch.zeros(0, 3)) != content_of(torch.zeros(0, 4))
    assert content_of(torch.zeros(2, device="meta")) != content_of(torch.zeros(3, device="meta"))
