"""What is set of a step, beside what its class sets."""

import numpy as np

import art_training as art
from art_training.checks import NoNaN
from art_training.steps import CheckLossOnInit, EvaluateBaseline, Overfit, Regularize, Tune
from art_training.steps.settings import dropped, settings


def test_what_is_as_the_class_has_it_is_not_set_nor_is_what_every_step_has() -> None:
    assert settings(Overfit(checks=[NoNaN()], hparams={"lr": 0.1}, capacity=())) == {}
    tune = Tune(space={"lr": art.space.uniform(0.1, 1)}, trials=3, by="validation/loss")
    assert list(settings(tune)) == ["space", "trials"]
    predictions = {"file": np.zeros(3)}
    assert list(settings(EvaluateBaseline(predictions=predictions, inputs="zeroed"))) == ["predictions", "inputs"]


def test_what_is_long_or_has_no_words_is_left_to_the_reader() -> None:
    wide = {f"wide{i}": art.Variant(hparams={"width": i}) for i in range(9)}
    derived = {"Regularize": Regularize(candidates=wide, by="validation/r2")}
    (told,) = dropped(derived, [Regularize(candidates=wide)]).items()
    assert told == ("by of Regularize", "to be given again: Regularize(candidates=..., by='validation/r2')")
    assert dropped(derived, [CheckLossOnInit(name="Regularize"), Overfit()]) == {}
    given = EvaluateBaseline(predictions={"rule": lambda batch: batch[0]})
    named = dropped({"EvaluateBaseline": EvaluateBaseline(inputs="zeroed")}, [given])
    assert named["inputs of EvaluateBaseline"].endswith("EvaluateBaseline(predictions=..., inputs='zeroed')")
