"""`art plan` and `art run` of a project whose declaration cannot hold: one sentence, exit code 2, nothing run."""

from pathlib import Path

import pytest

DECLARED = """
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import BeatsBaseline
from art_training.steps import *


class Net(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.body = nn.Linear(2, width)
        self.head = nn.Linear(width, 2 // (width - 2))

    def forward(self, x):
        return self.head(self.body(x))


rows = (torch.eye(2).repeat(20, 1), torch.arange(2).repeat(20))
setup = art.Setup(
    art.from_torch(Net, loss=nn.CrossEntropyLoss, lr=0.1), art.data(rows, rows, rows), trainer={TRAINER}, hparams={HPARAMS}
)
metrics = {"accuracy": MulticlassAccuracy(num_classes=2, average="micro")}
project = art.ArtProject("p", setup, metrics=metrics, steps=[Overfit(), STEP])
"""

WRONG = [
    (
        "FinalTest(of='Overfitt')",
        "of='Overfitt' of step 'FinalTest' names no step of the project (did you mean 'Overfit'?)",
    ),
    ("FinalTest(of='Squeeze'), Squeeze()", "names a step that comes later; put Squeeze before FinalTest"),
    ("Squeeze(of='Overfit')", "of='Overfit' of step 'Squeeze' names a step that leaves no setups"),
    ("TransferLearning(freeze='body', pretrained='overfit')", "(did you mean 'Overfit'?)"),
    ("TransferLearning(freeze='bdy.*')", "freeze='bdy.*' matches none of the model's 4 parameters"),
    ("TransferLearning(freeze='body', pretrained='Overfit', fresh='*')", "fresh='*' matches all 4 parameters"),
    ("Overfit(name='B', checks=[BeatsBaseline('validation/accuracy')])", "add the step EvaluateBaseline() before B"),
    (
        "EvaluateBaseline(), FinalTest(checks=[BeatsBaseline('test/accuracy')])",
        "compare with what it reaches there: against='validation/accuracy'",
    ),
    ("EvaluateBaseline(human={'accuracy': 98, 'source': 'a'})", "give a share, 0.98 if this is a percent"),
    ("Tune({'lr': art.space.choice([0.1, 0.2])}, by='val_loss', trials=1)", "did you mean 'validation/loss'?"),
]


def write(folder: Path, step: str, trainer: str = '{"max_epochs": 1}', hparams: str = "{}") -> None:
    declared = DECLARED.replace("{TRAINER}", trainer).replace("{HPARAMS}", hparams).replace("STEP", step)
    (folder / "art_project.py").write_text(declared)


@pytest.mark.parametrize(("step", "told"), WRONG)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_what_follows_from_the_declaration_is_told_in_one_sentence(art, tmp_path, command, step, told):
    write(tmp_path, step)
    answer = art(command)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("Error: ")
    assert told in answer.err
    assert len(answer.err.splitlines()) == 1
    assert art("status").code == 0


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            ("Overfit(name='B', trainer={'max_steps': -5})", "{}"),
            "step 'B': trainer has max_steps=-5, which is no number",
        ),
        (
            ("Tune({'lr': art.space.choice([0.1])}, trials=1)", "{}"),
            "as in choice(1, 2), or as one list, choice([1, 2])",
        ),
        (("FinalTest()", '{"max_epochs": 0}'), "trainer has max_epochs=0, so that nothing is trained; give 1 or more"),
    ],
)
def test_what_is_refused_where_it_is_declared_is_told_with_its_line(art, tmp_path, command, wrong, told):
    write(tmp_path, *wrong)
    answer = art(command)
    assert (answer.code, answer.out) == (2, "")
    first = answer.err.splitlines()[0]
    assert first.startswith("Error: art_project.py:")
    assert told in first
    assert "Traceback" not in answer.err
    assert "src/art_training" not in answer.err


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_model_that_cannot_be_made_is_told_in_one_sentence_with_its_line(art, tmp_path, command):
    write(tmp_path, "TransferLearning(freeze='body')", hparams='{"width": 2}')
    answer = art(command)
    assert (answer.code, answer.out, len(answer.err.splitlines())) == (2, "", 1)
    assert "its model cannot be made: ZeroDivisionError: " in answer.err
    assert "at art_project.py:15 `" in answer.err
