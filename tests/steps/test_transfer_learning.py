"""A frozen phase, and fine-tuning that goes on exactly where it ended."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Callback, EarlyStopping
from sklearn.datasets import load_digits
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import Above, BeatsBaseline, Check, Improves
from art_training.engines import EvaluateJob, FitJob
from art_training.engines.lightning import LightningEngine
from art_training.errors import ProjectError, SetupError, UnknownMetric, UsageError
from art_training.project import ArtProject
from art_training.records import Outcome, Split, StepState, VerdictState
from art_training.setup.setup import Setup
from art_training.steps import ExploreData, FinalTest, Overfit, Squeeze, Step, TransferLearning, only
from art_training.steps.bench import Bench
from art_training.steps.regularization.trying import nth_seed
from art_training.stores.artifacts import file_digest
from art_training.stores.memory import MemoryStore

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
ACCURACY = {"accuracy": MulticlassAccuracy(num_classes=5, average="micro")}


class Net(nn.Module):
    """Convolutions with batch norms and dropout, and a head."""

    def __init__(self, classes: int = 5, width: int = 8) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.2),
        )
        self.head = nn.Linear(width * 16, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(x))


def digits(first: int, labels: int | None, seed: int = 0) -> Any:
    """Digits `first` to `first + 4` as classes 0 to 4: `labels` a class to train on, the rest for validation and test."""
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero((first <= Y) & (first + 5 > Y)))
    x, y = X[chosen], Y[chosen] - first
    if labels is None:
        return art.data((x[:600], y[:600]), (x[600:], y[600:]), batch_size=64)
    mine = np.concatenate([np.flatnonzero(y == label)[:labels] for label in range(5)])
    rest = np.setdiff1d(np.arange(len(y)), mine)
    half = len(rest) // 2
    return art.data(
        (x[mine], y[mine]), (x[rest[:half]], y[rest[:half]]), (x[rest[half:]], y[rest[half:]]), batch_size=25
    )


def setup_of(data: Any, epochs: int = 4, optimizer: Any = torch.optim.AdamW, **trainer: Any) -> Setup:
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=optimizer, lr=1e-2, weight_decay=0.1)
    return art.Setup(model=model, data=data, trainer={"max_epochs": epochs, "accelerator": "cpu", **trainer})


def project(*steps: Step, setup: Setup, store: Any = None) -> ArtProject:
    return ArtProject("transfer", setup, metrics=ACCURACY, steps=steps, store=store or MemoryStore())


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that was trained on the digits 0 to 4, as a state dict."""
    torch.manual_seed(0)
    net, chosen = Net(), Y < 5
    x, y = torch.from_numpy(X[chosen]), torch.from_numpy(Y[chosen])
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(3):
        for batch in torch.randperm(len(y)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
    path = tmp_path_factory.mktemp("pretrained") / "digits-0-4.pt"
    torch.save(net.state_dict(), path)
    return path


def outcome_of(step: TransferLearning, setup: Setup, *after: Step) -> tuple[Outcome, Any]:
    result = project(step, *after, setup=setup).run()[step.name]
    assert result.outcome is not None
    return result.outcome, result


def reading(outcome: Outcome, name: str) -> Any:
    found = outcome.reading(name)
    assert found is not None, name
    return found.value


def test_the_frozen_part_stays_the_rest_trains_and_fine_tuning_goes_on_from_there(weights: Path) -> None:
    step = TransferLearning(
        freeze="backbone.*", pretrained=weights, fresh="head.*", frozen_epochs=6, epochs=3, layer_rates=0.5
    )
    outcome, result = outcome_of(step, setup_of(digits(5, 5)))
    assert result.state is StepState.PASSED, result.judgement
    frozen = reading(outcome, "frozen part")
    # Four parameters and the three buffers of the batch norm, bit by bit those of the file, in spite of AdamW's decay.
    assert (frozen["tensors"], frozen["changed"]) == (7, [])
    assert reading(outcome, "trained part")["changed tensors"] == 2
    between = reading(outcome, "weights between the phases")
    assert between["before"] == between["after"] != ""
    assert reading(outcome, "thawed part")["changed tensors"] == 4
    assert reading(outcome, "freshly initialised") == {"head.weight": "fresh= names it", "head.bias": "fresh= names it"}
    assert reading(outcome, "epochs") == {"frozen": 6, "fine-tuning": 3}
    rates = {name: set(curve.values) for name, curve in outcome.curves.items() if "/lr/" in name}
    assert {value for name, values in rates.items() if name.startswith("frozen/") for value in values} == {0.01}
    found = sorted({value for name, values in rates.items() if name.startswith("fine-tuning/") for value in values})
    assert found == pytest.approx([0.01 * 0.1 * 0.25, 0.01 * 0.1 * 0.5, 0.01 * 0.1])
    assert [one.name for one in outcome.candidates] == ["frozen", "fine-tuning"]
    assert {one.name for one in outcome.artifacts if one.kind == "checkpoint"} == {"frozen.ckpt", "last.ckpt"}


def test_early_stopping_of_the_frozen_phase_does_not_stop_fine_tuning(weights: Path) -> None:
    impatient = EarlyStopping("val_loss", patience=1, min_delta=10.0)
    step = TransferLearning(freeze="backbone.*", pretrained=weights, fresh="head.*", frozen_epochs=8, epochs=8)
    outcome, _ = outcome_of(step, setup_of(digits(5, 3), callbacks=[impatient]))
    # Each phase stops on its own patience: had it kept its state, the second would have ended with its first epoch.
    assert reading(outcome, "epochs") == {"frozen": 2, "fine-tuning": 2}
    assert impatient.stopped_epoch == 0  # the user's own was never used


def test_batch_norms_that_are_not_frozen_do_change(weights: Path) -> None:
    step = TransferLearning(freeze="backbone.1.*", pretrained=weights, fresh="head.*", frozen_epochs=2, epochs=1)
    outcome, _ = outcome_of(step, setup_of(digits(5, 3)))
    assert reading(outcome, "frozen part")["tensors"] == 2
    assert "model.backbone.2.weight" in reading(outcome, "trained part")["changed"]


def test_a_batch_norm_without_parameters_stays_with_the_layer_before_it(tmp_path: Path) -> None:
    def flat() -> nn.Module:
        hidden = [nn.Linear(64, 8), nn.BatchNorm1d(8, affine=False), nn.ReLU(), nn.Linear(8, 8)]
        return nn.Sequential(*hidden, nn.BatchNorm1d(8, affine=False), nn.ReLU(), nn.Linear(8, 5))

    path = tmp_path / "flat.pt"
    torch.save(flat().state_dict(), path)
    setup = setup_of(digits(5, 3)).but(model=art.from_torch(flat, loss=nn.CrossEntropyLoss, lr=1e-2))
    step = TransferLearning(freeze=art.all_but_last(1), pretrained=path, fresh="6.*", frozen_epochs=1, epochs=1)
    outcome, _ = outcome_of(step, setup)
    # Two layers with two parameters each, and three buffers of each batch norm.
    assert (reading(outcome, "frozen part")["tensors"], reading(outcome, "frozen part")["changed"]) == (10, [])
    step = TransferLearning(freeze="0.*", pretrained=path, frozen_epochs=1, epochs=1)
    outcome, _ = outcome_of(step, setup)
    assert (reading(outcome, "frozen part")["tensors"], reading(outcome, "frozen part")["changed"]) == (5, [])


def test_layers_thaw_one_an_epoch(weights: Path) -> None:
    step = TransferLearning(
        freeze="backbone.*", pretrained=weights, fresh="head.*", frozen_epochs=1, epochs=2, unfreeze="gradual"
    )
    outcome, result = outcome_of(step, setup_of(digits(5, 3)))
    assert reading(outcome, "thawed part")["changed tensors"] == 4
    assert result.outcome.parameters["fine-tuning"]


def test_a_trainer_that_a_function_makes_trains_as_long_as_each_phase_says(weights: Path) -> None:
    def trainer(**settings: Any) -> Any:
        from lightning import Trainer

        return Trainer(max_epochs=9, accelerator="cpu", num_sanity_val_steps=0, **settings)

    setup = setup_of(digits(5, 3)).but(trainer=trainer)
    step = TransferLearning(freeze="backbone.*", pretrained=weights, fresh="head.*", frozen_epochs=3, epochs=2)
    outcome, _ = outcome_of(step, setup)
    assert reading(outcome, "epochs") == {"frozen": 3, "fine-tuning": 2}


def test_a_head_of_another_shape_is_initialised_anew_and_said(weights: Path) -> None:
    setup = setup_of(digits(5, 3)).but(hparams={"classes": 6})
    step = TransferLearning(
        freeze="backbone.*", pretrained=weights, frozen_epochs=1, epochs=1, skip_metrics=["accuracy"]
    )
    outcome, _ = outcome_of(step, setup)
    assert reading(outcome, "freshly initialised")["head.weight"] == "it is (5, 128) there and (6, 128) here"
    # It has one, so nobody says that it has none.
    assert reading(outcome, "not used")["head.weight"] == "it is (5, 128) there and (6, 128) here"


def test_a_batch_norm_that_is_fresh_has_fresh_statistics(weights: Path) -> None:
    step = TransferLearning(
        freeze="backbone.1", pretrained=weights, fresh=["backbone.2", "head"], frozen_epochs=1, epochs=1, examples=0
    )
    outcome, _ = outcome_of(step, setup_of(digits(5, 3)))
    norm = {f"backbone.2.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}
    fresh = reading(outcome, "freshly initialised")
    assert set(fresh) == norm | {"head.weight", "head.bias"}
    assert set(fresh.values()) == {"fresh= names it"}


def test_a_factory_that_loads_its_weights_itself_needs_none(weights: Path) -> None:
    def loaded() -> Net:
        net = Net()
        kept = {name: one for name, one in torch.load(weights).items() if name.startswith("backbone.")}
        net.load_state_dict(kept, strict=False)
        return net

    setup = setup_of(digits(5, 3)).but(model=art.from_torch(loaded, loss=nn.CrossEntropyLoss, lr=1e-2))
    outcome, result = outcome_of(TransferLearning(frozen_epochs=6, epochs=1), setup)
    assert result.state is StepState.PASSED
    assert reading(outcome, "frozen part")["tensors"] == 7


def test_random_weights_are_not_frozen() -> None:
    with pytest.raises(SetupError, match=r"would freeze random weights: backbone\.1\.weight, .*give pretrained="):
        project(TransferLearning(freeze="backbone.*"), setup=setup_of(digits(5, 3))).run()


def test_what_was_not_loaded_is_not_frozen(weights: Path, tmp_path: Path) -> None:
    kept = {name: one for name, one in torch.load(weights).items() if name != "head.bias"}
    torch.save(kept, tmp_path / "kept.pt")
    step = TransferLearning(freeze=["backbone.*", "head.bias"], pretrained=tmp_path / "kept.pt")
    with pytest.raises(SetupError, match=r"would freeze random weights: head\.bias .*leave it out of freeze"):
        project(step, setup=setup_of(digits(5, 3))).run()


def test_a_part_that_the_weights_have_under_another_prefix_is_named(weights: Path, tmp_path: Path) -> None:
    renamed = {name.replace("backbone.", "encoder."): one for name, one in torch.load(weights).items()}
    torch.save(renamed, tmp_path / "encoder.pt")
    step = TransferLearning(freeze="backbone", pretrained=tmp_path / "encoder.pt")
    told = r"give weights that have it under this name: there is 'encoder\.1\.weight' of the same shape"
    with pytest.raises(SetupError, match=told):
        project(step, setup=setup_of(digits(5, 3))).run()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"freeze": "bakbone.*"}, r"'bakbone\.\*' matches none of the model's 6 parameters"),
        ({"freeze": "*"}, "matches all 6 parameters"),
        (
            {"pretrained": "Nothing"},
            "pretrained='Nothing' of step 'TransferLearning' is neither a file nor an earlier step",
        ),
        ({"layer_rates": {"stem.*": 0.5}}, "matches none of the model's parameters"),
        ({"fresh": "tail.*"}, r"fresh='tail\.\*' matches none"),
    ],
)
def test_what_does_not_belong_to_the_model_is_refused_before_it_is_trained(
    weights: Path, settings: dict[str, Any], message: str
) -> None:
    step = TransferLearning(**{"freeze": "backbone.*", "pretrained": weights, **settings})
    with pytest.raises(UsageError, match=message):
        project(step, setup=setup_of(digits(5, 3))).run()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"freeze": []}, "names nothing"),
        ({"frozen_epochs": 0}, "frozen_epochs=0 .* must be a whole number of at least 1"),
        ({"epochs": 0}, "epochs=0 .* must be a whole number of at least 1"),
        ({"fine_tuning_rate": 0}, "fine_tuning_rate=0 .* is no positive factor"),
        ({"layer_rates": -0.5}, r"layer_rates=-0\.5 .* is no positive factor"),
        ({"layer_rates": {"head.*": "fast"}}, r"layer_rates\['head\.\*'\]='fast'"),
        ({"unfreeze": "slowly"}, "is neither 'all' nor 'gradual'"),
        ({"pretrained": ""}, "is neither a file nor the name of an earlier step"),
        ({"fresh": "head.*"}, "says what is not taken of pretrained weights, and there are none"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        TransferLearning(**settings)


def test_it_is_compared_with_training_from_scratch_on_the_same_labels_seeds_and_steps(
    weights: Path, tmp_path: Path
) -> None:
    step = TransferLearning(
        freeze="backbone.*",
        pretrained=weights,
        fresh="head.*",
        frozen_epochs=4,
        epochs=3,
        scratch_seeds=2,
        by="accuracy",
        examples=0,
        continue_on_failure=True,
    )
    setup, store = setup_of(digits(5, 5)), MemoryStore()
    result = project(step, setup=setup, store=store).run()[step.name]
    outcome = result.outcome
    assert outcome is not None

    def by_hand(number: int) -> float:
        """The accuracy of the same setup under a pair's seed, trained for as many steps as both phases together."""
        engine, seed = LightningEngine(), nth_seed(result.run.seed, number)
        how: Any = {"data_seed": result.run.seed}
        trained = engine.fit(FitJob(setup, seed, tmp_path, max_steps=7, **how), lambda position: None)
        right: list[torch.Tensor] = []

        def see(seen: Any) -> None:
            right.append((seen.returned["predictions"].argmax(1) == seen.returned["targets"]).float())

        asked = EvaluateJob(setup, seed, (Split.VALIDATION,), weights=trained.last, **how)
        engine.evaluate(asked, see, lambda position: None)
        return float(torch.cat(right).mean())

    curves = {name for name in outcome.curves if name.endswith("train/loss")}
    assert {f"from scratch, seed {number}/train/loss" for number in (1, 2)} < curves
    assert len(outcome.curves["from scratch, seed 2/train/loss"].values) == 7
    scratch = next(one for one in outcome.candidates if one.name == "from scratch")
    gains, gain = reading(outcome, "gain by seed"), outcome.scores["gain"]
    assert len(gains) == 2
    assert gain.value == pytest.approx(sum(gains) / 2)
    assert gain.interval is not None
    assert scratch.scores["validation/accuracy"].value == pytest.approx((by_hand(1) + by_hand(2)) / 2, abs=1e-6)
    assert "better than training from scratch, beyond doubt" in {one.check for one in result.judgement.verdicts}
    assert project(step, setup=setup, store=store).run()[step.name].recalled


def gained(name: str, weights: Path, **settings: Any) -> TransferLearning:
    """A transfer that is compared with training from scratch."""
    how: dict[str, Any] = {"freeze": "backbone.*", "pretrained": weights, "fresh": "head.*", "frozen_epochs": 2}
    how |= {"epochs": 2, "scratch_seeds": 1, "examples": 0, "continue_on_failure": True}
    return TransferLearning(name=name, **how, **settings)


def test_from_scratch_begins_with_nothing_that_an_earlier_transfer_handed_on(weights: Path) -> None:
    first = TransferLearning(
        name="First", freeze="backbone.*", pretrained=weights, frozen_epochs=1, epochs=1, examples=0
    )
    first = replace(first, continue_on_failure=True)
    setup, second = setup_of(digits(5, 5)), gained("Second", weights)
    after = project(first, second, setup=setup).run()["Second"].outcome
    alone = project(second, setup=setup).run()["Second"].outcome
    assert after is not None
    assert alone is not None
    for name in ("from scratch, seed 1/train/loss", "from scratch, seed 1/validation/loss"):
        assert after.curves[name].values == alone.curves[name].values
    # What is fresh is so though the first transfer handed on a head; and what comes later gets none from it either.
    assert after.scores == alone.scores
    assert reading(after, "freshly initialised") == reading(alone, "freshly initialised")


def test_what_comes_after_a_second_transfer_has_a_fresh_head_where_that_one_had(weights: Path) -> None:
    setup, engine = setup_of(digits(5, 5)), LightningEngine()
    names = {f"model.{name}": name for name in torch.load(weights)}
    handed = Outcome(parameters={"pretrained": {"from": "it", "digest": file_digest(weights)[0], "names": names}})
    fetch: Any = None
    first = TransferLearning(pretrained=weights).carry_with(setup, handed, fetch)
    body = {name: file for name, file in names.items() if "head" not in name}
    source = {**handed.parameters["pretrained"], "names": body, "fresh": sorted(names.keys() - body.keys())}
    second = TransferLearning(pretrained=weights, fresh="head").carry_with(
        first, Outcome(parameters={"pretrained": source}), fetch
    )
    own, later = (engine.fresh_weights(one, seed=4) for one in (setup, second))
    assert not torch.equal(engine.fresh_weights(first, seed=4)["model.head.weight"], own["model.head.weight"])
    assert torch.equal(later["model.head.weight"], own["model.head.weight"])
    assert not torch.equal(later["model.backbone.1.weight"], own["model.backbone.1.weight"])


def test_where_callbacks_end_trainings_early_both_sides_have_them_as_often_and_the_steps_are_told(
    weights: Path,
) -> None:
    stopping = EarlyStopping("val_loss", patience=1, min_delta=5.0)  # after two epochs, whatever is trained
    step = replace(gained("T", weights), frozen_epochs=6, epochs=6)
    outcome, _ = outcome_of(step, setup_of(digits(5, 5), callbacks=[stopping]))
    assert reading(outcome, "steps by seed") == {"transferred": [4], "from scratch": [4]}
    assert len(outcome.curves["from scratch again, seed 1/train/loss"].values) == 2


class StopsTheFrozen(Callback):
    """Ends a training after its second epoch where a part is frozen: as a plateau that only one side comes to."""

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch == 1 and not all(one.requires_grad for one in pl_module.parameters()):
            trainer.should_stop = True


def test_a_transfer_that_ends_early_does_not_shorten_the_training_from_scratch(weights: Path) -> None:
    step = replace(gained("T", weights), frozen_epochs=5)
    outcome, _ = outcome_of(step, setup_of(digits(5, 5), callbacks=[StopsTheFrozen()]))
    assert reading(outcome, "steps by seed") == {"transferred": [4], "from scratch": [7]}
    told = "in 7 steps where both phases took 4, each as the setup's own callbacks and limits ended it"
    assert next(one.note for one in outcome.candidates if one.name == "from scratch").startswith(told)
    assert told in outcome.summary


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (Above("validation/acuracy", 0.5), r"asks for 'acuracy', .*\(did you mean 'validation/accuracy'\?\)"),
        (
            Above("accuracy", 0.5),
            "asks for 'accuracy' of no split; name one: 'train/accuracy' or 'validation/accuracy'",
        ),
        (Above("gain", 0.0), "asks for 'gain', which it will not have; give it scratch_seeds=3, so"),
        (Improves(), "`better than before, beyond doubt` of .* which it will not have; give it scratch_seeds=3, so"),
        (Above("gian", 0.0), r"asks for 'gian', which it will not have; it will have: accuracy, loss"),
    ],
)
def test_a_check_on_a_score_that_it_will_not_have_is_refused_at_once(check: Check, message: str, weights: Path) -> None:
    with pytest.raises(UsageError, match=message):
        project(TransferLearning(pretrained=weights, checks=[check]), setup=setup_of(digits(5, 5)))


