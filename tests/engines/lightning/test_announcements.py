"""What Lightning announces about devices and services does not reach the user."""

import subprocess
import sys

import pytest

PROGRAM = """
import torch
from torch import nn
import art_training as art
model = art.from_torch(lambda: nn.Linear(2, 2), loss=nn.CrossEntropyLoss, lr=0.1)
print(art.Setup(model, art.data(train=(torch.eye(2), torch.tensor([0, 1])))).task.kind.value)
"""


@pytest.mark.slow
def test_a_program_that_never_imports_lightning_sees_none_of_its_announcements() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ended.stdout == "classification\n"
    assert "GPU available" not in ended.stderr
    assert "Tip" not in ended.stderr
