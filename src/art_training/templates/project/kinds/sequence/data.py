"""The data: 1,600 sensors, made up here, each with a rhythm, a trend and noise of its own; to be forecast.

Put your own series into `splits`; everything else follows from what it returns.
"""

import math

import art_training as art
import torch

TARGET = "target"  # the entry that is predicted; the others are what the model gets, by the names of its arguments
PAST = 24  # values that are known
AHEAD = 4  # how far behind them the value lies that is asked for


def series(sensors=1600):
    """Values over time, one row a sensor (sensors, PAST + AHEAD)."""
    always = torch.Generator().manual_seed(0)
    rate, phase, size, trend = torch.rand(4, sensors, 1, generator=always)
    times = torch.arange(PAST + AHEAD)
    rhythm = (0.5 + size) * torch.sin(2 * math.pi * (phase + (0.04 + 0.12 * rate) * times))
    return rhythm + (0.1 * trend - 0.05) * times + 0.05 * torch.randn(rhythm.shape, generator=always)


def splits():
    """Each split as tensors by name: what was (N, 1, PAST), and what came (N,), in standard deviations of training.

    Each sensor is in one split alone. Of one long series, the splits follow one another in time, and no value of one is
    in a window of another.
    """
    parts = dict(zip(("train", "validation", "test"), series().split([1000, 300, 300]), strict=True))
    mean, deviation = parts["train"].mean(), parts["train"].std()  # what the others are like is not known yet
    parts = {name: (values - mean) / deviation for name, values in parts.items()}
    return {name: {"past": values[:, None, :PAST], TARGET: values[:, -1]} for name, values in parts.items()}


def data():
    """The splits in batches; `art.data` takes datasets and loaders as well."""
    return art.data(**splits(), batch_size=50)
