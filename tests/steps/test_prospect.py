"""What a step or a check of it names is looked for before the first step runs, and refused where it will not be there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.regression import MeanAbsoluteError, R2Score

import art_training as art
from art_training.checks import BeatsBaseline, Check, NoNaN
from art_training.errors import UsageError
from art_training.records import Outcome, Score, StepStarted
from art_training.setup.setup import Setup
from art_training.steps import (
    CheckLossOnInit,
    EvaluateBaseline,
    ExploreData,
    FinalTest,
    Overfit,
    OverfitOneBatch,
    Regularize,
    Squeeze,
    TransferLearning,
    Tune,
)
from art_training.steps.bench import Bench
from art_training.steps.step import Step
from art_training.stores.memory import MemoryStore

ROWS = (torch.eye(2).repeat(20, 1), torch.arange(2).repeat(20))
DATA = art.data(ROWS, ROWS, ROWS)
SPACE = {"width": art.space.integer(2, 8)}
SEARCH = Tune(SPACE, trials=2)
ACCURACY = "validation/accuracy"


class Net(nn.Module):
    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, width), nn.ReLU())
        self.head = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


class Broken(nn.Module):
    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.wide = nn.Linear(width, 1 // (width - 3))


def project(*steps: Step, model: Any = Net, metrics: Any = None, **declared: Any) -> art.ArtProject:
    setup = Setup(art.from_torch(model, loss=nn.CrossEntropyLoss, lr=0.1), DATA, trainer={"max_epochs": 1})
    declared_metrics = metrics or {"accuracy": MulticlassAccuracy(num_classes=2, average="micro")}
    return art.ArtProject("p", setup, metrics=declared_metrics, steps=steps, store=MemoryStore(), **declared)


def transfer(**settings: Any) -> TransferLearning:
    return TransferLearning(**{"freeze": "body", "frozen_epochs": 1, "epochs": 1, **settings})


def beats(*arguments: Any, **settings: Any) -> Overfit:
    return Overfit(checks=[BeatsBaseline(*arguments, **settings)])


HUMAN = {"accuracy": 0.9, "source": "two annotators"}

NAMES_OF_STEPS = [
    (
        (Overfit(), FinalTest(of="Overfitt")),
        r"^of='Overfitt' of step 'FinalTest' names no step .*did you mean 'Overfit'",
    ),
    (
        (Overfit(), FinalTest(of="Squeeze"), Squeeze()),
        "of='Squeeze' of step 'FinalTest' names a step that comes later; put Squeeze before FinalTest",
    ),
    ((Overfit(), FinalTest(of="FinalTest")), "of='FinalTest' of step 'FinalTest' names the step itself"),
    (
        (EvaluateBaseline(), Overfit(), FinalTest(of="EvaluateBaseline")),
        "names a step that leaves no weights; name one that does: Overfit$",
    ),
    ((ExploreData(), FinalTest(of="ExploreData")), "leaves no weights; put one that does before it, such as Overfit"),
    (
        (ExploreData(), OverfitOneBatch(), FinalTest()),
        r"no weights to judge: no earlier step scored .*of='OverfitOneBatch'",
    ),
    ((SEARCH, Squeeze(of="Tun")), r"^of='Tun' of step 'Squeeze' names no step .*\(did you mean 'Tune'\?\)"),
    ((Squeeze(of="Tune"), SEARCH), "of='Tune' of step 'Squeeze' names a step that comes later"),
    (
        (EvaluateBaseline(), SEARCH, Squeeze(of="EvaluateBaseline")),
        "leaves no setups that members could be made of, and an ensemble needs 2; name one that does: Tune; or leave",
    ),
    ((Overfit(), Squeeze(of="Overfit")), "leaves no setups .*put a search before it, such as Tune"),
    (
        (Tune(SPACE, trials=1), Squeeze(of="Tune")),
        "leaves 1 setup alone, .* needs 2; give Tune trials=2, or more; or leave",
    ),
    (
        (Tune(SPACE, trials=9, top=1), Squeeze(of="Tune")),
        "leaves 1 setup alone, .* 2; give Tune top=2, or more; or leave",
    ),
    ((Tune(SPACE, trials=1, top=1), Squeeze(of="Tune")), "give Tune trials=2, top=2, or more; or leave"),
    (
        (Tune(SPACE, trials=3), transfer(pretrained="Tune/trial 9")),
        (
            "pretrained='Tune/trial 9' of step 'TransferLearning' names weights that Tune is not going to leave.*; the best of "
            "these are kept: 'Tune/trial 0', 'Tune/trial 1', 'Tune/trial 2', 'Tune/last'; name one of them, or 'Tune'"
        ),
    ),
    (
        (Overfit(name="Pretrain"), transfer(pretrained="Pretrian")),
        r"^pretrained='Pretrian' of step 'TransferLearning' is neither a file nor an earlier step \(did you mean 'Pretrain'",
    ),
    (
        (transfer(pretrained="Overfit"), Overfit()),
        "pretrained='Overfit' of step 'TransferLearning' names a step that comes",
    ),
    ((CheckLossOnInit(), transfer(pretrained="CheckLossOnInit")), "names a step that leaves no weights"),
]

PATTERNS = [
    (transfer(freeze="bdy.*"), r"step 'TransferLearning': freeze='bdy\.\*' matches none of the model's 4 .*body"),
    (transfer(freeze="bod"), "freeze='bod' matches none of the model's 4 parameters; .*body"),
    (transfer(freeze="*"), r"freeze='\*' matches all 4 parameters"),
    (transfer(freeze=["body", "head"]), "matches all 4 parameters"),
    (transfer(freeze={"modules": ["bodi"]}), "freeze='bodi' matches none .*body"),
    (transfer(freeze=art.all_but_last(2)), r"all_but_last\(2\) freezes nothing: the model has 2 layers"),
    (transfer(pretrained="Overfit", fresh="haed"), "fresh='haed' matches none .*head"),
    (
        transfer(pretrained="Overfit", fresh="*"),
        r"fresh='\*' matches all 4 parameters, so that nothing of the pretrained",
    ),
    (transfer(layer_rates={"bdy": 0.5}), "layer_rates has 'bdy', which matches none .*body"),
]

BASELINES = [
    ((Overfit(), beats(ACCURACY)), "two steps"),
]
BASELINES = [
    (
        (ExploreData(), beats(ACCURACY)),
        (
            rf"^the check `{ACCURACY} beats the best baseline` of step 'Overfit' has no baseline before it; add the step "
            r"EvaluateBaseline\(\) before Overfit$"
        ),
    ),
    ((beats(ACCURACY), EvaluateBaseline()), "has no baseline before it; put EvaluateBaseline before Overfit"),
    ((SEARCH, beats(ACCURACY)), "or name the step whose candidates are meant: step='Tune'"),
    (
        (EvaluateBaseline(predictions={"always 1": 1}), beats(ACCURACY, "linaer")),
        r"names what no step before it evaluates \(did you mean 'linear'\?\); there will be: dummy, linear, .*, always 1",
    ),
    ((EvaluateBaseline(), SEARCH, beats(ACCURACY, "trial 2")), "names what no step before it evaluates"),
    ((EvaluateBaseline(), beats(ACCURACY, "human")), r"or declare it: EvaluateBaseline\(human=\{...\}\)"),
    ((EvaluateBaseline(), beats(ACCURACY, "inputs zeroed")), "names what no step before it evaluates"),
    (
        (EvaluateBaseline(), beats(ACCURACY, step="Evaluate")),
        "step='Evaluate' of the check .* names no step of the project",
    ),
    (
        (EvaluateBaseline(), ExploreData(), beats(ACCURACY, step="ExploreData")),
        "ExploreData compares nothing; name a step",
    ),
    (
        (EvaluateBaseline(), Overfit(), FinalTest(checks=[BeatsBaseline("test/accuracy")])),
        (
            "of step 'FinalTest' compares with 'test/accuracy', and EvaluateBaseline scores validation alone; compare with what it "
            "reaches there: against='validation/accuracy'$"
        ),
    ),
    (
        (EvaluateBaseline(), beats("train/accuracy")),
        "compares with 'train/accuracy', and EvaluateBaseline scores validation",
    ),
]

NUMBERS = [
    (
        {"accuracy": 98},
        r"human\['accuracy'\]=98 of step 'EvaluateBaseline' is more than 1, .*give a share, 0.98 if this is a percent",
    ),
    ({"accuracy": 250}, "is more than 1, which is the best that accuracy can be; give what people reach on that scale"),
    ({"acuracy": 0.98}, r"has a number for 'acuracy' \(did you mean 'accuracy'\?\), which is no metric of this step"),
]

WRONG = [
    *NAMES_OF_STEPS,
    *(((Overfit(), step), told) for step, told in PATTERNS),
    *BASELINES,
    *(((EvaluateBaseline(human={**human, "source": "a"}),), told) for human, told in NUMBERS),
    (
        (Overfit(), Tune(SPACE, by="val_loss", trials=1)),
        (
            "^step 'Tune' chooses by validation/val_loss: no metric 'val_loss' in this project; it has: accuracy, loss; did you "
            r"mean 'validation/loss'\?$"
        ),
    ),
    ((Overfit(), Squeeze(by="val_acc")), r"no metric 'val_acc' .*did you mean 'validation/accuracy'\?"),
]


@pytest.mark.parametrize(("steps", "told"), WRONG)
@pytest.mark.parametrize(
    "ask",
    [lambda project, listen: project.plan(), lambda project, listen: project.run(listen=listen)],
    ids=["plan", "run"],
)
def test_what_is_named_and_will_not_be_there_is_refused_before_the_first_step_runs(
    steps: Sequence[Step], told: str, ask: Callable[..., object]
) -> None:
    began = []
    with pytest.raises(UsageError, match=told) as raised:
        ask(project(*steps), lambda event: began.append(event) if isinstance(event, StepStarted) else None)
    assert not began
    assert "\n" not in str(raised.value)


FITS = EvaluateBaseline(human=HUMAN, predictions={"always 1": 1}, inputs="zeroed")
RIGHT = [
    (Overfit(), FinalTest(of="Overfit")),
    (FinalTest(retrain=True),),
    (Overfit(name="Pretrain"), transfer(pretrained="Pretrain", fresh="head"), FinalTest(of="TransferLearning")),
    (transfer(freeze="body.*"),),
    (transfer(freeze={"modules": ["body"]}, layer_rates={"body": 0.5}),),
    (SEARCH, Squeeze(of="Tune")),
    (Tune(SPACE, seconds=3), Squeeze(of="Tune")),
    (Squeeze(), transfer(pretrained="Squeeze/member 1")),
    (SEARCH, transfer(pretrained="Tune/trial 1")),
    (SEARCH, transfer(pretrained="Tune/last")),
    (Tune(SPACE, seconds=3), transfer(pretrained="Tune/trial 9")),
    (FITS, beats(ACCURACY), Overfit(name="Second", checks=[BeatsBaseline(ACCURACY, "human")])),
    *(
        (FITS, beats(ACCURACY, name))
        for name in ("dummy", "linear", "boosting", "always 1", "inputs zeroed", "inputs real")
    ),
    (FITS, beats("train/loss", against="validation/loss")),
    (FITS, Overfit(), FinalTest(checks=[BeatsBaseline("test/accuracy", against=ACCURACY)])),
    (SEARCH, Overfit(checks=[BeatsBaseline(ACCURACY, step="Tune"), BeatsBaseline(ACCURACY, "trial 0")])),
    (SEARCH, beats(ACCURACY, "trial 1")),
    (SEARCH, beats(ACCURACY, "incoming setup on 3 fresh seeds")),
    (Tune(SPACE, seconds=3), beats(ACCURACY, "trial 20")),
    (Squeeze(), beats(ACCURACY, "ensemble")),
    (Regularize(candidates={"wide": art.Variant(hparams={"width": 9})}), beats(ACCURACY, "wide")),
    (
        Overfit(capacity=[{"width": 3}, {"width": 9}]),
        Overfit(name="B", checks=[BeatsBaseline("train/loss", "width=3")]),
    ),
]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (beats(ACCURACY), f"^the check `{ACCURACY} beats the best baseline` of step 'Overfit' compares with what {{}}"),
        (
            Overfit(checks=[BeatsBaseline(ACCURACY, step="EvaluateBaseline")]),
            "^step='EvaluateBaseline' of the check .* of step 'Overfit' names a step that {}",
        ),
    ],
)
def test_a_baseline_that_has_not_run_is_asked_for_before_anything_is_trained_for_it(step: Step, told: str) -> None:
    has_not = r"(EvaluateBaseline leaves, which )?has not run; run EvaluateBaseline first: `art run --until EvaluateBaseline`$"
    made = project(ExploreData(), EvaluateBaseline(), step)
    for ask in (made.plan, made.run):
        with pytest.raises(UsageError, match=told.format(has_not)):
            ask(only="Overfit")
    assert made.plan(only=["EvaluateBaseline", "Overfit"]).steps[-1].action.value == "run"
    made.run(until="EvaluateBaseline")
    assert made.plan(only="Overfit").steps[-1].action.value == "run"


@pytest.mark.parametrize("steps", RIGHT)
def test_what_will_be_there_is_not_refused(steps: Sequence[Step]) -> None:
    assert {step.action.value for step in project(*steps).plan().steps} == {"run"}


@pytest.mark.parametrize(
    ("metrics", "human"),
    [
        ({"mae": MeanAbsoluteError()}, {"mae": 98}),
        ({"r2": R2Score()}, {"r2": -3}),
        ({"own": lambda predictions, targets: 0.5}, {"own": 98}),
        ({"accuracy": MulticlassAccuracy(num_classes=2)}, {"accuracy": 1.0, "loss": 12}),
    ],
)
def test_a_human_number_is_taken_where_nothing_is_known_against_it(metrics: Any, human: Any) -> None:
    project(EvaluateBaseline(human={**human, "source": "a"}), metrics=metrics).plan()


def test_a_percent_as_a_class_of_the_users_own_computes_it_is_taken() -> None:
    class Percent(MulticlassAccuracy):
        """Of the user's: its bound, which it inherits, says nothing."""

        def compute(self) -> torch.Tensor:
            return 100 * super().compute()

    project(
        EvaluateBaseline(human={"accuracy": 98, "source": "a"}), metrics={"accuracy": Percent(num_classes=2)}
    ).plan()


