import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.errors import CheckError
from art_training.records import Metric, Split
from art_training.records.metric import address_of

names = st.from_regex(r"[A-Za-z_][\w.\-]*", fullmatch=True)


@given(names, st.none() | st.sampled_from(Split), st.none() | names)
def test_a_metric_is_read_as_it_is_written(name: str, split: Split | None, loader: str | None) -> None:
    metric = Metric(name, split, loader if split else None)
    assert Metric.parse(str(metric)) == metric


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("validation/accuracy", Metric("accuracy", Split.VALIDATION)),
        ("validation:noisy/accuracy", Metric("accuracy", Split.VALIDATION, "noisy")),
        ("expected_loss", Metric("expected_loss")),
    ],
)
def test_addresses_are_read(text: str, metric: Metric) -> None:
    assert Metric.parse(text) == metric


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("valid/accuracy", "names the split 'valid'; a split is one of: train, validation, test"),
        ("accuracy!", "'accuracy!' is not a metric name"),
        ("train/", "'' is not a metric name"),
        ("train/3f", "'3f' is not a metric name"),
    ],
)
def test_a_wrong_address_is_refused_with_the_rule(text: str, sentence: str) -> None:
    with pytest.raises(CheckError) as raised:
        Metric.parse(text)
    assert sentence in str(raised.value)


def test_a_loader_needs_a_split() -> None:
    with pytest.raises(CheckError, match="give the split too"):
        Metric("loss", None, "noisy")


def test_two_metrics_of_one_name_on_two_splits_differ() -> None:
    assert Metric("loss", Split.TRAIN) != Metric("loss", Split.TEST)
    assert len({Metric("loss", split) for split in Split}) == 3


@pytest.mark.parametrize("text", ["recall/class 7", "", "5", "a/b/c", "train/", "<b>"])
def test_what_is_no_address_is_none_to_whoever_only_shows_it(text):
    assert address_of(text) is None
    assert address_of("validation:noisy/accuracy") == Metric("accuracy", Split.VALIDATION, "noisy")
