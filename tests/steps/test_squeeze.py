"""What is left in a setup: each gain is measured, and the result is the one that was trained."""

import csv
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchmetrics.classification import BinaryJaccardIndex, MulticlassAccuracy, MultilabelF1Score

import art_training as art
from art_training.checks import ExportAgrees, NoNaN
from art_training.errors import ProjectError, SetupError, UnknownMetric
from art_training.records import Outcome, StepEnded, StepState, Verdict
from art_training.setup.task import Task, TaskKind
from art_training.steps import Squeeze
from art_training.stores.memory import MemoryStore
from art_training.testing.data import diabetes, digits


class Net(nn.Module):
    def __init__(self, outputs: int = 10, width: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class One(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(1)


class Named(Dataset[dict[str, Tensor]]):
    """Digits by name, jittered as an augmentation would."""

    def __init__(self, x: Tensor, y: Tensor, jitter: float = 0.0) -> None:
        self.x, self.y, self.jitter = x, y, jitter

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, at: int) -> dict[str, Tensor]:
        return {"pixels": self.x[at] + self.jitter * torch.randn(64), "digit": self.y[at]}


class Stepping(LightningModule):
    """Without forward, and with batch norm and dropout; predictions are seen in its step alone."""

    def __init__(self, lr: float = 1e-2) -> None:
        super().__init__()
        self.lr = lr
        self.body = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10))

    def training_step(self, batch: Mapping[str, Tensor], index: int) -> Tensor:
        return nn.functional.cross_entropy(self.body(batch["pixels"]), batch["digit"])

    def validation_step(self, batch: Mapping[str, Tensor], index: int) -> None:
        self.log("val_loss", nn.functional.cross_entropy(self.body(batch["pixels"]), batch["digit"]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def tensors(x: Any, y: Any, dtype: torch.dtype = torch.long) -> tuple[Tensor, Tensor]:
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=dtype)


(X, Y), (VX, VY) = (tensors(*part) for part in digits())
TRAINER = {"accelerator": "cpu", "max_epochs": 6}
ACCURACY = {"accuracy": MulticlassAccuracy(num_classes=10, average="micro")}


def of_digits(rows: int = 500, **changes: Any) -> art.Setup:
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2)
    data = art.data(train=(X[:rows], Y[:rows]), validation=(VX, VY), batch_size=64)
    return art.Setup(model=model, data=data, trainer=TRAINER, **changes)


def squeezed(setup: art.Setup, metrics: Mapping[str, Any] = ACCURACY, **settings: Any) -> "Squeezed":
    ended: list[StepEnded] = []
    store = MemoryStore()
    project = art.ArtProject("squeezed", setup, metrics=metrics, steps=[Squeeze(**settings)], store=store)
    project.run(listen=lambda event: ended.append(event) if isinstance(event, StepEnded) else None)
    outcome, judgement = ended[0].outcome, ended[0].judgement
    assert outcome is not None
    assert judgement is not None
    return Squeezed(outcome, judgement.state, judgement.verdicts, store)