def test_a_model_that_cannot_be_made_is_told_in_one_sentence_with_its_line() -> None:
    with pytest.raises(
        UsageError,
        match=r"^step 'TransferLearning': its model cannot be made: ZeroDivisionError: .*test_prospect\.py:\d+",
    ) as raised:
        project(transfer(), model=Broken).plan()
    assert "\n" not in str(raised.value)


def flat(module: nn.Module) -> nn.Module:
    return module


MAY_CHANGE = [
    Regularize(candidates={"wide": art.Variant(hparams={"width": 9})}),
    Regularize(candidates={"flat": art.Variant(model=flat)}),
    SEARCH,
    Tune(
        {"lr": art.space.uniform(0.1, 0.2), "how": art.space.choice(a=art.Variant(), b=art.Variant(model=flat))},
        trials=1,
    ),
]
KEEP = [
    Regularize(candidates={"slow": art.Variant(hparams={"lr": 0.01}), "long": art.Variant(trainer={"max_epochs": 2})}),
    Tune({"lr": art.space.uniform(0.1, 0.2), "trainer.max_epochs": art.space.integer(1, 2)}, trials=1),
    Tune(
        {"how": art.space.choice(a=art.Variant(), b=art.Variant(hparams={"lr": 0.2}, data=lambda data: data))}, trials=1
    ),
    Overfit(find_learning_rate=True, use_found=True),
    transfer(name="First", freeze="head"),
]


