import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.dashboard.parts.curves import SMOOTHINGS, Look, lines_of
from art_training.views import PointsRow
from art_training.views.points import Pairing


def _row(name, values=(2.0, 1.0)):
    steps = tuple(range(len(values)))
    return PointsRow(name, *Pairing.of(name), steps, tuple(values), (), len(values), False)


def test_train_and_validation_share_a_picture_and_are_told_apart_by_colour_and_dash():
    pictures = lines_of({"": [_row("train/loss"), _row("validation/loss"), _row("lr/0")]})
    assert list(pictures) == ["loss", "lr"]
    train, validation = pictures["loss"]
    assert (train.name, validation.name) == ("train", "validation")
    assert train.colour != validation.colour
    assert train.dash != validation.dash
    assert pictures["lr"][0].name == "lr/0"


def test_the_trainings_of_a_step_have_a_colour_each_and_their_splits_a_dash_each():
    names = [f"trial {trial}/{split}/loss" for trial in (0, 1) for split in ("train", "validation")]
    lines = lines_of({"": [_row(name) for name in names]})["loss"]
    assert [line.group for line in lines] == ["trial 0", "trial 0", "trial 1", "trial 1"]
    assert [line.colour for line in lines] == [0, 0, 1, 1]
    assert [line.dash for line in lines] == [0, 1, 0, 1]
    assert lines[3].name == "trial 1, validation"


def test_where_colours_would_repeat_each_setup_has_one_and_its_seeds_differ_in_their_marks():
    names = [f"{name}, seed {seed}/train/loss" for name in ("a", "b", "c", "d", "e", "too fast") for seed in (1, 2)]
    colours = {line.group: line.colour for line in lines_of({"": [_row(name) for name in names]})["loss"]}
    assert len({*colours.values()}) == len(names)
    assert (colours["too fast, seed 1"] % 8, colours["too fast, seed 2"] % 8) == (5, 5)
    assert len({colour % 8 for colour in colours.values()}) == 6


def test_a_run_has_one_colour_in_every_picture_that_it_is_compared_in():
    runs = {"first": [_row("train/loss")], "second": [_row("train/loss"), _row("train/accuracy")]}
    pictures = lines_of(runs)
    by_group = {(line.group, line.colour) for lines in pictures.values() if len(lines) > 1 for line in lines}
    assert by_group == {("first", 0), ("second", 1)}
    assert len({line.key for line in pictures["loss"]}) == 2


def test_the_same_name_of_two_loggings_has_two_names_in_the_legend():
    lines = lines_of({"": [_row("train/loss"), _row("train/loss_epoch"), _row("validation:noisy/loss")]})["loss"]
    assert [line.name for line in lines] == ["train", "train (epoch)", "validation:noisy"]


@given(
    st.builds(
        Look,
        log=st.booleans(),
        smooth=st.sampled_from(SMOOTHINGS),
        first=st.none() | st.integers(0, 10**9),
        last=st.none() | st.integers(0, 10**9),
        hide=st.lists(st.text(st.characters(exclude_characters="\n"), min_size=1), max_size=3).map(tuple),
        also=st.sampled_from([(), ("train",)]),
    )
)
def test_an_address_tells_how_curves_are_looked_at(look):
    if look.first is not None and look.last is not None and look.first >= look.last:
        look = replace(look, first=None, last=None)
    assert Look.asked(look.query) == look


@pytest.mark.parametrize(
    "query",
    [{"from": "-3"}, {"from": "²"}, {"to": "9" * 40}, {"from": "9", "to": "3"}, {"smooth": "nan"}, {"log": "yes"}],
)
def test_what_makes_no_sense_in_an_address_is_left_out(query):
    assert Look.asked(query) == Look()


def test_values_that_are_not_finite_are_no_points_of_a_picture():
    assert math.isnan(lines_of({"": [_row("train/loss", (1.0, math.nan))]})["loss"][0].row.values[1])


def test_what_each_step_measured_is_thin_beside_its_means_over_epochs():
    lines = lines_of({"": [_row("train/loss"), _row("train/loss_epoch"), _row("validation/loss")]})["loss"]
    assert [line.fine for line in lines] == [True, False, False]