class Squeezed:
    def __init__(self, outcome: Outcome, state: StepState, verdicts: tuple[Verdict, ...], store: MemoryStore) -> None:
        self.outcome, self.state, self.verdicts, self.store = outcome, state, verdicts, store

    def file(self, name: str) -> Path:
        artifact = self.outcome.artifact(name)
        assert artifact is not None
        return self.store.artifacts.fetch(artifact.digest)

    def value(self, name: str) -> float:
        return self.outcome.score(name).value

    def note(self, name: str) -> str:
        candidate = self.outcome.candidate(name)
        assert candidate is not None
        return candidate.note


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Squeezed:
    """Everything, on digits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        return squeezed(of_digits(), ensemble=3, longer=2.0, prefer="best")


@pytest.mark.slow
def test_everything_that_was_asked_for_is_compared_with_its_interval_and_its_cost(whole: Squeezed) -> None:
    outcome = whole.outcome
    assert whole.state is StepState.PASSED, [verdict.reason for verdict in whole.verdicts]
    assert [one.name for one in outcome.candidates] == ["single", "longer", "ensemble", "student", "calibrated"]
    single = outcome.candidate("single")
    assert single is not None
    for name in ("longer", "ensemble", "student"):
        candidate = outcome.candidate(name)
        assert candidate is not None
        gained = outcome.score(f"{name}_gain")
        assert gained == candidate.scores["gain"]
        assert gained.interval is not None
        assert gained.interval.low < gained.value < gained.interval.high
        difference = single.scores["validation/loss"].value - candidate.scores["validation/loss"].value
        assert gained.value == pytest.approx(difference, abs=1e-6)
        for cost in ("training_seconds", "parameters", "bytes", "relative_inference_time"):
            assert candidate.parameters[cost] > 0
    student, ensemble = outcome.candidate("student"), outcome.candidate("ensemble")
    assert student is not None
    assert ensemble is not None
    assert student.scores["gain_over_teacher"].value == pytest.approx(
        ensemble.scores["validation/loss"].value - student.scores["validation/loss"].value, abs=1e-6
    )
    used = [weight for weight in ensemble.parameters["trainings"].values() if weight > 0]
    assert ensemble.parameters["parameters"] == len(used) * single.parameters["parameters"]
    assert student.parameters["parameters"] == single.parameters["parameters"]
    assert sum(ensemble.parameters["trainings"].values()) == pytest.approx(1)
    assert "chosen without it" in ensemble.note
    assert "0 batches looked up" not in student.note
    for name in ("member 1", "member 3", "longer", "student"):
        assert f"{name}/train/loss" in outcome.curves


@pytest.mark.slow
def test_the_longer_training_goes_on_where_the_first_ended_and_ends_with_the_average_that_was_asked_for() -> None:
    alone: dict[str, Any] = {"ensemble": 0, "calibrate": False, "export": False, "examples": 0}
    ema, swa = (
        squeezed(of_digits(200), longer=3.0, averaging=kind, prefer="longer", **alone) for kind in ("ema", "swa")
    )
    first, then = (ema.outcome.curves[f"{name}/train/loss"].values for name in ("member 1", "longer"))
    assert len(then) == 2 * len(first) == 2 * 6 * 4, "as many epochs as make three times as many in all"
    assert first[0] > 2
    assert then[0] < first[0] / 2, "it began afresh"
    # Both were trained alike; only what is made of the weights on the way differs.
    assert swa.outcome.curves["longer/train/loss"].values == then
    assert swa.value("validation/loss") != ema.value("validation/loss")


@pytest.mark.slow
def test_the_result_is_the_best_by_what_was_asked_and_its_scores_are_the_steps(whole: Squeezed) -> None:
    outcome = whole.outcome
    contenders = [one for one in outcome.candidates if one.name in {"single", "longer", "ensemble", "student"}]
    best = min(contenders, key=lambda one: one.scores["validation/loss"].value)
    assert outcome.parameters["result"] == best.name
    calibrated = outcome.candidate("calibrated")
    assert calibrated is not None
    final = calibrated if calibrated.parameters["applied"] else best
    assert whole.value("validation/loss") == pytest.approx(final.scores["validation/loss"].value)
    assert outcome.score("validation/accuracy").rows == 360


@pytest.mark.slow
def test_the_export_gives_the_predictions_that_were_scored(whole: Squeezed) -> None:
    assert whole.value("export_difference") <= 1e-6
    assert whole.outcome.score("export_difference").source == "in a new process"
    model = art.load_model(whole.file("model.zip"))
    found = model(VX)
    assert torch.allclose(found.sum(1), torch.ones(360), atol=1e-5)
    loss = nn.functional.nll_loss(found.clamp_min(1e-30).log(), VY)
    # The reported loss is of cross-fitted weights and temperatures, so that it is near and no better.
    assert float(loss) == pytest.approx(whole.value("validation/loss"), abs=0.03)
    assert model.description["versions"]["art-training"] == art.__version__


@pytest.mark.slow
def test_the_reliability_diagram_is_left_as_a_table_and_a_figure(whole: Squeezed) -> None:
    rows = list(csv.DictReader(whole.file("reliability.csv").read_text().splitlines()))
    assert {row["when"] for row in rows} == {"before", "after"}
    for when, score in (("before", "ece_before"), ("after", "ece")):
        kept = [row for row in rows if row["when"] == when]
        assert sum(int(row["rows"]) for row in kept) == 360
        error = sum(int(row["rows"]) * abs(float(row["confidence"]) - float(row["accuracy"])) for row in kept) / 360
        assert error == pytest.approx(whole.value(score), abs=1e-4)
    pytest.importorskip("matplotlib")
    assert whole.file("reliability.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_model_that_is_too_sure_of_itself_is_calibrated_and_decides_the_same() -> None:
    """It has learned wrong labels by heart; every score that a temperature cannot change stays."""
    wrong = Y[:150].clone()
    wrong[::4] = (wrong[::4] + 1) % 10
    data = art.data(train=(X[:150], wrong), validation=(VX, VY), batch_size=64)
    setup = of_digits().but(data=data, trainer={"max_epochs": 80})
    found = squeezed(setup, ensemble=0, longer=0, distill=False, export=False)
    temperature = found.outcome.reading("temperature")
    assert temperature is not None
    assert temperature.value > 1.2
    assert found.value("ece") < found.value("ece_before")
    gained = found.outcome.score("calibrated_gain")
    assert gained.interval is not None
    assert gained.interval.low > 0
    single = found.outcome.candidate("single")
    assert single is not None
    assert found.value("validation/accuracy") == single.scores["validation/accuracy"].value
    assert [one.name for one in found.outcome.candidates] == ["single", "calibrated"]
    assert found.outcome.artifact("model.zip") is None
    assert found.outcome.artifact("last.ckpt") is not None


@pytest.mark.slow
def test_a_regression_is_squeezed_and_says_what_it_leaves_out() -> None:
    (x, y), (vx, vy) = diabetes()
    mean, deviation = y.mean(), y.std()
    train, validation = (tensors(a * 20, (b - mean) / deviation, torch.float32) for a, b in ((x, y), (vx, vy)))
    model = art.from_torch(One, loss=nn.MSELoss, optimizer=torch.optim.Adam, lr=1e-2)
    setup = art.Setup(model=model, data=art.data(train=train, validation=validation, batch_size=32), trainer=TRAINER)
    found = squeezed(setup, {}, ensemble=3, longer=1.5, averaging="swa", weighting="equal")
    assert found.state is StepState.PASSED, [verdict.reason for verdict in found.verdicts]
    names = [one.name for one in found.outcome.candidates]
    assert names == ["single", "longer", "ensemble", "student"]
    reading = found.outcome.reading("calibration")
    assert reading is not None
    assert "predicts values, not probabilities" in reading.note
    assert found.value("validation/loss") < 1
    members = [1 / 3] * 3
    ensemble = found.outcome.candidate("ensemble")
    assert ensemble is not None
    assert list(ensemble.parameters["trainings"].values()) == pytest.approx(members)


@pytest.mark.slow
def test_a_multi_label_task_is_squeezed_and_says_what_it_leaves_out() -> None:
    def labels(y: Tensor) -> Tensor:
        return torch.stack([y % 2 == 0, y > 4, y % 3 == 0], 1).float()

    model = art.from_torch(Net, loss=nn.BCEWithLogitsLoss, optimizer=torch.optim.Adam, lr=1e-2)
    data = art.data(train=(X[:500], labels(Y[:500])), validation=(VX, labels(VY)), batch_size=64)
    setup = art.Setup(model=model, data=data, hparams={"outputs": 3}, trainer=TRAINER)
    found = squeezed(setup, {"f1": MultilabelF1Score(num_labels=3)}, ensemble=2, longer=0, by="validation/f1")
    assert found.state is StepState.PASSED, [verdict.reason for verdict in found.verdicts]
    assert found.value("validation/f1") > 0.8
    reading = found.outcome.reading("calibration")
    assert reading is not None
    assert "no most probable class" in reading.note
    assert "f1 against single, positive is better" in found.outcome.score("ensemble_gain").note
    model_of_it = art.load_model(found.file("model.zip"))
    assert model_of_it(VX).shape == (360, 3)


@pytest.mark.slow
def test_a_module_without_forward_and_with_augmented_data_is_squeezed_too() -> None:
    """Its examples are never the same twice, so that the members are asked for every batch of the student."""
    data = art.data(train=Named(X[:300], Y[:300], jitter=0.05), validation=Named(VX, VY), batch_size=64)
    setup = art.Setup(model=Stepping, data=data, trainer={**TRAINER, "max_epochs": 3})
    found = squeezed(setup, ensemble=2, longer=0)
    assert found.state is StepState.PASSED, [verdict.reason for verdict in found.verdicts]
    assert "0 batches looked up, the members asked for 15" in found.note("student")
    export = found.outcome.reading("export")
    assert export is not None
    assert export.value["asked by"] == "its step, with whole batches"
    assert export.value["needs"] == "digit"
    assert [one.code for one in found.outcome.findings] == ["ART753"]
    assert "where batches hold their targets ('digit'), which the export needs" in found.verdicts[1].reason
    model = art.load_model(found.file("model.zip"))
    assert model({"pixels": VX[:9], "digit": VY[:9]}).shape == (9, 10)


class Whole(Stepping):
    """Its `forward` takes the whole batch, and warns of something of its own."""

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        found = self.body(batch["pixels"])
        warnings.warn("this is mine", stacklevel=1)
        return found


@pytest.mark.slow
def test_ways_to_ask_a_model_that_do_not_fit_make_its_code_warn_of_nothing() -> None:
    data = art.data(train=Named(X[:200], Y[:200]), validation=Named(VX, VY), batch_size=50)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = squeezed(art.Setup(Whole, data, trainer=TRAINER), ensemble=0, longer=0, calibrate=False, examples=0)
    assert not [one for one in told if "non-tuple sequence" in str(one.message)]
    assert found.outcome.scores["export_difference"].value < 1e-5


class Batched(LightningModule):
    """Its `forward` takes a batch of two inputs, and its steps call it with the batch."""

    def __init__(self, peeks: bool = False) -> None:
        super().__init__()
        self.peeks = peeks
        self.table = nn.Embedding(17, 8)
        self.head = nn.Linear(8, 10)

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        if self.peeks:
            assert len(batch["digit"])
        shares = batch["mask"].unsqueeze(2)
        return self.head((self.table(batch["levels"]) * shares).sum(1))

    def training_step(self, batch: Mapping[str, Tensor], index: int) -> Tensor:
        return nn.functional.cross_entropy(self(batch), batch["digit"])

    def validation_step(self, batch: Mapping[str, Tensor], index: int) -> None:
        self.log("val_loss", self.training_step(batch, index))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


class Levels(Dataset[dict[str, Tensor]]):
    def __len__(self) -> int:
        return 100

    def __getitem__(self, at: int) -> dict[str, Tensor]:
        return {"levels": (X[at] * 16).long().clamp(0, 16), "mask": (X[at] > 0).float(), "digit": Y[at]}


BATCHED = {"ensemble": 0, "longer": 0, "calibrate": False, "examples": 0}


@pytest.mark.slow
def test_a_model_whose_forward_takes_the_batch_is_exported_and_predicts_without_targets() -> None:
    setup = art.Setup(Batched, art.data(train=Levels(), validation=Levels(), batch_size=50), trainer={"max_epochs": 1})
    found = squeezed(setup, **BATCHED)
    export = found.outcome.reading("export")
    assert export is not None
    assert export.value["asked by"] == "forward, with batches that need no targets"
    assert not found.outcome.findings
    assert found.value("export_difference") < 1e-5
    model = art.load_model(found.file("model.zip"))
    assert sorted(model.description["inputs"]) == ["levels", "mask"]
    given = {name: torch.stack([Levels()[at][name] for at in range(7)]) for name in ("levels", "mask", "digit")}
    without = model({name: given[name] for name in ("levels", "mask")})
    assert without.shape == (7, 10)
    assert torch.equal(without, model(given))


class Masking(LightningModule):
    """One score a pixel, of one channel, as segmentation with two classes has it."""

    def __init__(self, lr: float = 1e-2) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(self(batch[0]), batch[1])

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        self.log("val_loss", nn.functional.binary_cross_entropy_with_logits(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


@pytest.mark.slow
def test_a_forward_that_gives_masks_is_found_and_needs_no_targets() -> None:
    x = torch.as_tensor(digits()[0][0], dtype=torch.float32).reshape(-1, 1, 8, 8)[:120]
    mask = (x > x.mean()).float()
    data = art.data(train=(x[:80], mask[:80]), validation=(x[80:], mask[80:]), batch_size=20)
    setup = art.Setup(Masking, data, trainer={"max_epochs": 1, "accelerator": "cpu"})
    found = squeezed(setup, {"iou": BinaryJaccardIndex()}, **BATCHED)
    assert not [one for one in found.outcome.findings if one.code == "ART753"]
    export = found.outcome.reading("export")
    assert export is not None
    assert export.value["asked by"] == "forward, with the inputs"
    assert found.value("export_difference") < 1e-5


@pytest.mark.slow
def test_an_export_that_needs_the_targets_is_told_to_need_them() -> None:
    data = art.data(train=Levels(), validation=Levels(), batch_size=50)
    found = squeezed(art.Setup(Batched, data, hparams={"peeks": True}, trainer={"max_epochs": 1}), **BATCHED)
    export = found.outcome.reading("export")
    assert export is not None
    assert export.value["needs"] == "digit"
    (told,) = found.outcome.findings
    assert told.code == "ART753"
    assert "predicts of no batch without batch['digit']" in told.message
    assert any("which the export needs" in verdict.reason for verdict in found.verdicts)


@pytest.mark.slow
def test_the_same_seed_squeezes_the_same() -> None:
    first, second = (squeezed(of_digits(200), ensemble=2, longer=0, export=False) for _ in range(2))
    left_out = {"seconds_a_batch", "relative_inference_time", "training_seconds"}
    for one, other in zip(first.outcome.candidates, second.outcome.candidates, strict=True):
        assert one.scores == other.scores
        kept = {name: value for name, value in one.parameters.items() if name not in left_out}
        assert kept == {name: other.parameters[name] for name in kept}
    assert first.outcome.artifact("last.ckpt") is None or first.outcome.scores == second.outcome.scores


@pytest.mark.slow
def test_a_model_that_no_other_process_can_make_is_told_and_loaded_here() -> None:
    class Local(Net):
        pass

    model = art.from_torch(Local, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2)
    setup = of_digits().but(model=model, trainer={"max_epochs": 1})
    found = squeezed(setup, ensemble=0, longer=0)
    assert found.state is StepState.PASSED
    assert "in this process" in found.outcome.score("export_difference").source
    assert any("Local is defined inside a function" in finding.message for finding in found.outcome.findings)
    loaded = art.load_model(found.file("model.zip"), factory=Local)
    assert loaded(VX).shape == (360, 10)


UNGUARDED = """
import numpy as np, art_training as art
from pathlib import Path
from torch import nn
from art_training.steps import Squeeze

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 3)
    def forward(self, x):
        if self.training:
            with Path("trained.log").open("a") as log:
                log.write("a batch")
        return self.net(x)

