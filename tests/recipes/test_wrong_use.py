"""What cannot be meant is told in one sentence, in Python and by the command line, which then ends with the exit code 2."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from art_training.cli.failing import run as command
from art_training.errors import UsageError

DECLARED = """
import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.steps import ExploreData, FinalTest, Overfit, Regularize, Squeeze, TransferLearning, Tune

x, y = load_wine(return_X_y=True)
order = torch.randperm(178, generator=torch.Generator().manual_seed(0))
x, y = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)[order], torch.tensor(y)[order]
held = DataLoader(TensorDataset(x[100:], y[100:]), batch_size=39)


def net(width=8):
    return nn.Sequential(nn.Linear(13, width), nn.ReLU(), nn.Linear(width, 3))


def forgets(module):
    module[1] = nn.GELU()


def setup_of(**splits):
    data = art.data((x[:100], y[:100]), **(splits or {"validation": held}), batch_size=50)
    model = art.from_torch(net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2)
    return art.Setup(model, data, trainer={"max_epochs": 1, "accelerator": "cpu"})


def project_of(*steps, **splits):
    return art.ArtProject("p", setup_of(**splits), steps=steps)


SPACE = {"lr": art.space.log_uniform(1e-4, 1e-1)}
"""


class Wrong(NamedTuple):
    """A mistake as it stands in a project's file, and what is said of it."""

    written: str
    said: str


WRONG = {
    "an empty search space": Wrong("project_of(Tune({}, trials=3))", r"space=\{\} has no dimension.*give space="),
    "an empty search space of the recipe": Wrong("art.recipe(setup_of(), space={})", r"space=\{\} has no dimension"),
    "a budget of no trials": Wrong("project_of(Tune(SPACE, trials=0))", "trials=0 of step 'Tune' is no budget; give"),
    "a budget of no trials of the recipe": Wrong("art.recipe(setup_of(), space=SPACE, trials=0)", "trials=0 .* is no"),
    "a budget of the recipe for no search": Wrong(
        "art.recipe(setup_of(), trials=4)", "trials=4 .*nothing is searched; give"
    ),
    "a pattern in place of a transfer": Wrong(
        "art.recipe(setup_of(), transfer='backbone.*')",
        r"transfer='backbone\.\*' .* is no TransferLearning; give transfer=",
    ),
    "a model in place of a setup": Wrong("art.recipe(net)", "setup=.*net.* is not a Setup; write art.Setup"),
    "a squeeze that is switched off": Wrong(
        "art.recipe(setup_of(), squeeze=False)", r"squeeze=False .*project\.remove_step\('Squeeze'\) takes"
    ),
    "a budget of no seconds": Wrong(
        "project_of(Tune(SPACE, seconds=0))", "seconds=0 of step 'Tune' is no budget; give"
    ),
    "a budget of no epochs": Wrong("project_of(Tune(SPACE, epochs=0))", "epochs=0 of step 'Tune' is no budget; give"),
    "no budget at all": Wrong("project_of(Tune(SPACE))", "no budget and would search for ever; give trials=20"),
    "nothing to squeeze": Wrong(
        "project_of(Squeeze(ensemble=0, longer=0, calibrate=False, export=False))", "is asked for nothing"
    ),
    "no candidates": Wrong("project_of(Regularize({}))", "gives nothing to try; give differences by name"),
    "a model modifier that returns nothing": Wrong(
        "project_of(Regularize({'gelu': art.Variant(model=forgets)}))",
        "candidate 'gelu' .*the modifier forgets returned nothing; return the module",
    ),
    "a model modifier that returns something else": Wrong(
        "project_of(Regularize({'five': art.Variant(model=lambda module: 5)}))",
        "candidate 'five' .*the model modifier <lambda> returned 5, which is no module; return the module",
    ),
    "a data modifier that returns nothing": Wrong(
        "project_of(Regularize({'more': art.Variant(data=lambda data: None)}))",
        "candidate 'more' .*returned nothing; return the datamodule or data",
    ),
    "a modifier of a search that returns nothing": Wrong(
        "project_of(Tune({'act': art.space.choice(gelu=art.Variant(model=forgets), none=art.Variant())}, trials=1))",
        r"space\['act'\] may be 'gelu': the modifier forgets returned nothing; return the module",
    ),
    "a pattern that freezes nothing": Wrong(
        "project_of(TransferLearning(freeze='backbone.*'))", r"freeze='backbone\.\*' matches none of the model's 4"
    ),
    "a pattern that freezes everything": Wrong(
        "project_of(TransferLearning(freeze='*'))",
        "matches all 4 parameters, .*nothing to train; leave out what is new",
    ),
    "a module that is not there": Wrong(
        "project_of(TransferLearning(freeze={'modules': ['backbone']}))", "freeze='backbone' matches none"
    ),
    "a test loader that is the validation loader": Wrong(
        "project_of(FinalTest(retrain=True), validation=held, test=held)",
        "the test split is the validation split: both hold the same 78",
    ),
    "a test split that is the training split": Wrong(
        "project_of(FinalTest(retrain=True), validation=held, test=(x[:100], y[:100]))",
        "the test split is the train split: both hold the same 100",
    ),
    "no test split": Wrong("project_of(Overfit(), FinalTest())", "needs a test split, and the data has: train, valid"),
    "no validation split": Wrong(
        "project_of(Tune(SPACE, trials=1), test=held)",
        r"the data has: train, test; give a val_dataloader, or art.data\(validation=...\)",
    ),
}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Writes a project's file into the working directory; no trace of it stays."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield lambda declaration: (tmp_path / "art_project.py").write_text(DECLARED + declaration) and None
    sys.modules.pop("art_project", None)


@pytest.mark.parametrize("name", WRONG)
def test_the_command_line_says_it_in_a_sentence_and_ends_with_2(
    name: str, written: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = WRONG[name]
    written(f"\nproject = {wrong.written}\n")
    code = command(["run", "--quiet"])
    out, err = capsys.readouterr()
    assert code == 2, err
    assert "Traceback" not in err + out
    told = [line for line in err.splitlines() if line.startswith("Error: ")]
    assert len(told) == 1, err
    assert re.search(wrong.said, told[0]), err
    assert "src/art_training" not in err


@pytest.mark.parametrize("name", WRONG)
def test_python_raises_it_as_wrong_use(name: str, written: Callable[[str], None]) -> None:
    wrong = WRONG[name]
    written(f"\ndef declared():\n    return {wrong.written}\n")
    with pytest.raises(UsageError, match=wrong.said) as raised:
        importlib.import_module("art_project").declared().run()
    assert "\n" not in str(raised.value)
