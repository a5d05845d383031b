"""What tests of several steps begin with."""

from pathlib import Path

import pytest
import torch
from tests.steps.transfer.digits import Net, X, Y
from torch import nn


@pytest.fixture(scope="session")
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
