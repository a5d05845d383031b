"""Where pretrained weights come from is told by their name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Callback
from tests.steps.transfer.digits import Net, digits, project, reading, setup_of

from art_training.errors import ProjectError, SetupError
from art_training.records import Artifact, Foresight, Outcome, Promise, StepState
from art_training.steps import ExploreData, FinalTest, Overfit, Squeeze, Step, TransferLearning
from art_training.steps.bench import Bench
from art_training.steps.delivering.delivery import DELIVERED, Delivery, Member
from art_training.steps.transfer.source import Source, require_file, require_source, source_of, weights_of
from art_training.stores.memory import MemoryStore

SAID = "pretrained='Squeeze' of step 'TransferLearning'"
STEPS = ("Overfit", "Squeeze", "Squeeze/more")


def kept(*names: str) -> tuple[Artifact, ...]:
    return tuple(Artifact(name, "checkpoint", f"digest of {name}", 1) for name in names)


def delivering(*names: str, temperature: float = 1.0, others: tuple[str, ...] = ()) -> Outcome:
    members = tuple(Member(name, 1 / len(names)) for name in names)
    return Outcome(
        artifacts=(*kept(*names, *others), Artifact("model.zip", "other", "d", 1)),
        parameters={DELIVERED: Delivery(members, temperature).described},
    )


ENSEMBLE = delivering("member 1/last.ckpt", "member 2/last.ckpt")


@pytest.mark.parametrize(
    ("pretrained", "found"),
    [
        ("Squeeze", Source("Squeeze")),
        ("Squeeze/member 1", Source("Squeeze", "member 1")),
        ("Squeeze/more", Source("Squeeze/more")),
        ("Squeeze/more/member 1", Source("Squeeze/more", "member 1")),
        ("weights.pt", None),
        (Path("Squeeze"), None),
        (None, None),
    ],
)
def test_a_step_is_named_by_its_name_and_one_of_its_members_behind_a_slash(
    pretrained: str | Path | None, found: Source | None
) -> None:
    assert source_of(pretrained, STEPS) == found


def test_a_file_in_a_folder_that_is_called_as_a_step_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Overfit").mkdir()
    Path("Overfit/net.pt").write_bytes(b"")
    assert source_of("Overfit/net.pt", STEPS) is None


def test_one_training_is_one_model_whatever_its_temperature() -> None:
    assert weights_of(Source("Squeeze"), delivering("last.ckpt", temperature=1.3), SAID).name == "last.ckpt"
    told = Outcome(artifacts=kept("trial 3.ckpt", "last.ckpt"))
    assert weights_of(Source("Tune"), told, SAID).name == "last.ckpt"


@pytest.mark.parametrize(
    ("outcome", "member", "name"),
    [
        (ENSEMBLE, "member 2", "member 2/last.ckpt"),
        (ENSEMBLE, "member 2/last.ckpt", "member 2/last.ckpt"),
        (Outcome(artifacts=kept("trial 3.ckpt", "last.ckpt")), "trial 3", "trial 3.ckpt"),
        (Outcome(artifacts=kept("frozen.ckpt", "last.ckpt")), "frozen", "frozen.ckpt"),
    ],
)
def test_one_of_several_weights_is_taken_by_its_name(outcome: Outcome, member: str, name: str) -> None:
    assert weights_of(Source("Squeeze", member), outcome, SAID).name == name


@pytest.mark.parametrize(
    ("outcome", "member", "told"),
    [
        (
            ENSEMBLE,
            "",
            (
                "names a step that delivers an ensemble of 2, and a model begins with the weights of one; name one of them: "
                "'Squeeze/member 1', 'Squeeze/member 2'; or let the step deliver one model, as a squeeze with ensemble=0 does"
            ),
        ),
        (
            ENSEMBLE,
            "member 3",
            "names weights that Squeeze did not leave; it left: 'Squeeze/member 1', 'Squeeze/member 2'",
        ),
        (Outcome(), "member 1", "did not leave; it left: none"),
        (Outcome(artifacts=kept("a.ckpt", "b.ckpt")), "", "left several weights .* name one: 'Squeeze/a', 'Squeeze/b'"),
        (Outcome(), "", "names a step that left no weights; name one that did"),
    ],
)
def test_what_is_no_one_model_is_told_with_what_there_is(outcome: Outcome, member: str, told: str) -> None:
    with pytest.raises(SetupError, match=f"^{SAID} .*{told}") as raised:
        weights_of(Source("Squeeze", member), outcome, SAID)
    assert "\n" not in str(raised.value)


def test_a_name_that_is_neither_a_file_nor_a_step_is_told_with_the_nearest_step(tmp_path: Path) -> None:
    steps = {
        "Pretrain": Promise("Overfit", weights=True, files=False),
        "Data": Promise("D", weights=False, files=False),
    }
    before = Foresight("Transfer", steps)
    require_source("Pretrain/member 1", SAID, before)
    (tmp_path / "net.pt").write_bytes(b"")
    require_source(str(tmp_path / "net.pt"), SAID, before)
    with pytest.raises(ProjectError, match=r"neither a file nor an earlier step \(did you mean 'Pretrain'\?\); give"):
        require_source("Pretrian", SAID, before)
    with pytest.raises(
        ProjectError, match=r"neither a file nor an earlier step; .* the name of an earlier step: Pretrain$"
    ):
        require_source(tmp_path / "nothing.pt", SAID, before)
    with pytest.raises(ProjectError, match="names a step that leaves no weights; name one that does: Pretrain"):
        require_source("Data", SAID, before)


def test_a_file_that_a_step_of_the_users_own_may_write_is_left_to_the_run(tmp_path: Path) -> None:
    ours = {"Pretrain": Promise("Overfit", weights=True, files=False)}
    before = Foresight("Transfer", {**ours, "Export": Promise("Export")})
    for name in ("nothing.pt", "nothing.safetensors", "folder/nothing"):
        require_source(tmp_path / name, SAID, before)
        require_source(str(tmp_path / name), SAID, before)
    with pytest.raises(ProjectError, match=r"did you mean 'Pretrain'"):
        require_source("Pretrian", SAID, before)
    with pytest.raises(ProjectError, match="neither a file nor an earlier step; give the path of a file"):
        require_source("Elsewhere", SAID, before)  # no file is called so
    late = Foresight("Transfer", ours, later=("Export",))
    with pytest.raises(ProjectError, match="neither a file nor an earlier step"):
        require_source(tmp_path / "nothing.pt", SAID, late)


def test_a_file_that_is_still_not_there_when_the_step_runs_is_told_with_who_may_have_written_it(tmp_path: Path) -> None:
    path = tmp_path / "nothing.pt"
    told = rf"^{SAID} is no file: there is none at {path}, and none of the steps before it \(Export\) has written it; let one "
    with pytest.raises(
        SetupError, match=told + r"write it there, again if it was recalled: `art run --force-step Export`; or"
    ):
        require_file(path, SAID, ["Export"])
    path.touch()
    require_file(path, SAID, [])


@dataclass(frozen=True)
class Exports(Step):
    """Writes weights to a file of the user's, or forgets to."""

    path: str = ""
    factor: float = 1.0

    def run(self, bench: Bench) -> Outcome:
        if self.path:
            torch.save({name: self.factor * one for name, one in Net().state_dict().items()}, self.path)
        return Outcome()


