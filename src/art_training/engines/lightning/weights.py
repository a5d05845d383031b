"""Weights by name: those of a fresh model, those of a file, and a file of those that are given."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from art_training.engines.lightning.lazy import open_whole_model
from art_training.engines.shaping import Parameter
from art_training.setup.setup import Setup

_STATE = "state_dict"


def parameters(setup: Setup) -> tuple[Parameter, ...]:
    """The parameters of a fresh model, those among them that it makes in its hooks.

    Raises:
        SetupError: the model cannot be made.
    """
    module = open_whole_model(setup, seed=0, data_seed=0)
    named: dict[Tensor, list[str]] = {}
    for name, one in module.named_parameters(remove_duplicate=False):
        named.setdefault(one, []).append(name)
    return tuple(
        Parameter(name, tuple(one.shape), one.requires_grad, tuple(others)) for one, (name, *others) in named.items()
    )


def fresh_weights(setup: Setup, *, seed: int) -> Mapping[str, Tensor]:
    """Parameters and buffers of a fresh model; what is one tensor of several names there, is one here.

    Raises:
        SetupError: the model cannot be made.
    """
    module = open_whole_model(setup, seed=seed, data_seed=seed)
    kept: dict[object, Tensor] = {}
    return {
        name: kept.setdefault((one.data_ptr(), one.shape, one.stride()) if one.numel() else name, one.detach().cpu())
        for name, one in module.state_dict().items()
    }


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Parameters and buffers of a checkpoint, on the CPU.

    The file is one that this engine or Lightning wrote; whoever names it vouches for it, because a checkpoint may hold
    pickled hyper-parameters.
    """
    return torch.load(path, map_location="cpu", weights_only=False)[_STATE]


def write_weights(weights: Mapping[str, Tensor], path: Path) -> Path:
    """A checkpoint that holds weights and nothing else."""
    torch.save({_STATE: {name: one.detach().cpu() for name, one in weights.items()}}, path)
    return path