x = np.random.default_rng(0).normal(size=(60, 6)).astype("float32")
data = art.data((x, x[:, :3].argmax(1)), (x, x[:, :3].argmax(1)))
model = art.from_torch(Net, loss=nn.CrossEntropyLoss, lr=1e-2)
setup = art.Setup(model=model, data=data, trainer={"max_epochs": 1, "accelerator": "cpu"})
project = art.ArtProject("script", setup, steps=[Squeeze(ensemble=0, longer=0, examples=0)])
"""


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_of_it_and_is_not_trained_again_when_it_has_one(tmp_path: Path) -> None:
    script = tmp_path / "script.py"

    def run(last: str) -> subprocess.CompletedProcess[str]:
        script.write_text(UNGUARDED + last)
        return subprocess.run(
            [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=400
        )

    bare = run("print(project.run())")
    assert "as it was not loaded: project 'script' is run" in bare.stderr
    assert 'put project.run() under `if __name__ == "__main__":`' in bare.stderr
    trained = (tmp_path / "trained.log").read_text()
    guarded = run('if __name__ == "__main__":\n    print(project.run())')
    assert "Next: every step passed" in guarded.stdout, guarded.stderr
    assert (tmp_path / "trained.log").read_text() == trained


AWAY = """
import sys
from pathlib import Path

