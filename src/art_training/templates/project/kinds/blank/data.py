"""The data: numbers that are made up here, so that everything runs before your own data are in their place."""

import art_training as art
import torch

TARGET = "target"  # the entry that is predicted; the others are what the model gets, by the names of its arguments
FEATURES = 4


def splits():
    """Each split as tensors by name: inputs (N, FEATURES) and targets (N,).

    Replace the next five lines. Give targets of a regression in standard deviations from their mean in the training
    split, and classes as whole numbers from 0.
    """
    always = torch.Generator().manual_seed(0)
    x = torch.randn(1000, FEATURES, generator=always)
    y = x[:, 0] * x[:, 1] + 0.1 * torch.randn(1000, generator=always)
    parts = zip(("train", "validation", "test"), torch.arange(1000).split([600, 200, 200]), strict=True)
    return {name: {"x": x[part], TARGET: y[part]} for name, part in parts}


def data():
    """The splits in batches; `art.data` takes datasets and loaders as well."""
    return art.data(**splits(), batch_size=32)
