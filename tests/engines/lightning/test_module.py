import lightning as L
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.errors import SetupError

ROWS = 50
X = torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()
LOADER = DataLoader(TensorDataset(X, Y), batch_size=16)


class Net(art.ArtModule):
    loss_function = nn.functional.cross_entropy

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 2)

    def forward(self, x):
        return self.net(x)

    def compute_metrics(self, parsed):
        return {"accuracy": (parsed["prediction"].argmax(1) == parsed["target"]).float().mean()}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class WithModule(Net):
    def __init__(self):
        super().__init__()
        self.loss_function = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0]))


class WithMethod(Net):
    def loss_function(self, prediction, target):
        return nn.functional.cross_entropy(prediction, target)


def trainer(tmp_path, **settings):
    return L.Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )


def test_it_trains_validates_tests_and_predicts_under_a_bare_trainer(tmp_path):
    L.seed_everything(0, verbose=False)
    module, bare = Net(), trainer(tmp_path, max_epochs=5)
    before = float(module.process((X, Y))["loss"].detach())
    bare.fit(module, LOADER, [LOADER, LOADER])
    assert {"train_loss", "train_accuracy", "validation_loss/dataloader_idx_1"} <= set(bare.callback_metrics)
    assert float(module.process((X, Y))["loss"].detach()) < before
    (told,) = bare.test(module, LOADER, verbose=False)
    # Batches of 16, 16, 16 and 2: the mean counts examples, not batches.
    assert told["test_loss"] == pytest.approx(float(module.process((X, Y))["loss"].detach()), rel=1e-5)
    assert sum(len(batch) for batch in bare.predict(module, LOADER)) == ROWS


@pytest.mark.parametrize("kind", [Net, WithMethod])
def test_the_loss_may_be_a_function_or_a_method(kind):
    assert kind().process((X, Y))["loss"].shape == ()


def test_a_module_set_as_loss_comes_before_the_function_of_the_class():
    module = WithModule()
    done = module.process((X, Y))
    assert torch.equal(done["loss"], module._modules["loss_function"](done["prediction"], Y))
    assert not torch.equal(done["loss"], nn.functional.cross_entropy(done["prediction"], Y))


def test_a_step_returns_what_art_reads_without_keeping_the_graph():
    told = Net().training_step((X, Y), 0)
    assert told["loss"].requires_grad
    assert not told["predictions"].requires_grad
    assert torch.equal(told["targets"], Y)


def test_every_stage_can_be_replaced_alone():
    class Halved(Net):
        def parse_data(self, batch):
            return {"input": batch["pixels"] / 2, "target": batch["digit"], "weight": batch["weight"]}

        def compute_loss(self, parsed):
            loss = nn.functional.cross_entropy(parsed["prediction"], parsed["target"], reduction="none")
            return {**parsed, "loss": (loss * parsed["weight"]).mean()}

    told = Halved().validation_step({"pixels": X, "digit": Y, "weight": torch.zeros(ROWS)}, 0)
    assert told["loss"] == 0


@pytest.mark.parametrize(
    "batch", [(X, Y), [X, Y], {"x": X, "id": Y, "y": Y}, {"pixels": X, "label": Y}, {"input": X, "z": Y, "target": Y}]
)
def test_input_and_target_are_told_apart(batch):
    parsed = Net().parse_data(batch)
    assert parsed["input"] is X
    assert parsed["target"] is Y


@pytest.mark.parametrize("batch", [X, (X,)])
def test_a_batch_without_a_target_gives_its_input_alone(batch):
    module = Net()
    assert list(module.parse_data(batch)) == ["input"]
    assert module.predict_step(batch, 0).shape == (ROWS, 2)
    with pytest.raises(SetupError, match="parse_data found none"):
        module.process(batch)


@pytest.mark.parametrize("batch", [(X, X, Y), {"a": X, "b": X, "y": Y}])
def test_a_batch_that_is_not_understood_says_what_to_override(batch):
    with pytest.raises(SetupError, match="override parse_data"):
        Net().parse_data(batch)


def test_a_missing_loss_says_what_to_set():
    class Lossless(art.ArtModule):
        def forward(self, x):
            return x

    with pytest.raises(SetupError, match=r"Lossless has no loss_function; set it, e\.g\."):
        Lossless().process((X, Y))


def test_shapes_that_would_broadcast_silently_are_refused():
    class Regression(Net):
        loss_function = nn.functional.mse_loss

    with pytest.raises(SetupError, match="broadcast"):
        Regression().process((X, Y.float()[:, None].expand(ROWS, 2)[..., None]))


def test_a_baseline_that_is_not_neural_learns_from_parsed_batches():
    class Linear(art.ArtModule):
        def baseline_train(self, batches):
            self.model = LogisticRegression().fit(*self.flattened(batches))

        def predict(self, parsed):
            return {**parsed, "prediction": torch.from_numpy(self.model.predict_proba(parsed["input"].numpy()))}

    baseline = Linear()
    baseline.baseline_train([baseline.parse_data(batch) for batch in LOADER])
    predicted = baseline.predict({"input": X})["prediction"].argmax(1)
    assert np.mean((predicted == Y).numpy()) > 0.9


def test_a_baseline_without_training_says_what_to_override():
    with pytest.raises(SetupError, match="Net is used as a baseline and has no baseline_train"):
        Net().baseline_train([])
