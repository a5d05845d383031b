"""Which parameters gradients reach where a step differentiates several losses, one after the other."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.engines import ExperimentJob
from art_training.engines.lightning.engine import LightningEngine
from art_training.probes.reach import reach


class Adversarial(L.LightningModule):
    """A generator whose body may be cut off, against a discriminator: the same drawn points enter both losses."""

    def __init__(self, cut):
        super().__init__()
        self.automatic_optimization = False
        self.cut = cut
        self.body = nn.Sequential(nn.Linear(8, 16), nn.LeakyReLU(0.2))
        self.points = nn.Linear(16, 2)
        self.critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))

    def draw(self, count):
        hidden = self.body(torch.randn(count, 8, device=self.device))
        return self.points(hidden.detach() if self.cut else hidden)

    def of_critic(self, real, drawn):
        return F.softplus(-self.critic(real)).mean() + F.softplus(self.critic(drawn)).mean()

    def training_step(self, batch, index):
        mine, other = self.optimizers()
        drawn = self.draw(len(batch[0]))
        other.zero_grad()
        self.manual_backward(self.of_critic(batch[0], drawn.detach()))
        other.step()
        mine.zero_grad()
        self.manual_backward(F.softplus(-self.critic(drawn)).mean())
        mine.step()

    def configure_optimizers(self):
        generator = [*self.body.parameters(), *self.points.parameters()]
        return torch.optim.Adam(generator, 1e-3), torch.optim.Adam(self.critic.parameters(), 1e-3)


class Penalised(Adversarial):
    """The critic's gradient between real and drawn points is held near 1, and differentiated for that."""

    def of_critic(self, real, drawn):
        between = torch.lerp(real, drawn, torch.rand(len(real), 1)).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        return self.critic(drawn).mean() - self.critic(real).mean() + (slope.norm(dim=1) - 1).square().mean()


@pytest.mark.parametrize("model", [Adversarial, Penalised])
@pytest.mark.parametrize("cut", [True, False])
def test_a_cut_within_one_of_several_losses_is_found_and_tried_without(model, cut, tmp_path):
    rows = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    data = art.data(train=DataLoader(TensorDataset(rows), batch_size=16))
    setup = art.Setup(model, data, hparams={"cut": cut}, trainer={"max_epochs": 1, "accelerator": "cpu"})
    found = []
    LightningEngine().experiment(ExperimentJob(setup, 0, tmp_path), lambda one: found.append(reach(one)))
    assert [one.module for one in found[0].cuts] == (["body"] if cut else [])
    if cut:
        assert found[0].cuts[0].kept > 0
        assert "test_reach.py" in found[0].cuts[0].where