if Path("away").exists() and sys.argv[0].endswith("verify.py"):
    raise SystemExit("the disk of the model is away")
"""


@pytest.mark.slow
def test_what_keeps_another_process_from_loading_is_no_fact_of_the_model_and_is_tried_again(tmp_path: Path) -> None:
    head, _, rest = UNGUARDED.partition("class Net")
    model, _, rest = rest.partition("\nx = np")
    (tmp_path / "net.py").write_text(f"{AWAY}\nfrom torch import nn\n\nclass Net{model}")
    (tmp_path / "script.py").write_text(
        f"{head}from net import Net\nx = np{rest}if __name__ == '__main__':\n    print(project.run())"
    )

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "script.py"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=400)

    (tmp_path / "away").touch()
    first = run()
    assert "Unfinished: whether the export predicts what the model does is not known" in first.stderr
    assert "the disk of the model is away; the next run trains nothing again and tries once more" in first.stderr
    trained = (tmp_path / "trained.log").read_text()
    (tmp_path / "away").unlink()
    again = run()
    assert "Next: every step passed" in again.stdout, again.stderr
    assert (tmp_path / "trained.log").read_text() == trained


def test_a_score_that_predictions_alone_do_not_give_is_refused_before_the_second_training() -> None:
    def own(prediction: Tensor, target: Tensor) -> Tensor:
        return ((prediction - target[:, None]) ** 2).mean()

    model = art.from_torch(Net, loss=own, optimizer=torch.optim.Adam, lr=1e-2)
    setup = art.Setup(
        model=model,
        data=art.data(train=(X[:64], Y[:64]), validation=(VX, VY), batch_size=64),
        trainer={**TRAINER, "max_epochs": 1},
        outputs=lambda batch, returned: (returned["predictions"].softmax(1), batch[1]),
    )
    with pytest.raises(SetupError, match=r"by='validation/loss'\) cannot be computed of predictions alone.*accuracy"):
        squeezed(setup, ensemble=2, longer=0)


def test_calibration_that_is_insisted_on_needs_classes() -> None:
    (x, y), (vx, vy) = diabetes()
    train, validation = tensors(x, y, torch.float32), tensors(vx, vy, torch.float32)
    model = art.from_torch(One, loss=nn.MSELoss, lr=1e-2)
    setup = art.Setup(model=model, data=art.data(train=train, validation=validation), trainer=TRAINER)
    with pytest.raises(SetupError, match=r"calibrate=True\) cannot be: a regression task predicts values"):
        squeezed(setup, {}, calibrate=True)


def test_without_a_validation_split_nothing_can_be_chosen() -> None:
    setup = of_digits().but(data=art.data(train=(X, Y)))
    with pytest.raises(SetupError, match="needs a validation split, and the data has: train"):
        squeezed(setup)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"ensemble": 1}, "ensemble=1 of step 'Squeeze' is the single model; give 2 members or more, or 0"),
        ({"ensemble": -2}, "ensemble=-2 of step 'Squeeze' is no number of models"),
        ({"ensemble": 2.5}, "ensemble=2.5 of step 'Squeeze' is no number of models"),
        ({"ensemble": True}, "ensemble=True of step 'Squeeze' is no number of models"),
        ({"longer": 1.0}, "longer=1.0 of step 'Squeeze' is a factor of the epochs in all; give more than 1"),
        ({"longer": -1}, "longer=-1 of step 'Squeeze' is a factor"),
        ({"longer": float("nan")}, "longer=nan of step 'Squeeze' is a factor"),
        ({"longer": "2"}, "longer='2' of step 'Squeeze' is a factor"),
        ({"averaging": "mean"}, "averaging='mean' of step 'Squeeze' is none of: ema, swa"),
        ({"weighting": "best"}, "weighting='best' of step 'Squeeze' is none of: greedy, equal"),
        (
            {"prefer": "large"},
            "prefer='large' of step 'Squeeze' is none of: small, best, single, longer, ensemble, student",
        ),
        ({"prefer": "ensemble", "ensemble": 0}, "wants what ensemble=0 leaves out; give ensemble=5, or prefer='small'"),
        ({"prefer": "student", "distill": False}, "wants what distill=False leaves out; give distill=True, or"),
        ({"prefer": "longer", "longer": 0}, "wants what longer=0 leaves out; give longer=2.0, or"),
        ({"by": "test/loss"}, "is of the test split"),
        ({"by": "loss or so"}, "by='loss or so' of step 'Squeeze' is no metric"),
        ({"by": None}, "by=None of step 'Squeeze' is no metric"),
        ({"ensemble": 0, "of": "Tune"}, "of='Tune' of step 'Squeeze' names members, and ensemble=0 wants none"),
        ({"ensemble": 0, "longer": 0, "calibrate": False, "export": False}, "is asked for nothing"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProjectError, match=sentence):
        Squeeze(**settings)


def test_an_unknown_score_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(UnknownMetric, match="no metric 'auc' in this project; it has: accuracy"):
        squeezed(of_digits(), by="validation/auc")


def test_its_checks_ask_for_the_export_where_there_is_one() -> None:
    task = Task(TaskKind.CLASSIFICATION)
    assert Squeeze().default_checks(task, ()) == (NoNaN(), ExportAgrees())
    assert Squeeze(export=False).default_checks(task, ()) == (NoNaN(),)
    assert "ensemble_gain" in Squeeze().score_names(("accuracy",))
    assert Squeeze(of="Tune").consumes({"Tune": "Tune", "Overfit": "Overfit"}) == ("Tune",)
    assert np.isfinite(Squeeze().longer)
