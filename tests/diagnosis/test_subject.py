import functools

import pytest
import torch
from torch import nn

import art_training as art
from art_training.diagnosis.subject import name_of, place_of_model
from art_training.setup.modified import ModifiedModel


class Net(nn.Module):
    pass


PLAIN = art.from_torch(Net, loss=nn.MSELoss, optimizer=functools.partial(torch.optim.SGD, lr=0.1))


@pytest.mark.parametrize("model", [Net, PLAIN, ModifiedModel(PLAIN, (lambda module: module,))])
def test_what_is_diagnosed_is_the_users_model_whatever_it_is_wrapped_in(model):
    assert name_of(model) == "Net"
    assert "test_subject.py:" in place_of_model(model)
