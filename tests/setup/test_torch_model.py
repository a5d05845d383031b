from functools import partial

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR

import art_training as art
from art_training.errors import SetupError
from art_training.records import plain

BATCH = (torch.randn(8, 4), torch.randn(8, 1))


class Net(nn.Module):
    def __init__(self, width=3, lr=0.0):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, x):
        return self.net(x)


class Frozen(nn.Module):
    pass


def declared(**changes):
    return art.from_torch(**{"model": Net, "loss": nn.MSELoss, "lr": 1e-3, **changes})


def test_each_build_is_fresh():
    model = declared()
    assert model.build().module is not model.build().module


def test_hparams_go_to_the_optimiser_by_the_names_it_declared_and_else_to_the_model():
    parts = declared(weight_decay=0.1).build(width=7, lr=1e-2)
    optimizer = parts.configure(parts.module)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (1e-2, 0.1)
    assert parts.module.net[0].out_features == 7


def test_a_setup_takes_it_and_shows_the_optimisers_arguments():
    setup = art.Setup(model=declared(optimizer=torch.optim.SGD, momentum=0.9), data=art.data(BATCH))
    assert setup.model.build().settings == {"momentum": 0.9, "lr": 1e-3}
    assert plain(setup.model)["optimizer_arguments"] == {"momentum": 0.9, "lr": 1e-3}
    changed = setup.but(hparams={"lr": 1e-2})
    assert changed.model(**changed.hparams).settings["lr"] == 1e-2
    assert [str(change) for change in changed - setup] == ["hparams.lr is new: 0.01"]


def test_training_lowers_the_loss():
    torch.manual_seed(0)
    parts = declared(lr=1e-2).build()
    optimizer = parts.configure(parts.module)
    losses = []
    for _ in range(50):
        loss = parts.loss(*parts.call(parts.module, BATCH))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_scheduler_comes_with_the_optimiser():
    parts = declared(scheduler=partial(StepLR, step_size=2)).build()
    optimizer, scheduler = parts.configure(parts.module)
    assert scheduler.optimizer is optimizer


@pytest.mark.parametrize("loss", [nn.MSELoss, nn.MSELoss(), nn.functional.mse_loss, lambda p, t: ((p - t) ** 2).mean()])
def test_losses_may_be_classes_instances_or_functions(loss):
    parts = declared(loss=loss).build()
    assert parts.loss(torch.ones(2, 1), torch.zeros(2, 1)) == 1


def test_the_users_loss_stays_where_it_is():
    loss = nn.CrossEntropyLoss(weight=torch.ones(3))
    parts = declared(loss=loss).build()
    assert parts.loss is not loss
    assert parts.loss.weight.data_ptr() != loss.weight.data_ptr()


def test_a_loss_with_parameters_is_trained_too():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, prediction, target):
            return (self.scale * (prediction - target) ** 2).mean()

    parts = declared(loss=Scaled).build()
    trained = [one for group in parts.configure(parts.module).param_groups for one in group["params"]]
    assert any(one is parts.loss.scale for one in trained)
    together = nn.ModuleList([parts.module, parts.loss])
    assert len(parts.configure(together).param_groups[0]["params"]) == len(trained)


def test_a_single_column_against_a_flat_target_is_refused_with_both_shapes():
    parts = declared().build()
    with pytest.raises(SetupError, match=r"\(8, 1\) and the target \(8,\).*y\[:, None\]"):
        parts.call(parts.module, (BATCH[0], BATCH[1][:, 0]))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": Net()}, r"instance of Net.*from_torch\(Net, \.\.\.\) with hparams"),
        ({"model": 3}, "3, which cannot be called"),
        ({"loss": "mse"}, "loss='mse' cannot be called"),
        ({"inputs": "x"}, r"inputs=\('x',\)"),
        ({"optimizer": "adam"}, "optimizer='adam' cannot be called"),
        ({"optimizer": torch.optim.SGD(Net().parameters(), lr=1)}, "instance of SGD"),
        ({"momentum": 0.9}, "AdamW does not take 'momentum'; it takes: lr, betas"),
        ({"params": []}, "does not take 'params'"),
    ],
)
def test_what_cannot_be_declared_is_refused_with_one_sentence(changes, sentence):
    with pytest.raises(SetupError, match=sentence):
        declared(**changes)


def test_a_learning_rate_has_to_be_declared():
    with pytest.raises(SetupError, match="no learning rate is given for AdamW"):
        art.from_torch(Net, loss=nn.MSELoss)


@pytest.mark.parametrize(
    ("model", "hparams", "sentence"),
    [
        (Net, {"widht": 3}, "'widht', which Net does not take; it takes: width, lr; and the optimiser: lr"),
        (lambda: 3, {}, "returned a int, not an nn.Module"),
    ],
)
def test_a_model_that_cannot_be_built_is_told_in_one_sentence(model, hparams, sentence):
    with pytest.raises(SetupError, match=sentence):
        declared(model=model).build(**hparams)


def test_a_model_without_parameters_cannot_be_trained():
    parts = declared(model=Frozen).build()
    with pytest.raises(SetupError, match="Frozen has no parameters"):
        parts.configure(parts.module)


def test_the_arguments_of_a_partial_optimiser_are_declared_ones():
    made = art.from_torch(
        lambda: nn.Linear(1, 1), loss=nn.MSELoss, optimizer=partial(torch.optim.SGD, lr=0.1), momentum=0.9
    )
    assert made.optimizer is torch.optim.SGD
    assert dict(made.optimizer_arguments) == {"lr": 0.1, "momentum": 0.9}
    assert dict(made.build(lr=0.2).settings) == {"lr": 0.2, "momentum": 0.9}