@pytest.mark.parametrize("before", MAY_CHANGE)
def test_names_of_a_model_that_an_earlier_step_may_still_change_are_left_to_the_step_itself(before: Step) -> None:
    assert project(before, transfer(freeze="bdy")).plan().steps[1].reason == "new"
    own = Setup(art.from_torch(Net, loss=nn.CrossEntropyLoss, lr=0.1), DATA)
    with pytest.raises(UsageError, match="freeze='bdy' matches none"):
        project(before, transfer(freeze="bdy", setup=own)).plan()


@pytest.mark.parametrize("before", KEEP)
def test_names_of_a_model_that_no_earlier_step_changes_are_looked_at_at_once(before: Step) -> None:
    with pytest.raises(UsageError, match="freeze='bdy' matches none"):
        project(before, transfer(freeze="bdy")).plan()


@dataclass(frozen=True)
class Own(Step):
    """Of a user who has declared nothing of what it leaves."""

    checks: Sequence[Check] = (NoNaN(),)
    scores: dict[str, Score] = field(default_factory=lambda: {"validation/accuracy": Score(0.5, direction="maximize")})

    def run(self, bench: Bench) -> Outcome:
        return Outcome(scores=self.scores)


@pytest.mark.parametrize(
    "steps",
    [
        (Own(), FinalTest()),
        (Own(), FinalTest(of="Own")),
        (Own(), transfer(pretrained="Own")),
        (Own(), beats(ACCURACY, "mine")),
        (Own(), beats(ACCURACY, step="Own")),
        (EvaluateBaseline(), Own(), beats(ACCURACY, "mine")),
    ],
)
def test_nothing_is_refused_for_what_a_step_of_the_users_has_not_said(steps: Sequence[Step]) -> None:
    project(*steps).plan()


