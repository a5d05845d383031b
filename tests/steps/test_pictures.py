"""Images are drawn as they are, once scaled, and what is none is not drawn."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.steps.pictures import Tile, as_image, scaled, sheet


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((28, 28), (28, 28)),
        ((1, 28, 20), (28, 20)),
        ((28, 20, 1), (28, 20)),
        ((3, 32, 30), (32, 30, 3)),
        ((32, 30, 3), (32, 30, 3)),
        ((4, 16, 16), (16, 16, 4)),
        ((64,), (8, 8)),
        ((784,), (28, 28)),
        ((10,), None),
        ((49,), None),
        ((3,), None),
        ((2, 32, 32), None),
        ((2, 2), None),
        ((), None),
    ],
)
def test_an_input_is_an_image_by_its_shape(shape: tuple[int, ...], image: tuple[int, ...] | None) -> None:
    found = as_image(np.zeros(shape, np.float32))
    assert (None if found is None else found.shape) == image


def test_words_and_rows_of_integers_are_no_images() -> None:
    assert as_image(np.array(["a"] * 64)) is None
    assert as_image(np.zeros(64, np.int64)) is None  # tokens


def test_channels_keep_their_colours() -> None:
    red = np.zeros((3, 8, 8))
    red[0] = 1
    found = as_image(red)
    assert found is not None
    assert found[0, 0].tolist() == [1, 0, 0]


def test_images_of_a_sheet_are_scaled_together_and_once() -> None:
    dark, bright = np.full((4, 4), 10.0), np.full((4, 4), 30.0)
    assert [image[0, 0] for image in scaled([dark, bright])] == [0.0, 1.0]
    assert [image[0, 0] for image in scaled(scaled([dark, bright]))] == [0.0, 1.0]


def test_a_constant_image_is_grey_and_what_is_not_finite_is_black() -> None:
    assert scaled([np.full((4, 4), 7.0)])[0].tolist() == np.full((4, 4), 0.5).tolist()
    holes = np.array([[0.0, np.nan], [np.inf, 2.0]])
    assert scaled([holes])[0].tolist() == [[0.0, 0.0], [0.0, 1.0]]
    assert scaled([]) == []


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4), st.floats(0.1, 100), st.floats(-1e3, 1e3))
def test_scaled_pixels_lie_between_0_and_1_in_their_order(values: list[float], factor: float, shift: float) -> None:
    image = np.array(values).reshape(2, 2)
    found = scaled([image])[0]
    assert ((found >= 0) & (found <= 1)).all()
    assert np.isfinite(found).all()
    if np.ptp(image) > 1e-3:
        assert np.allclose(found, scaled([image * factor + shift])[0], atol=1e-3)


def test_a_sheet_holds_images_of_different_shapes_and_no_empty_section(tmp_path: Path) -> None:
    tiles = [Tile(np.eye(8), "#1: 3 > 5"), Tile(np.ones((4, 12, 3)), "wide")]
    sheet({"worst": tiles * 5, "none": []}).savefig(tmp_path / "sheet.png")
    from matplotlib.image import imread

    pixels = imread(tmp_path / "sheet.png")
    assert pixels.std() > 0.1