def test_a_file_that_a_step_of_the_users_own_writes_is_taken_and_makes_the_step_stale_with_it(tmp_path: Path) -> None:
    store, path = MemoryStore(), tmp_path / "exported.pt"
    step = TransferLearning(freeze="backbone", pretrained=path, frozen_epochs=1, epochs=1, examples=0)

    def run(factor: float) -> Any:
        exports = Exports(path=str(path), factor=factor, continue_on_failure=True)
        return project(exports, step, setup=setup_of(digits(5, 3)), store=store).run()[step.name]

    first, second, third = run(1.0), run(1.0), run(2.0)
    assert (first.recalled, second.recalled, third.recalled) == (False, True, False)
    assert reading(third.outcome, "frozen part")["changed"] == []
    path.unlink()
    with pytest.raises(SetupError, match=r"is no file: .* none of the steps before it \(Exports\) has written it"):
        run(2.0)


def test_a_file_that_nobody_may_write_is_refused_before_anything_runs(tmp_path: Path) -> None:
    step = TransferLearning(freeze="backbone", pretrained=tmp_path / "missing.pt")
    with pytest.raises(ProjectError, match="is neither a file nor an earlier step"):
        project(ExploreData(), step, Overfit(), Exports(), setup=setup_of(digits(5, 3))).plan()