@pytest.mark.parametrize("steps", [(Overfit(), FinalTest(of="Overfitt")), (Own(), beats(ACCURACY))])
def test_where_a_project_stands_is_told_all_the_same(steps: Sequence[Step]) -> None:
    assert [step.reason for step in project(*steps).plan(lenient=True).steps] == ["new", "new"]


def test_steps_that_are_not_asked_for_are_not_looked_at() -> None:
    plan = project(Overfit(), FinalTest(of="Overfitt")).plan(until="Overfit")
    assert [step.action.value for step in plan.steps] == ["run", "skip"]


def test_the_trials_that_are_promised_are_those_that_a_search_leaves() -> None:
    search = Tune(SPACE, trials=2, top=2, seeds_for_winner=1, examples=0)
    outcome = project(search).run()["Tune"].outcome
    assert outcome is not None
    names = {one.name for one in outcome.candidates}
    assert {"trial 0", "trial 1"} <= names <= set(search.candidate_names() or ())


def test_a_step_promises_no_score_of_a_split_that_its_data_do_not_have() -> None:
    data = art.data(train=ROWS, test=(ROWS[0] + 1, ROWS[1]))
    setup = Setup(art.from_torch(Net, loss=nn.CrossEntropyLoss, lr=0.1), data, trainer={"max_epochs": 1})

    def plan(*steps: Step) -> object:
        return art.ArtProject("p", setup, steps=steps, store=MemoryStore()).plan()

    with pytest.raises(UsageError, match=r"no weights to judge: no earlier step scored .*of='Overfit'.*retrain=True"):
        plan(Overfit(), FinalTest())
    validated = Setup(setup.model, DATA, trainer={"max_epochs": 1})
    for steps in ((Overfit(), FinalTest(of="Overfit")), (FinalTest(retrain=True),), (Own(), FinalTest())):
        plan(*steps)
    plan(Overfit(setup=validated), FinalTest())
