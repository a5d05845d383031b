import pytest

from art_training.records.labels import without_seed


@pytest.mark.parametrize(
    ("label", "setup"),
    [("too fast, seed 2", "too fast"), ("trial 15, seed 1", "trial 15"), ("seed 3", ""), ("trial 7", "trial 7")],
)
def test_a_label_without_its_seed_names_the_setup(label: str, setup: str) -> None:
    assert without_seed(label) == setup