def test_the_remedy_of_a_gain_that_is_missing_is_enough_to_have_one(weights: Path) -> None:
    setup = setup_of(digits(5, 5))
    with pytest.raises(UnknownMetric, match="give it scratch_seeds=3 and pretrained=, so"):
        project(TransferLearning(checks=only(Improves())), setup=setup)
    project(
        TransferLearning(checks=[Improves()], scratch_seeds=3, pretrained=weights, freeze="backbone"), setup=setup
    ).plan()


def test_a_check_on_the_gain_or_on_one_of_its_parts_is_taken(weights: Path) -> None:
    above = [Above("gain", 0.0), Above("validation/accuracy", 0.1)]
    asks = [BeatsBaseline("validation/accuracy", name, step="T") for name in ("frozen", "from scratch")]
    steps = (gained("T", weights, checks=above), Overfit(checks=asks))
    project(*steps, setup=setup_of(digits(5, 5))).plan()
    wrong = Overfit(checks=[BeatsBaseline("validation/accuracy", "forzen", step="T")])
    with pytest.raises(UsageError, match=r"'forzen'.*\(did you mean 'frozen'\?\)"):
        project(steps[0], wrong, setup=setup_of(digits(5, 5))).plan()


def test_to_freeze_what_fresh_names_is_refused_before_anything_is_trained(weights: Path) -> None:
    for freeze in ("backbone", ["*.weight"]):
        step = TransferLearning(freeze=freeze, pretrained=weights, fresh=["backbone"])
        with pytest.raises(
            SetupError, match=r"would freeze random weights: backbone\.1\.weight.* fresh= names it, too"
        ):
            project(step, setup=setup_of(digits(5, 5))).plan()
    # What every fresh model begins with alike is not random, as the weight of a batch norm.
    step = TransferLearning(freeze="backbone.2", pretrained=weights, fresh="backbone.2")
    project(step, setup=setup_of(digits(5, 5))).plan()