class Saves(Callback):
    """Writes the weights of a training to a file of the user's."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_fit_end(self, trainer: Any, pl_module: LightningModule) -> None:
        torch.save(pl_module.state_dict(), self.path)


def test_a_file_that_a_training_before_it_writes_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "written.pt"
    pretrain = Overfit(
        name="Pretrain", trainer={"max_epochs": 1, "callbacks": [Saves(path)]}, examples=0, continue_on_failure=True
    )
    step = TransferLearning(freeze="backbone", pretrained=path, frozen_epochs=1, epochs=1, examples=0)
    result = project(pretrain, step, setup=setup_of(digits(5, 3))).run()[step.name]
    assert reading(result.outcome, "frozen part")["changed"] == []


@pytest.mark.slow
def test_weights_of_an_earlier_step_are_taken_and_later_steps_begin_with_them() -> None:
    store = MemoryStore()
    steps = [
        Overfit(name="Pretrain", setup=setup_of(digits(0, None), epochs=2)),
        TransferLearning(freeze="backbone.*", pretrained="Pretrain", fresh="head.*", frozen_epochs=6, epochs=1),
        Overfit(name="After", trainer={"max_epochs": 6}),
        FinalTest(of="TransferLearning"),
    ]
    result = project(*steps, setup=setup_of(digits(5, 5)), store=store).run()
    assert [step.state for step in result.steps][:2] == [StepState.PASSED] * 2, result.next
    outcome = result["TransferLearning"].outcome
    after, final = result["After"].run, result["FinalTest"].outcome
    assert outcome is not None
    assert after is not None
    assert final is not None
    assert after.parameters["declarations.pretrained"] == "step Pretrain"
    assert "the weights that TransferLearning left (last.ckpt)" in final.summary
    again = project(*steps, setup=setup_of(digits(5, 5)), store=store).run()
    assert all(step.recalled for step in again.steps)


def test_another_file_makes_the_step_stale_and_the_same_elsewhere_does_not(weights: Path, tmp_path: Path) -> None:
    store, setup = MemoryStore(), setup_of(digits(5, 3))

    def planned(path: Path) -> str:
        step = TransferLearning(freeze="backbone.*", pretrained=path, fresh="head.*", frozen_epochs=6, epochs=1)
        plan = project(step, setup=setup, store=store).plan().steps[0]
        project(step, setup=setup, store=store).run()
        return plan.action.value

    assert planned(weights) == "run"
    moved = tmp_path / "elsewhere.pt"
    moved.write_bytes(weights.read_bytes())
    assert planned(moved) == "recall"
    torch.save({name: one + 1 for name, one in torch.load(weights).items()}, moved)
    assert planned(moved) == "run"


@pytest.mark.slow
def test_of_an_ensemble_one_member_is_named_to_begin_with() -> None:
    """A squeeze that delivers several trainings has no weights that one model could begin with, and says which it left."""
    squeeze = Squeeze(
        ensemble=2,
        longer=0,
        distill=False,
        export=False,
        calibrate=False,
        weighting="equal",
        prefer="best",
        examples=0,
        setup=setup_of(digits(0, None), epochs=2),
    )
    store = MemoryStore()
    settings = {"freeze": "backbone", "fresh": "head", "frozen_epochs": 1, "epochs": 1}

    def run(pretrained: str) -> Any:
        step = TransferLearning(pretrained=pretrained, **settings)
        return project(squeeze, step, setup=setup_of(digits(5, 5)), store=store).run()

    with pytest.raises(
        SetupError,
        match=r"^pretrained='Squeeze' of step 'TransferLearning' names a step that delivers an ensemble of 2, .*"
        r"'Squeeze/member 1', 'Squeeze/member 2'",
    ):
        run("Squeeze")
    again = run("Squeeze/member 2")
    assert again["Squeeze"].recalled
    outcome = again["TransferLearning"].outcome
    assert reading(outcome, "frozen part")["changed"] == []
    assert outcome.parameters["pretrained"]["from"] == "step Squeeze/member 2"
    assert run("Squeeze/member 2")["TransferLearning"].recalled
