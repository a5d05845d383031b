"""Which rules are ignored, however it is written."""

import pytest

from art_training.diagnosis.ignoring import ignored_rules
from art_training.errors import ProjectError, SetupError
from art_training.steps import Diagnose


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        ((), {}),
        ({}, {}),
        (("ART402",), {"ART402": ""}),
        ({"ART402": "on purpose", "ART410": ""}, {"ART402": "on purpose", "ART410": ""}),
        (["art402", "410"], {"ART402": "", "ART410": ""}),
        ({402: "on purpose"}, {"ART402": "on purpose"}),
        ((one for one in ("ART402",)), {"ART402": ""}),
    ],
)
def test_codes_are_told_as_one_writes_them(given, reasons):
    assert ignored_rules(given) == reasons


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ART402", r"ignore='ART402' is text; give ignore=\{'ART402': 'the reason'\}"),
        (5, "ignore=5 is no mapping of codes to reasons"),
        (("ART999",), "ignore has 'ART999', which is no rule; see `art rules`"),
        (("softmax",), "ignore has 'softmax', which is no rule"),
        ({"ART402": None}, r"ignore\['ART402'\]=None is no reason; give it as text"),
    ],
)
def test_what_cannot_be_ignored_is_one_sentence(given, said):
    with pytest.raises(SetupError, match=said):
        ignored_rules(given)
    with pytest.raises(ProjectError, match=f"step 'Diagnose': {said}"):
        Diagnose(ignore=given)


def test_the_step_keeps_the_reasons():
    assert Diagnose(ignore=("art402",)).ignore == {"ART402": ""}