def test_a_file_that_holds_no_weights_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.touch()
    step = TransferLearning(freeze="backbone", pretrained=path)
    with pytest.raises(SetupError, match="of step 'TransferLearning' holds no weights: it is an empty file"):
        project(step, setup=setup_of(digits(5, 5))).plan()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scratch_seeds": -1}, "scratch_seeds=-1 .* must be a whole number"),
        ({"scratch_seeds": 2}, "a model whose factory loads its weights never begins there; give pretrained="),
        ({"by": "test/accuracy"}, "by='test/accuracy' .* is of the test split"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused_at_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        TransferLearning(**settings)


def test_a_comparison_by_what_is_not_there_is_refused_before_anything_is_trained(weights: Path) -> None:
    step = TransferLearning(freeze="backbone", pretrained=weights, scratch_seeds=2, by="f1")
    with pytest.raises(UsageError, match="step 'TransferLearning' chooses by validation/f1: "):
        project(step, setup=setup_of(digits(5, 5))).plan()
    alone = setup_of(art.data((X[:50], Y[:50] % 5), batch_size=25))
    step = TransferLearning(freeze="backbone", pretrained=weights, scratch_seeds=2)
    with pytest.raises(
        SetupError, match="compares with training from scratch on validation, which the data do not have"
    ):
        project(step, setup=alone).plan()


class Tied(nn.Module):
    """A tiny language model, whose last layer is its embedding and is registered before it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 9)
        self.backbone = nn.ModuleDict({"embed": nn.Embedding(9, 6), "norm": nn.LayerNorm(6), "mix": nn.Linear(6, 6)})
        self.head.weight = self.backbone["embed"].weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = self.backbone["norm"](self.backbone["embed"](tokens))
        return self.head(torch.relu(self.backbone["mix"](hidden.mean(1))))


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_tied_layer_is_frozen_and_loaded_by_either_of_its_names(tmp_path: Path, suffix: str) -> None:
    """Recomputed from the files. Safetensors keeps a tied tensor under one name."""
    from safetensors.torch import save_model

    torch.manual_seed(1)
    learned, path = Tied(), tmp_path / f"tied.{suffix}"
    state = learned.state_dict()
    if suffix == "pt":
        torch.save(state, path)
    else:
        save_model(learned, str(path))
    tokens = np.random.default_rng(0).integers(0, 9, (60, 4))
    data = art.data((tokens[:40], tokens[:40, 0]), (tokens[40:], tokens[40:, 0]), batch_size=20)
    model = art.from_torch(Tied, loss=nn.CrossEntropyLoss, optimizer=torch.optim.AdamW, lr=1e-2, weight_decay=0.5)
    setup = art.Setup(model=model, data=data, trainer={"max_epochs": 2, "accelerator": "cpu"})
    step = TransferLearning(freeze=["backbone.embed", "backbone.norm"], pretrained=path, frozen_epochs=3, examples=0)
    made = ArtProject("tied", setup, steps=[step], store=MemoryStore())
    outcome = made.run()[step.name].outcome
    assert outcome is not None
    assert outcome.parameters["frozen"] == [
        "model.head.weight",
        "model.backbone.norm.weight",
        "model.backbone.norm.bias",
    ]
    kept = torch.load(made.store.artifacts.fetch(outcome.artifact("frozen.ckpt").digest), weights_only=False)[
        "state_dict"
    ]
    moved = {name for name in state if not torch.equal(kept[f"model.{name}"], state[name])}
    assert moved == {"head.bias", "backbone.mix.weight", "backbone.mix.bias"}


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


class LateNet(LightningModule):
    """Makes its layers in one of its hooks, those of `Net` flat."""

    lazy = False

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.classes = classes

    def make(self) -> None:
        hidden = nn.LazyLinear(16) if self.lazy else nn.Linear(64, 16)
        self.backbone = nn.Sequential(hidden, nn.BatchNorm1d(16), nn.ReLU())
        self.head = nn.LazyLinear(self.classes) if self.lazy else nn.Linear(16, self.classes)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return nn.functional.cross_entropy(self.head(self.backbone(batch[0])), batch[1])

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, torch.Tensor]:
        predictions = self.head(self.backbone(batch[0]))
        loss = nn.functional.cross_entropy(predictions, batch[1])
        return {"loss": loss, "predictions": predictions, "targets": batch[1]}

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=1e-2, weight_decay=0.1)


class InConfigureModel(LateNet):
    def configure_model(self) -> None:
        if not hasattr(self, "head"):
            self.make()


class InSetup(LateNet):
    def setup(self, stage: str) -> None:
        self.make()


class LazyInConstructor(LateNet):
    lazy = True

    def __init__(self, classes: int = 5) -> None:
        super().__init__(classes)
        self.make()


class LazyInSetup(InSetup):
    lazy = True


@pytest.mark.parametrize("kind", [InConfigureModel, InSetup, LazyInConstructor, LazyInSetup])
def test_layers_that_are_made_late_are_frozen_loaded_thawed_and_handed_on(kind: Any, tmp_path: Path) -> None:
    """Recomputed from the files: the frozen part is that of the pretrained weights, bit by bit, and fine-tuning moves it."""
    torch.manual_seed(0)
    learned = {"backbone.0": nn.Linear(64, 16), "backbone.1": nn.BatchNorm1d(16), "head": nn.Linear(16, 7)}
    state = {f"{name}.{one}": value for name, layer in learned.items() for one, value in layer.state_dict().items()}
    torch.save(state, tmp_path / "weights.pt")
    step = TransferLearning(
        freeze="backbone",
        pretrained=tmp_path / "weights.pt",
        frozen_epochs=40,
        epochs=3,
        layer_rates={"backbone.0": 0.5},
        unfreeze="gradual",
        examples=0,
    )
    setup = art.Setup(model=kind, data=digits(5, 5), trainer={"max_epochs": 2, "accelerator": "cpu"})
    made = project(step, Overfit(name="After", continue_on_failure=True), setup=setup)
    result = made.run()
    failed = [one.reason for one in result[step.name].judgement.verdicts if one.state is not VerdictState.PASSED]
    assert failed == []
    outcome = result[step.name].outcome
    assert outcome is not None
    frozen, tuned = (
        torch.load(made.store.artifacts.fetch(outcome.artifact(name).digest), weights_only=False)["state_dict"]
        for name in ("frozen.ckpt", "last.ckpt")
    )
    backbone = [name for name in state if name.startswith("backbone.")]
    assert all(torch.equal(frozen[name], state[name]) for name in backbone)
    assert not any(torch.equal(tuned[name], state[name]) for name in backbone)
    assert reading(outcome, "learning rates") == {"backbone.0": 0.05, "backbone.1": 0.1, "head": 0.1}
    handed_on = step.carry_with(setup, outcome, made.store.artifacts.fetch)
    fresh = LightningEngine().fresh_weights(handed_on, seed=3)
    assert all(torch.equal(fresh[name], state[name]) for name in backbone)
    assert result["After"].outcome is not None


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


def test_a_frozen_part_that_moves_is_found(weights: Path) -> None:
    class Meddles(nn.Module):
        """Normalises its own weights in each pass, whatever anybody froze."""

        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                self.net.backbone[1].weight.mul_(0.999)
            return self.net(x)

    setup = setup_of(digits(5, 3)).but(model=art.from_torch(Meddles, loss=nn.CrossEntropyLoss, lr=1e-2))
    step = TransferLearning(freeze="net.backbone.*", pretrained=weights, fresh="net.head.*", frozen_epochs=1, epochs=1)
    outcome, result = outcome_of(step, setup)
    assert reading(outcome, "frozen part")["changed"] == ["model.net.backbone.1.weight"]
    assert result.state is StepState.FAILED
    failed = [one.check for one in result.judgement.verdicts if one.state is VerdictState.FAILED]
    assert "frozen part unchanged" in failed


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
